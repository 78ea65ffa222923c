"""The code that a module depends on: imported modules, their templates, and compiled libraries of its package.

Sources are read, and nothing is imported. All imports within the module's own top-level package are followed, anywhere
in the source, and names of modules in strings, as in ``python -m nnpal.active_learning.engine.task`` or
``fix ... python/hook nnpal.smd:SMD``. A name that a package re-exports counts as an import of the module that defines
it, so other modules that the package imports are not included.

Modules that draw, which import one of :data:`DRAWING` themselves, can be left out, together with what only they import.
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
"""Folder of a package with files that its modules fill in; pages depend on them as on the modules."""
DRAWING = frozenset({"matplotlib", "jinja2"})
"""Packages that make figures and pages."""


def imported_files(names: Sequence[str], *, drawing: bool = True) -> dict[str, Path]:
    """Return the files of these modules and all their imports, by module name, with templates and libraries.

    Arguments:
        names: import names of modules or packages; all modules of a package count as imported.
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
    """Return whether a module imports one of :data:`DRAWING`."""
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
        spec = find_spec(self.name)  # executes nothing for a top-level name
        if spec is None:
            raise ModuleNotFoundError(f"no module {self.name}, whose sources belong to a stage's key", name=self.name)
        return spec

    @cached_property
    def _modules(self) -> dict[str, Path]:
        """File of each module by name; the first one if several folders have the name, as in Python's import."""
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
        """Compiled files of the package by relative path, since they are loaded by path, not by import."""
        return {
            f"{self.name}/{path.relative_to(folder).as_posix()}": path
            for folder in self._folders
            for path in folder.rglob("*.so")
        }

    def templates(self, modules: Collection[str]) -> dict[str, Path]:
        """Return the template files of the packages that contain these modules."""
        return {
            f"{self.name}/{path.relative_to(folder).as_posix()}": path
            for folder in self._folders
            for package in {name.rpartition(".")[0] for name in modules if name.startswith(f"{self.name}.")}
            for path in folder.joinpath(*package.split(".")[1:], TEMPLATES).glob("[!.]*")
            if path.is_file()
        }

    def file_of(self, name: str) -> Path | None:
        """Return a module's file; None if there is no such module."""
        return self._modules.get(name)

    def within(self, name: str) -> list[str]:
        """Return the name of a module, or the names of a package and of all modules in it.

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
        """Yield the modules of this root that a module needs."""
        for module, taken, _ in self._imports_in(name, for_types=False):
            yield from self._defining(module, taken)

    def _defining(self, module: str, taken: str | None) -> Iterator[str]:
        """Yield the module that defines a name, following re-exports by packages."""
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
