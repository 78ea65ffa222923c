"""libtorch evaluates a model in a thread that holds Python's lock, as that of a LAMMPS with package PYTHON does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lmp_systems import fcc
from processes import run

# ctypes.PyDLL keeps the lock during the call, CDLL (as the lammps module calls) does not
PROGRAM = """
import ctypes, sys
from mpi4py import MPI
import torch
from lammps import lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
holding = ctypes.PyDLL(lmp.lib._name)
holding.lammps_commands_string.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
holding.lammps_commands_string(lmp.lmp, sys.argv[1].encode())
text = ctypes.create_string_buffer(10000)
if lmp.lib.lammps_has_error(lmp.lmp):
    lmp.lib.lammps_get_last_error_message(lmp.lmp, text, 10000)
    sys.exit(text.value.decode())
print("energy", lmp.get_thermo("pe"))
"""


def test_libtorch_runs_under_pythons_lock(tmp_path: Path, al_torchani_model: Path) -> None:
    fcc("Al", 4.05, 2).write(tmp_path / "data")
    script = f"units metal\nread_data data\npair_style nnp {al_torchani_model}\npair_coeff * * Al\nrun 0\n"
    done = run([sys.executable, "-c", PROGRAM, script], cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("energy")
