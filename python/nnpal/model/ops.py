"""Load ``torch.ops.nnpal``: AEVs and whole ensembles as fused operations, compiled with the LAMMPS plugin."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from nnpal.lammps.plugin_folder import plugin_dir

LIBRARY = "libnnpal_ops.so"


class OpsError(RuntimeError):
    """The compiled operations are missing or cannot be loaded; the message says how to fix it."""


@functools.cache
def load_ops() -> None:
    """Load the operations, once per process.

    Raises:
        OpsError: the library is missing or does not fit this torch.
        ValueError: NNPAL_INSTRUCTION_SET names no instruction set of this processor.
    """
    path = Path(plugin_dir()) / LIBRARY
    cure = "run: pip install --no-build-isolation --force-reinstall --no-deps nnpal (see nnpal doctor)"
    if not path.exists():
        raise OpsError(f"nnpal's compiled operations are not installed: {path} does not exist; {cure}")
    try:
        torch.ops.load_library(str(path))
    except OSError as error:
        reason = error.__cause__ or error
        raise OpsError(f"{path} cannot be loaded into torch {torch.__version__} ({reason}); {cure}") from error
    torch.ops.nnpal.instruction_set()  # a wrong NNPAL_INSTRUCTION_SET is found here


def has_ops() -> bool:
    """Return whether :func:`load_ops` succeeds, where slower torch code is an alternative."""
    try:
        load_ops()
    except OpsError:
        return False
    return True
