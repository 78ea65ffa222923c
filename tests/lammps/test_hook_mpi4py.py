"""A hook that needs MPI where mpi4py cannot load LAMMPS's MPI library."""

from __future__ import annotations

import os
from pathlib import Path

from hook_scripts import ENV, al_start
from lmp_runner import Lmp, run_lmp


def test_mpi4py_that_cannot_load(lmp: Lmp, tmp_path: Path) -> None:
    """As beside Debian's MPICH, whose library is called libmpich.so.12."""
    reason = "libmpi.so.12: cannot open shared object file: No such file or directory"
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").touch()
    (tmp_path / "mpi4py" / "MPI.py").write_text(f"raise ImportError({reason!r})\n")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), ENV["PYTHONPATH"]])}
    hook = "fix t all python/hook lammps_hooks:Tether k 0.5 z0 3.0\nrun 1\n"
    run = run_lmp(al_start() + hook, lmp.folder, n_ranks=1, env=env)
    assert run.returncode == 1, run.text
    assert "ERROR: fix t (python/hook lammps_hooks:Tether)" in run.text
    assert f"mpi4py cannot be imported next to the MPI of this LAMMPS ({reason})" in run.text
    assert "link LAMMPS's MPI library by the name that mpi4py loads (docs/install.md)" in run.text
