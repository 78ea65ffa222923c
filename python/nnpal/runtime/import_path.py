"""What a user names as ``MODULE:NAME``: looked up and imported, with one set of error messages."""

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
        path: ``MODULE:NAME``, the module as Python imports it.
        what: begins each message, such as ``calculator PATH``.
        example, form: what is expected, for the error message.
        place: where the user can put a module that is not found.
        accepts: whether a value can be what is named.
        suggests: whether a value of the module may have been meant.
        error: makes the exception of a message.

    Raises:
        what ``error`` makes: ``path`` has another form, or there is no such module or name. The cause is an ImportError
            where the module is there, and something that it imports is not.
        Exception: whatever else the module raises when it is imported.
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
    """Return MODULE and NAME of ``MODULE:NAME``, the latter empty where the text has another form."""
    module_name, _, name = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), name)):
        return module_name, ""
    return module_name, name


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Let modules be found in ``folder`` too, after those that are found anyway."""
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
    """Return where Python finds a module, ``folder`` among its places; None where it finds none."""
    importlib.invalidate_caches()
    with on_path(folder):
        try:
            return importlib.util.find_spec(module_name)
        except (ImportError, ValueError):
            return None  # to import it gives the error that says more


def _is_missing(module_name: str, error: ImportError) -> bool:
    """Whether the module itself, or a package around it, is not there, rather than something that it imports."""
    missing = error.name or ""
    is_it = module_name == missing or module_name.startswith(f"{missing}.")
    return isinstance(error, ModuleNotFoundError) and is_it


def _names(module: ModuleType, suggests: Callable[[Any], bool]) -> list[str]:
    return [name for name, value in vars(module).items() if suggests(value) and not name.startswith("_")]
