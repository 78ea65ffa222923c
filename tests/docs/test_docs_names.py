"""Texts name modules, functions and files of the package as it is."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

import pytest

from doc_blocks import PAGES, ROOT

# `nnpal.momt.hook`, `nnpal.smd:SMD`
DOTTED = re.compile(r"(?<![\w./-])nnpal((?:\.[A-Za-z_]\w*)+)(?::(\w+))?")
FILES = {"nnpal.json"}
FILE = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.\w+)?)`")
FOLDERS = (
    ROOT,
    ROOT / "src",
    ROOT / "src" / "pair_nnp",
    ROOT / "src" / "core",
    ROOT / "src" / "ops",
    ROOT / "python" / "nnpal",
)
SOURCES = ("python", "src", "lammps_inputs", "benchmarks", "build_backend", "cmake")
TEXTS = [
    *PAGES,
    *(
        path
        for folder in SOURCES
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix not in (".pyc", ".so")
    ),
]


@cache
def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or what a module holds."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            # a field of a class without a default is an annotation alone
            if part in getattr(found, "__annotations__", {}):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def unknown_names(text: str) -> list[str]:
    return [
        match[0]
        for match in DOTTED.finditer(text)
        if match[0] not in FILES and not is_there(match[0].replace(":", "."))
    ]


@pytest.mark.parametrize("known", ["nnpal.momt:MOMT", "nnpal.hooks.Context", "nnpal.json", "nnpal.smd.pull"])
def test_a_name_that_is_gone_is_found(known: str) -> None:
    assert unknown_names(f"see {known}, nnpal.driver.run and nnpal.momt:MOMTS") == [
        "nnpal.driver.run",
        "nnpal.momt:MOMTS",
    ]


def test_texts_name_what_is_there() -> None:
    unknown = {str(path.relative_to(ROOT)): unknown_names(path.read_text()) for path in TEXTS}
    assert {path: names for path, names in unknown.items() if names} == {}


def test_contributing_names_files_that_are_there() -> None:
    named = FILE.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not any((folder / name).exists() for folder in FOLDERS)] == []
