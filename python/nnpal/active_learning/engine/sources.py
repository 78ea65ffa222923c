"""The imports of one source file, read in one pass and without importing anything.

A run reads hundreds of sources at its start, each for several stages, so each source is parsed only once.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

Import = tuple[str, str | None, str]
"""A module, the name imported from it (None: the module itself), and its local name."""

_LEAVES = frozenset({ast.Name, ast.Load, ast.Store})
"""Nodes without imports or strings, the most frequent ones."""


class Source:
    """The imports of a source file, and its strings, which may name modules.

    Arguments:
        path: the file.

    Attributes:
        tops: top-level names of the imported modules, without relative imports.
    """

    def __init__(self, path: Path) -> None:
        self._found: list[tuple[ast.Import | ast.ImportFrom | str, bool]] = []
        """Imports and strings, and whether they are under ``if TYPE_CHECKING``, which is never executed."""
        _collect(ast.parse(path.read_bytes(), str(path)), False, self._found)
        self.tops: frozenset[str] = frozenset(name.partition(".")[0] for name in self._modules())
        self._imports: dict[tuple[str, str, bool], tuple[Import, ...]] = {}

    def imports(self, package: str, root: str, *, for_types: bool) -> Sequence[Import]:
        """Return the imports from a top-level package.

        Arguments:
            package: package of the file, for relative imports.
            root: name of the top-level package.
            for_types: whether to include ``if TYPE_CHECKING``, where packages list names that they load lazily.
        """
        key = package, root, for_types
        if key not in self._imports:
            nodes = [node for node, typing in self._found if for_types or not typing]
            self._imports[key] = tuple(_imports(nodes, package, root))
        return self._imports[key]

    def _modules(self) -> Iterator[str]:
        for node, _ in self._found:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module or ""


def source_of(path: Path) -> Source:
    """Return the source of a file, read again only if the file has changed."""
    return _source(path, path.stat().st_mtime_ns)


@cache
def _source(path: Path, modified: int) -> Source:
    return Source(path)


def _collect(node: ast.AST, typing: bool, found: list[tuple[ast.Import | ast.ImportFrom | str, bool]]) -> None:
    """Add the imports and strings within a node, except for docstrings."""
    for name in node._fields:
        value = getattr(node, name)
        for child in value if type(value) is list else (value,):
            if not isinstance(child, ast.AST):
                continue
            kind = type(child)
            if kind in _LEAVES:
                continue
            if isinstance(child, ast.Import | ast.ImportFrom):
                found.append((child, typing))
            elif isinstance(child, ast.Constant):
                if isinstance(child.value, str) and not isinstance(node, ast.Expr):
                    found.append((child.value, typing))
            elif isinstance(child, ast.If) and _is_for_types(child.test):
                _collect(ast.Module(child.body, []), True, found)
                _collect(ast.Module(child.orelse, []), typing, found)
            else:
                _collect(child, typing, found)


def _is_for_types(test: ast.expr) -> bool:
    """Return whether a condition is ``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING" and isinstance(test.value, ast.Name) and test.value.id == "typing"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imports(found: Sequence[ast.Import | ast.ImportFrom | str], package: str, root: str) -> Iterator[Import]:
    dotted = re.compile(rf"\b{re.escape(root)}(?:\.[A-Za-z_]\w*)+")
    for node in found:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == root:
                    yield alias.name, None, alias.asname or alias.name
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            if module.partition(".")[0] == root:
                for alias in node.names:
                    yield module, alias.name, alias.asname or alias.name
        else:
            for name in dotted.findall(node):
                module, _, last = name.rpartition(".")
                yield module, last, last


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module in a `from ... import`."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])
