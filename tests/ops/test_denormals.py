"""CPU operations and training flush denormal numbers on every thread, change nothing else, and leave no trace."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.aev import AEVS
from nnpal.model.build import build_aev_computer
from nnpal.model.denormals import denormals_flushed
from nnpal.model.description import NetworkDescription
from nnpal.model.fused_module import FusedModule
from nnpal.model.ops import load_ops
from nnpal.training import Errors, LossSettings, TrainingSettings, build_training_data
from nnpal.training import epoch as training_epoch
from nnpal.training import update as training_update
from nnpal.training.loss import Members
from nnpal.training.member import Member
from nnpal.training.split import Split
from ops_structures import DTYPES, Structure, make_structure
from training_frames import two_element_frames

load_ops()
OPS = torch.ops.nnpal
N_THREADS = 3
DENORMALS = torch.full((1_000_000,), 1e-39)
FLUSHES = {"x86_64": 1 << 15 | 1 << 6, "aarch64": 1 << 24}.get(platform.machine())

pytestmark = pytest.mark.skipif(FLUSHES is None, reason="nothing is flushed on this processor")


@pytest.fixture(autouse=True)
def several_threads() -> Iterator[None]:
    """Threads that start as torch leaves them, and end so whatever a test does."""
    before = torch.get_num_threads()
    torch.set_num_threads(N_THREADS)
    words = OPS.control_words()
    yield
    OPS.restore_denormals(words)
    OPS.keep_denormals(False)
    torch.set_num_threads(before)


def pairs_of_atoms(n: int = 200) -> Structure:
    """Atoms in pairs just within the cutoff: Gaussians of small shifts, 1e-38, times 1e-3 of the cutoff function."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n, 3))
    vectors *= (rng.uniform(4.95, 5.05, n) / np.linalg.norm(vectors, axis=1))[:, None]
    center = np.arange(2 * n)
    edges = np.stack((center, center ^ 1))
    both = np.stack((vectors, -vectors), 1).reshape(-1, 3)
    graph = Graph(torch.zeros(2 * n, dtype=torch.int64), 2 * n, torch.from_numpy(edges), torch.from_numpy(both))
    return Structure(AEVS["ani2x"], 1, graph)


def plain(structure: Structure, dtype: torch.dtype) -> list[Tensor | int]:
    return [x.detach() if isinstance(x, Tensor) else x for x in structure.inputs(dtype)]


def operations(structure: Structure, dtype: torch.dtype = torch.float32) -> dict[str, Callable[[], tuple[Tensor, ...]]]:
    """Return everything that is computed on a CPU, by name."""
    inputs, terms = plain(structure, dtype), structure.terms
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    module = FusedModule(
        build_aev_computer(structure.description), structure.members(2), torch.zeros(structure.n_elements), 1.0
    ).to(dtype)
    gradient = normal(structure.graph.n_local, terms.n_features)
    tangent = normal(len(structure.graph.edge_vec), 3)

    def second() -> tuple[Tensor, ...]:
        vec = inputs[3].clone().requires_grad_(True)
        pulled = OPS.aev_vjp(gradient, *inputs[:3], vec, *terms)
        return torch.autograd.grad(pulled, vec, tangent)

    return {
        "aev": lambda: (OPS.aev(*inputs, *terms),),
        "aev_vjp": lambda: (OPS.aev_vjp(gradient, *inputs, *terms),),
        "aev_jvp": lambda: (OPS.aev_jvp(tangent, *inputs, *terms),),
        "aev second derivative": second,
        "aev_jacobian": lambda: (OPS.aev_jacobian(*inputs, *terms),),
        "ensemble": lambda: module.energies_and_gradients(*inputs, True),
    }


OPERATIONS = list(operations(make_structure(n_atoms=4, n_elements=1, volume=10.0)))


def denormal_rows(values: Tensor) -> int:
    smallest = np.finfo(np.float32).tiny
    found = (values != 0) & (values.abs() < smallest)
    return int(found.flatten(1).any(1).sum())


@pytest.mark.parametrize("name", ["aev", "aev_jvp", "aev_jacobian"])
def test_results_hold_denormals_without_the_guard_alone(name: str) -> None:
    """In nearly every row, so that none of the threads can be without it."""
    operation = operations(pairs_of_atoms())[name]
    OPS.keep_denormals(True)
    (kept,) = operation()
    assert denormal_rows(kept) > 0.9 * len(kept)
    OPS.keep_denormals(False)
    (flushed,) = operation()
    assert denormal_rows(flushed) == 0
    tiny = np.finfo(np.float32).tiny
    torch.testing.assert_close(flushed, kept, rtol=1e-6, atol=1e5 * tiny)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["aev_vjp", "aev second derivative", "ensemble"])
