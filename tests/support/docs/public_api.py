"""The public Python API, from ``__all__`` of nnpal and its packages, with its docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from typing import Any

PACKAGES = (
    "nnpal",
    "nnpal.data",
    "nnpal.label",
    "nnpal.oracle",
    "nnpal.training",
    "nnpal.evaluation",
    "nnpal.calibration",
    "nnpal.model",
    "nnpal.smd",
    "nnpal.momt",
    "nnpal.momt.reweighting",
    "nnpal.observables",
    "nnpal.hooks",
)
SECTIONS = ("Arguments", "Attributes", "Returns", "Yields", "Raises", "Warns", "Example")


@dataclass(frozen=True)
class Item:
    """A public class, function, method or property.

    Attributes:
        name: dotted name, from the package that exports it.
        found: the object; for a property, its function.
        kind: class, function, method or property.
    """

    name: str
    found: Any
    kind: str

    @property
    def doc(self) -> str:
        return inspect.cleandoc(self.found.__doc__ or "")

    @property
    def sections(self) -> dict[str, str]:
        """Text of each section of the docstring, in Google's style."""
        parts = re.split(rf"^({'|'.join(SECTIONS)}):$", self.doc, flags=re.M)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    @property
    def parameters(self) -> list[str]:
        return [name for name in inspect.signature(self.found).parameters if name not in ("self", "cls")]

    def described(self, section: str) -> set[str]:
        """Return the names that a section describes."""
        lines = re.findall(r"^ {4}([\w*, ]+):", self.sections.get(section, ""), re.M)
        return {name.strip(" *") for line in lines for name in line.split(",")}


def items() -> list[Item]:
    """Return all public objects, each once, under its shortest name."""
    found: dict[int, Item] = {}
    for package in PACKAGES:
        module = import_module(package)
        for name in module.__all__:
            one = getattr(module, name)
            if callable(one) and id(one) not in found:
                kind = "class" if inspect.isclass(one) else "function"
                found[id(one)] = Item(f"{package}.{name}", one, kind)
    classes = [item for item in found.values() if item.kind == "class"]
    return [*found.values(), *(member for item in classes for member in _members(item))]


def _members(item: Item) -> Iterator[Item]:
    for name, value in vars(item.found).items():
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        is_ours = inspect.isfunction(function) and function.__module__.startswith("nnpal")  # not pydantic's
        if is_ours and not name.startswith("_"):
            kind = "property" if isinstance(value, property) else "method"
            yield Item(f"{item.name}.{name}", inspect.unwrap(function), kind)


def undescribed(item: Item) -> list[str]:
    """Return what is not documented: the object itself, parameters, or fields of a dataclass."""
    if not item.doc:
        return ["a docstring"]
    if item.kind == "property":
        return []
    named = item.described("Arguments") | item.described("Attributes")
    if item.kind == "class":
        return [name for name in _wanted(item) if name not in named]
    # the context of hooks is described once, by its class
    return [name for name in item.parameters if name not in named and name != "context"]


def _wanted(item: Item) -> list[str]:
    """Return what a class must document: fields of a dataclass with more than two, or arguments of the constructor."""
    if is_dataclass(item.found):
        names = [one.name for one in fields(item.found) if not one.name.startswith("_")]
        return names if len(names) > 2 or "Attributes" in item.sections else []
    constructor = vars(item.found).get("__init__")
    if not inspect.isfunction(constructor) or getattr(item.found, "_is_protocol", False):
        return []
    own = Item(item.name, constructor, "function")
    return [name for name in own.parameters if name not in {"kwargs", "context"} | own.described("Arguments")]
