"""pair_style nnp in a Python that has set torch up for itself."""

from __future__ import annotations

import os
import sys

import pytest
import torch

from lmp_runner import Lmp
from lmp_single_point import header
from lmp_systems import fcc
from processes import run
from torchani_reference import ExportedModel

PROGRAM = """
import sys
import torch
from mpi4py import MPI
from lammps import lammps

def show():
    return torch.backends.cuda.matmul.fp32_precision

torch.backends.cuda.matmul.fp32_precision = "tf32"
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string(sys.stdin.read())
print(show(), lmp.get_thermo("pe"))
"""


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="a torch without that setting")
@pytest.mark.parametrize("options", ["device cpu", "device cpu neighbors cells", "device cpu precision tf32"])
def test_tf32_by_its_new_name(lmp: Lmp, al_model: ExportedModel, options: str) -> None:
    """On a CPU it means nothing; what the process set stays set."""
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options=options) + "thermo_style custom step pe\nrun 0 post no\n"
    expected = lmp(script + "thermo_modify line yaml\nrun 0 post no\n").last("PotEng")
    done = run([sys.executable, "-c", PROGRAM], input=script, cwd=lmp.folder)
    assert done.returncode == 0, done.stderr
    setting, energy = done.stdout.split()[-2:]
    assert setting == "tf32"
    assert float(energy) == pytest.approx(expected, rel=1e-6)


THREADS = """
import sys, threading
from ctypes import CDLL
{imports}
torch.set_num_threads(3)
{first_use}
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string(sys.stdin.read())
of_lammps = CDLL(None).omp_get_max_threads()
thread = threading.Thread(target=lambda: print(of_lammps, torch.get_num_threads()))
thread.start()
thread.join()
"""
IMPORTS = ["import torch", "from mpi4py import MPI\nfrom lammps import lammps"]


@pytest.mark.parametrize(
    ("imports", "first_use", "n_threads"),
    [(IMPORTS, "torch.get_num_threads()", 1), (IMPORTS[::-1], "", 2)],
    ids=["torch first", "lammps first, torch not yet used"],
)
def test_numbers_of_threads(
    lmp: Lmp, al_model: ExportedModel, imports: list[str], first_use: str, n_threads: int
) -> None:
    """A user's own lammps() takes 1 for its OpenMP regions, and must keep it; torch must remember the user's 3."""
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options=f"device cpu threads {n_threads}") + "run 1 post no\n"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    program = THREADS.format(imports="\n".join(imports), first_use=first_use)
    done = run([sys.executable, "-c", program], input=script, cwd=lmp.folder, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["1", "3"]