def test_ordinary_structures_do_not_change_by_a_bit(name: str, dtype: str) -> None:
    structure = make_structure(n_atoms=300, n_elements=2, volume=12.0, closest=0.9, seed=5)
    operation = operations(structure, DTYPES[dtype])[name]
    flushed = operation()
    OPS.keep_denormals(True)
    for found, expected in zip(flushed, operation(), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("flushed_before", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
def test_control_words_stay(name: str, flushed_before: bool) -> None:
    """Of the caller, who may have set it to something else than the pool's threads, and of these."""
    operation = operations(make_structure(n_atoms=300, n_elements=1, volume=12.0))[name]
    torch.set_flush_denormal(flushed_before)
    before = OPS.control_words()
    assert bool(before[0] & FLUSHES) == flushed_before
    operation()
    assert OPS.control_words() == before
    assert len(before) == N_THREADS


def test_neighbor_search_leaves_the_control_word() -> None:
    before = OPS.control_words()
    positions = torch.rand(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 8
    cells = OPS.cells(positions, 3.0)
    ends = OPS.count_neighbors(positions, *cells, 40, 3.0)
    n_edges = int(ends[40])
    OPS.neighbors(positions, *cells, ends, 0, 40, n_edges, 0, 3.0, torch.float32)
    assert OPS.control_words() == before


def is_flushed_everywhere() -> bool:
    return not (DENORMALS * 1.0).view(torch.int32).any()  # bits, which nothing flushes


def test_scope_for_what_torch_computes() -> None:
    """On all of its threads, back to before also when an error is raised; torch's own switch is the caller's alone."""
    before = OPS.control_words()
    assert not is_flushed_everywhere()
    torch.set_flush_denormal(True)
    assert not is_flushed_everywhere()
    torch.set_flush_denormal(False)
    with denormals_flushed():
        assert is_flushed_everywhere()
        with denormals_flushed():
            pass
        assert is_flushed_everywhere()
    assert OPS.control_words() == before
    with pytest.raises(ZeroDivisionError), denormals_flushed():
        _ = 1 / 0
    assert OPS.control_words() == before


def test_threads_that_start_in_a_scope_do_not_inherit_it() -> None:
    """A thread has the control word of the one that starts it."""
    torch.set_num_threads(1)
    torch.zeros(1_000_000) * 2.0  # lets the others go
    torch.set_num_threads(N_THREADS)
    with denormals_flushed():
        assert is_flushed_everywhere()
    assert not any(word & FLUSHES for word in OPS.control_words())


@pytest.mark.parametrize("features", ["stored", "recomputed"])
def test_training_is_flushed(features: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products, backward pass, update and validation; afterward nothing is."""
    seen: dict[str, list[list[int]]] = {"loss": [], "backward": [], "update": []}

    def losses_of(errors: Errors, members: Members, loss: LossSettings) -> Tensor:
        seen["loss"].append(OPS.control_words())
        return original(errors, members, loss)

    original = training_update.losses_of
    for module in (training_update, training_epoch):
        monkeypatch.setattr(module, "losses_of", losses_of)
    frames = two_element_frames()
    description = NetworkDescription(("Al", "Ni"), hidden=(8,))
    data = build_training_data(frames, description, dtype=torch.float32, features=features)
    split = Split(train=np.array([0]), validation=np.array([1]))
    member = Member(description, TrainingSettings(), split, 0, torch.device("cpu"))
    first, step = next(iter(member.network.parameters())), training_epoch.step_members
    first.register_post_accumulate_grad_hook(lambda _: seen["backward"].append(OPS.control_words()))

    def step_members(members: Sequence[Member]) -> None:
        seen["update"].append(OPS.control_words())
        step(members)

    monkeypatch.setattr(training_epoch, "step_members", step_members)
    before = OPS.control_words()
    training_epoch.train_epoch([member], data, LossSettings())
    assert OPS.control_words() == before
    assert {name: len(words) for name, words in seen.items()} == {"loss": 2, "backward": 1, "update": 1}
    assert all(word & FLUSHES == FLUSHES for words in seen.values() for each in words for word in each)
