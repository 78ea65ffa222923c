"""Python classes inside LAMMPS's MD loop: `fix ID group python/hook MODULE:CLASS key value ...`."""

from nnpal.hooks.context import Context
from nnpal.hooks.error import HookError

__all__ = ["Context", "HookError"]
