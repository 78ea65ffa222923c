"""What code a module runs on: the modules that it imports, their templates, and the compiled libraries of its package.

Read from the sources, so nothing is imported for it. Followed are imports within the module's own top-level package,
wherever in the source they stand, and names of modules in its texts, as in
``python -m nnpal.active_learning.engine.task`` or ``fix ... python/hook nnpal.smd:SMD``. A name that a package only
passes on counts as one of the module that defines it, so the other modules which that package imports do not come
along.

Modules that draw can be left out: those that import one of :data:`DRAWING` themselves. What only they import does not
come along either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from nnpal.active_learning.engine.sources import Import, source_of

TEMPLATES = "templates"
"""Folder of a package whose files its modules fill in: they decide what a page looks like as the modules do."""
DRAWING = frozenset({"matplotlib", "jinja2"})
"""What figures and pages are made with."""


def imported_files(names: Sequence[str], *, drawing: bool = True) -> dict[str, Path]:
    """Return the files of these modules and of all that they import, by module name, of templates and libraries.

    Arguments:
        names: modules or packages by import name; of a package, all modules within it count as imported.
        drawing: False leaves out modules that draw, unless they are among ``names``.

    Raises:
        ModuleNotFoundError: no such module.
    """
    roots = {name.partition(".")[0]: Root(name.partition(".")[0]) for name in names}
    found: dict[str, Path] = {}
    given = [module for name in names for module in roots[name.partition(".")[0]].within(name)]
    todo = list(given)
    while todo:
        name = todo.pop()
        root = roots[name.partition(".")[0]]
        path = root.file_of(name)
        if name in found or path is None or not (drawing or name in given or not draws(path)):
            continue
        found[name] = path
        if path.suffix == ".py":
            todo += root.imports(name)
    for root in roots.values():
        found |= root.libraries | root.templates(found)
    return dict(sorted(found.items()))


def draws(path: Path) -> bool:
    """Return whether a module imports what figures and pages are made with."""
    return path.suffix == ".py" and not DRAWING.isdisjoint(source_of(path).tops)


@dataclass(frozen=True)
class Root:
    """A top-level package or module."""

    name: str

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(map(Path, self._spec.submodule_search_locations or ())))

    @cached_property
    def _spec(self) -> ModuleSpec:
        spec = find_spec(self.name)  # of a top-level name: nothing is executed
        if spec is None:
            raise ModuleNotFoundError(f"no module {self.name}, whose sources belong to a stage's key", name=self.name)
        return spec

    @cached_property
    def _modules(self) -> dict[str, Path]:
        """File of each module by its name; where folders share a name, the first one's, as Python imports it."""
        found = {self.name: Path(self._spec.origin)} if self._spec.origin is not None else {}
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                suffix = next((end for end in (".py", *EXTENSION_SUFFIXES) if path.name.endswith(end)), None)
                if suffix is not None:
                    parts = [*path.parent.relative_to(folder).parts, path.name.removesuffix(suffix)]
                    name = ".".join([self.name, *(parts[:-1] if parts[-1] == "__init__" else parts)])
                    found.setdefault(name, path)
        return found

    @cached_property
    def libraries(self) -> dict[str, Path]:
        """Compiled files of the package by relative path: whoever loads one does it by path, not by import."""
        return {
            f"{self.name}/{path.relative_to(folder).as_posix()}": path
            for folder in self._folders
            for path in folder.rglob("*.so")
        }

    def templates(self, modules: Collection[str]) -> dict[str, Path]:
        """Return the files in the folder of templates of each package that one of these modules is in."""
        return {
            f"{self.name}/{path.relative_to(folder).as_posix()}": path
            for folder in self._folders
            for package in {name.rpartition(".")[0] for name in modules if name.startswith(f"{self.name}.")}
            for path in folder.joinpath(*package.split(".")[1:], TEMPLATES).glob("[!.]*")
            if path.is_file()
        }

    def file_of(self, name: str) -> Path | None:
        """Return a module's file; None where there is no such module."""
        return self._modules.get(name)

    def within(self, name: str) -> list[str]:
        """Return a module's name, or those of a package and of all modules within it.

        Raises:
            ModuleNotFoundError: no such module.
        """
        path = self.file_of(name)
        if path is None:
            raise ModuleNotFoundError(f"no module {name}, whose sources belong to a stage's key", name=name)
        if path.name != "__init__.py":
            return [name]
        return [module for module in self._modules if module == name or module.startswith(f"{name}.")]

    def imports(self, name: str) -> Iterator[str]:
        """Return the modules of this root that a module needs."""
        for module, taken, _ in self._imports_in(name, for_types=False):
            yield from self._defining(module, taken)

    def _defining(self, module: str, taken: str | None) -> Iterator[str]:
        """Return the module in which a name is defined, through packages that pass it on."""
        if taken is None or taken == "*":
            yield module
            return
        if self.file_of(f"{module}.{taken}") is not None:
            yield f"{module}.{taken}"
            return
        path = self.file_of(module)
        passed_on = self._imports_in(module, for_types=True) if path is not None and path.name == "__init__.py" else ()
        sources = [(source, original) for source, original, called in passed_on if called == taken]
        if not sources:
            yield module
        for source, original in sources:
            yield from self._defining(source, original)

    def _imports_in(self, name: str, *, for_types: bool) -> Sequence[Import]:
        path = self.file_of(name)
        if path is None or path.suffix != ".py":
            return ()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        return source_of(path).imports(package, self.name, for_types=for_types)
