"""Run a hook with `lmp` and with `nnpal lmp`; if it fails, find out why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nnpal.doctor.lammps_command import Lmp, lammps_error
from nnpal.doctor.outcome import FIRST_INSTALL, REINSTALL, Check
from nnpal.doctor.packages import installed_version
from nnpal.doctor.probe import Outcome, run_lammps
from nnpal.hooks import Context

HOOK_FILES = ("pyhookplugin.so", "libnnpal_hook.so")
RAN = "nnpal doctor: a hook ran"
WITHOUT_SHARED_PYTHON = "nnpal lmp -in in.file"

SCRIPT = """
region box block 0 1 0 1 0 1
create_box 1 box
create_atoms 1 single 0.5 0.5 0.5
mass 1 1.0
pair_style zero 0.4
pair_coeff * *
fix probe all python/hook nnpal.doctor.hook:Probe
run 0
"""


class Probe:
    """Test hook; it needs NumPy, mpi4py and LAMMPS's arrays."""

    reads = ()

    def setup(self, context: Context) -> None:
        if context.x.shape == (1, 3):
            context.log(f"{RAN} on {context.comm.size} rank")


def ask_lmp_hook(lmp: Lmp | None, environ: Mapping[str, str]) -> Outcome | None:
    """Run the probe with the `lmp` that the other checks found; return None if there is none."""
    return None if lmp is None else run_lammps([str(lmp.path)], SCRIPT, environ)


def ask_nnpal_hook(python: str, environ: Mapping[str, str]) -> Outcome:
    """Run the probe with LAMMPS inside Python, as `nnpal lmp` does."""
    program = "import sys; from nnpal.lammps.in_process import run_in_process; sys.exit(run_in_process(sys.argv[1:]))"
    return run_lammps([python, "-c", program], SCRIPT, environ)


def check_hook_files(folder: Path | None) -> Check:
    """Check that the compiled part of the hooks is installed in the folder of the pair style's plugin."""
    missing = HOOK_FILES if folder is None else [name for name in HOOK_FILES if not (folder / name).is_file()]
    if missing:
        return Check("hook plugin", "fail", f"{', '.join(missing)} not installed", FIRST_INSTALL)
    return Check("hook plugin", "ok", f"{folder}/{HOOK_FILES[0]}")


def check_lmp_hook(outcome: Outcome | None, rebuild: str = REINSTALL) -> Check:
    """Check that `lmp` runs a hook; for a Python without a shared library there is a workaround."""
    name = "lmp: fix python/hook"
    if outcome is None:
        return Check(name, "fail", "no lmp on PATH", "fix the faults above first; they cause this one")
    if RAN in outcome.output:
        return Check(name, "ok", "a Python hook runs")
    error = lammps_error(outcome.output) or outcome.last_line
    if "has no shared library" in error:
        detail = "the Python that nnpal was built with has no shared library, so lmp cannot load it"
        cure = f"use {WITHOUT_SHARED_PYTHON} for scripts with hooks, or build nnpal with a Python that has one"
        return Check(name, "warn", detail, cure)
    # Debian's MPICH has a name of its own
    absent = re.search(r"ImportError: (libmpi\S*): cannot open shared object file", outcome.output)
    if absent:
        detail = f"mpi4py looks for {absent.group(1)}, but the MPI library of this lmp has another name"
        cure = (
            f"link that library as {absent.group(1)} in a folder of LD_LIBRARY_PATH "
            "(docs/install.md, With your own LAMMPS, has the commands)"
        )
        return Check(name, "fail", detail, cure)
    return Check(name, "fail", error, _cure(outcome.output, error, rebuild))


def check_nnpal_hook(outcome: Outcome) -> Check:
    """Check that `nnpal lmp` runs a hook."""
    name = "nnpal lmp: fix python/hook"
    if RAN in outcome.output:
        return Check(name, "ok", "a Python hook runs")
    error = lammps_error(outcome.output) or outcome.last_line
    return Check(name, "fail", error, _cure(outcome.output, error))


def _cure(output: str, error: str, rebuild: str = REINSTALL) -> str:
    if "Unrecognized fix style" in error:
        failed = re.search(r"^Open of file \S*pyhookplugin\S* failed: *(.*)$", output, re.MULTILINE)
        because = f" ({failed.group(1)})" if failed else ""
        return f"nnpal's hook plugin was not loaded{because}: fix the faults above first; then {rebuild}"
    if "mpi4py" in output and installed_version("mpi4py") is None:
        return "pip install mpi4py"
    if "cannot load Python" in error or "Python could not be started" in error or "was built" in error:
        return rebuild
    return f"fix the faults above first; then {rebuild}"
