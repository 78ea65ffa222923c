"""Look up and import objects given as ``MODULE:NAME``, with common error messages."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from nnpal.runtime.spelling import did_you_mean


def import_object(
    path: str,
    what: str,
    *,
    example: str,
    form: str = "MODULE:CLASS",
    place: object = "the working directory",
    accepts: Callable[[Any], bool] = callable,
    suggests: Callable[[Any], bool] = callable,
    error: Callable[[str], Exception] = ValueError,
) -> Any:
    """Import MODULE of ``MODULE:NAME`` and return NAME.

    Arguments:
        path: ``MODULE:NAME``, with the module as in a Python import.
        what: start of each message, such as ``calculator PATH``.
        example, form: what is expected, for the error message.
        place: folder in which the user can put a missing module, for the error message.
        accepts: returns whether a value is of the required kind.
        suggests: returns whether a value of the module may be suggested.
        error: creates the exception from a message.

    Raises:
        what ``error`` makes: ``path`` has another form, or there is no such module or name. Its cause is an
            ImportError if the module exists but fails to import another.
        Exception: any other exception raised while the module is imported.
    """
    module_name, name = split_path(path)
    if not name:
        raise error(f"{what}: expected {form}, such as {example}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as failure:
        text = f"{what}: module {module_name} cannot be imported: {failure}"
        if _is_missing(module_name, failure):
            file = f"{module_name.partition('.')[0]}.py"
            raise error(f"{text}; put {file} in {place}, install it, or add its folder to PYTHONPATH") from None
        raise error(text) from failure
    found = getattr(module, name, None)
    if found is None or not accepts(found):
        raise error(f"{what}: there is no {name} in {module_name}{did_you_mean(name, _names(module, suggests))}")
    return found


def split_path(path: str) -> tuple[str, str]:
    """Return MODULE and NAME of ``MODULE:NAME``; NAME is empty if the text has another form."""
    module_name, _, name = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), name)):
        return module_name, ""
    return module_name, name


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Add ``folder`` at the end of the module search path."""
    entry = str(folder)
    if entry in sys.path:
        yield
        return
    sys.path.append(entry)
    try:
        yield
    finally:
        sys.path.remove(entry)


def spec_in(module_name: str, folder: Path) -> ModuleSpec | None:
    """Return the spec of a module, also looked up in ``folder``; None if it is not found."""
    importlib.invalidate_caches()
    with on_path(folder):
        try:
            return importlib.util.find_spec(module_name)
        except (ImportError, ValueError):
            return None  # importing it gives a better error message


def _is_missing(module_name: str, error: ImportError) -> bool:
    """Return whether the module itself or its parent package is missing, rather than something that it imports."""
    missing = error.name or ""
    is_it = module_name == missing or module_name.startswith(f"{missing}.")
    return isinstance(error, ModuleNotFoundError) and is_it


def _names(module: ModuleType, suggests: Callable[[Any], bool]) -> list[str]:
    return [name for name, value in vars(module).items() if suggests(value) and not name.startswith("_")]
