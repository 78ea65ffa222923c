"""Threads of the CPU's operations: they take part, and nothing depends on how many there are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from nnpal.model.build import build_aev_computer
from nnpal.model.fused_module import FusedModule
from nnpal.model.ops import load_ops
from ops_structures import Structure, make_structure
from processes import run
from support.folders import FOLDERS

load_ops()
OPS = torch.ops.nnpal

# Tensors too small for torch's own operations to start a thread; a process of its own, where none has been started yet
COUNT_THREADS = """
import os
import torch
from ops_structures import make_structure
from test_threads import OPERATIONS
torch.set_num_threads(1)
structure = make_structure(n_atoms=200, n_elements=1, volume=14.0, closest=1.2, aev="ani2x")
with torch.no_grad():
    operation = OPERATIONS["{name}"](structure)
    for n_threads in (1, 3):
        torch.set_num_threads(n_threads)
        before = len(os.listdir("/proc/self/task"))
        operation()
        print(len(os.listdir("/proc/self/task")) - before)
"""


def aev(structure: Structure) -> Callable[[], tuple[Tensor, ...]]:
    inputs = [x.detach() if isinstance(x, Tensor) else x for x in structure.inputs(torch.float32)]
    return lambda: (OPS.aev(*inputs, *structure.terms),)


def ensemble(structure: Structure) -> Callable[[], tuple[Tensor, ...]]:
    computer = build_aev_computer(structure.description)
    module = FusedModule(computer, structure.members(2), torch.zeros(structure.n_elements), 1.0)
    inputs = [x.detach() if isinstance(x, Tensor) else x for x in structure.inputs(torch.float32)]
    return lambda: module.energies_and_gradients(*inputs, True)


OPERATIONS = {"aev": aev, "ensemble": ensemble}


@pytest.fixture
def n_threads_restored() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.usefixtures("n_threads_restored")
def test_threads_change_nothing(name: str) -> None:
    structure = make_structure(n_atoms=300, n_elements=2, volume=12.0, seed=5)
    operation = OPERATIONS[name](structure)
    torch.set_num_threads(1)
    alone = operation()
    for n in (2, 3, 4):
        torch.set_num_threads(n)
        for found, expected in zip(operation(), alone, strict=True):
            assert torch.equal(found, expected)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("name", OPERATIONS)
def test_threads_take_part(name: str, request: pytest.FixtureRequest) -> None:
    folders = tuple(map(str, (request.path.parent, *FOLDERS)))
    program = f"import sys; sys.path[:0] = {folders!r}\n" + COUNT_THREADS.format(name=name)
    found = run([sys.executable, "-c", program])
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["0", "2"]
