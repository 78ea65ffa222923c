"""Find a hook class by its name in an input script, and create it with the script's options."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from nnpal.hooks.context import Context
from nnpal.hooks.error import HookError
from nnpal.hooks.options import parse_options
from nnpal.runtime.import_path import import_object

METHODS = ("setup", "pre_reverse", "post_force", "end_of_step", "post_run", "close")


def create(spec: str, words: Sequence[str], context: Context) -> Any:
    """Return a hook made by `CLASS(context, **options)`, or by `CLASS()` if it has no `__init__`.

    Arguments:
        spec: `MODULE:CLASS`, with an importable module.
        words: words of the script after `spec`.
        context: context that is passed to the class.

    Raises:
        HookError: the module or class does not exist, or the class does not accept the options.
    """
    hook_class = find_class(spec)
    if not inspect.signature(hook_class).parameters:  # a class without a constructor
        if words:
            raise HookError(f"{hook_class.__name__} takes no options, found {' '.join(words)}")
        return hook_class()
    return hook_class(context, **parse_options(hook_class, words))


def find_class(spec: str) -> type:
    """Import MODULE of `MODULE:CLASS` and return CLASS.

    Raises:
        HookError: `spec` has another form, or the module or class does not exist.
    """
    try:
        found: type = import_object(
            spec,
            f"hook {spec}",
            example="nnpal.momt:MOMT",
            place="the folder that LAMMPS runs in",
            accepts=inspect.isclass,
            suggests=inspect.isclass,
            error=HookError,
        )
    except HookError as error:
        if isinstance(error.__cause__, ImportError):
            raise error.__cause__ from None  # the module exists: the traceback shows what it fails to import
        raise
    _check_methods(found)
    return found


def _check_methods(hook_class: type) -> None:
    """Reject a class that LAMMPS would never call; most often the name of a method is misspelled."""
    if not any(hasattr(hook_class, name) for name in METHODS):
        raise HookError(f"class {hook_class.__name__} has none of the methods of a hook: {', '.join(METHODS)}")
    if hasattr(hook_class, "state_dict") != hasattr(hook_class, "load_state_dict"):
        raise HookError(f"class {hook_class.__name__} must have both state_dict and load_state_dict, or neither")
