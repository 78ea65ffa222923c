"""Convert words of an input script to a hook's keyword arguments, by the annotations of its `__init__`.

    def __init__(self, context, k: float, atoms: tuple[int, int], file: str | None = None)

takes `atoms 1 4 k 20` or `k 20 atoms 1 4 file pull.txt`. Words for each annotation:

    int, float, str, bool       one word (bool: yes/no, on/off, true/false)
    tuple[float, float, int]    exactly three
    tuple[int, ...], list[int]  at least one, up to the next option's name
    X | None                    like X
    none                        like list[...] of int, float or str, depending on the word; a single word is no list

`**options` takes any other name, with one word each.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from nnpal.hooks.error import HookError
from nnpal.runtime.spelling import did_you_mean

_BOOLS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_WORDS = {int: "an integer", float: "a number", bool: "yes or no", str: "a word"}


def parse_options(hook_class: type, words: Sequence[str]) -> dict[str, Any]:
    """Return the keyword arguments of `hook_class` for `words`.

    Raises:
        HookError: an option is unknown, missing or repeated, or has a wrong number of values or a value of a wrong
            type.
    """
    parameters, takes_any = _parameters(hook_class)
    options: dict[str, Any] = {}
    at = 0
    while at < len(words):
        name = words[at]
        if name not in parameters and not takes_any:
            raise HookError(f"unknown option {name}{did_you_mean(name, list(parameters))}")
        if name in options:
            raise HookError(f"option {name} is given twice")
        kind = parameters[name].annotation if name in parameters else _OneWord
        values = _values_of(name, kind, words[at + 1 :], parameters)
        options[name] = _converted(name, kind, values)
        at += 1 + len(values)
    missing = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty and n not in options]
    if missing:
        raise HookError(f"missing option {', '.join(missing)} of {hook_class.__name__}")
    return options


class _OneWord:
    """Kind of an option that `**options` takes."""


def _parameters(hook_class: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return the named options of a class, with annotations resolved, and whether it accepts others."""
    # type stubs do not allow __init__ of a class to have annotations
    constructor: Callable[..., Any] = hook_class.__init__  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(constructor)
    except NameError:  # an annotation imported for type checkers only
        hints = {}
    named, takes_any = {}, False
    for parameter in list(inspect.signature(constructor).parameters.values())[2:]:  # after self and context
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            annotation = hints.get(parameter.name, inspect.Parameter.empty)
            named[parameter.name] = parameter.replace(annotation=_without_none(annotation))
    return named, takes_any


def _without_none(annotation: Any) -> Any:
    """Return X of `X | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else inspect.Parameter.empty
    return annotation


def _item_kinds(kind: Any) -> tuple[list[Any], int | None]:
    """Return the kind of each value and the number of values; None: one or more of the first kind."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return list(arguments), len(arguments)
    if origin in (tuple, list):
        return [arguments[0]], None
    if kind in (tuple, list, inspect.Parameter.empty):
        return [inspect.Parameter.empty], None
    return [kind], 1


def _values_of(name: str, kind: Any, rest: Sequence[str], known: dict[str, inspect.Parameter]) -> Sequence[str]:
    kinds, count = _item_kinds(kind)
    end = next((i for i, word in enumerate(rest) if word in known), len(rest))
    if count is None:
        if end == 0:
            raise HookError(f"option {name} has no value")
        return rest[:end]
    # A fixed number of values is read without further checks, as a value may equal the name of an option (file H)
    if len(rest) < count or (count > 1 and end < count):
        wanted = " ".join(_WORDS.get(item, "a word").split(" ", 1)[1] for item in kinds)
        given = " ".join(rest[: min(end, count)]) or "nothing"
        raise HookError(f"option {name} takes {count} value{'s' if count > 1 else ''} ({wanted}), not {given}")
    return rest[:count]


def _converted(name: str, kind: Any, values: Sequence[str]) -> Any:
    kinds, count = _item_kinds(kind)
    if count is None:
        kinds = kinds * len(values)
    items = [_value(name, item, word) for item, word in zip(kinds, values, strict=True)]
    if typing.get_origin(kind) is tuple or kind is tuple:
        return tuple(items)
    if count == 1 or (kind is inspect.Parameter.empty and len(items) == 1):
        return items[0]
    return items


def _value(name: str, kind: Any, word: str) -> Any:
    if kind is bool:
        if word.lower() not in _BOOLS:
            raise HookError(f"option {name}: expected yes or no, found {word}")
        return _BOOLS[word.lower()]
    if kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            raise HookError(f"option {name}: expected {_WORDS[kind]}, found {word}") from None
    if kind is str:
        return word
    return _as_it_looks(word)


def _as_it_looks(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
