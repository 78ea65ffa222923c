"""How a hook's options are read from the words of an input script."""

from __future__ import annotations

import re

import pytest

from nnpal.hooks import HookError
from nnpal.hooks.loader import create
from nnpal.hooks.options import parse_options
from nnpal.runtime.spelling import did_you_mean


class Typed:
    def __init__(
        self,
        context: object,
        k: float,
        atoms: tuple[int, int] | None = None,
        H: tuple[float, float, int] | None = None,
        cells: list[float] | None = None,
        names: tuple[str, ...] = (),
        walls: bool = False,
        file: str = "out",
        n: int = 3,
    ) -> None:
        self.k = k

    def setup(self, context: object) -> None: ...


class Untyped:
    def __init__(self, context, one, many=None, **others):  # type: ignore[no-untyped-def]
        pass


def parse(text: str, hook_class: type = Typed) -> dict:
    return parse_options(hook_class, text.split())


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("k 20", {"k": 20.0}),
        ("atoms 1 4 k 2e1 n -7", {"atoms": (1, 4), "k": 20.0, "n": -7}),
        ("k 1 H -165 -125 60 walls yes", {"k": 1.0, "H": (-165.0, -125.0, 60), "walls": True}),
        ("cells 2 2 2.5 k 1", {"cells": [2.0, 2.0, 2.5], "k": 1.0}),
        ("k 1 names a b c walls off", {"k": 1.0, "names": ("a", "b", "c"), "walls": False}),
        ("k 1 file H", {"k": 1.0, "file": "H"}),  # a value that looks like an option
    ],
)
def test_typed(text: str, options: dict) -> None:
    parsed = parse(text)
    assert parsed == options
    assert {name: type(value) for name, value in parsed.items()} == {name: type(v) for name, v in options.items()}


def test_untyped_values_are_what_they_look_like() -> None:
    parsed = parse("one 3 many 1 2.5 x method GFN2-xTB charge 0 shift -1.5", Untyped)
    assert parsed == {"one": 3, "many": [1, 2.5, "x", "method", "GFN2-xTB", "charge", 0, "shift", -1.5]}
    assert parse("many 1 one a method GFN2-xTB charge 0", Untyped) == {
        "many": 1,
        "one": ["a", "method", "GFN2-xTB", "charge", 0],
    }


class Open:
    def __init__(self, context: object, calculator: str, **calculator_options: object) -> None: ...
    def setup(self, context: object) -> None: ...


def test_any_further_option_takes_one_word() -> None:
    assert parse("calculator a:B method GFN2-xTB charge -1 accuracy 0.5", Open) == {
        "calculator": "a:B",
        "method": "GFN2-xTB",
        "charge": -1,
        "accuracy": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing option k of Typed"),
        ("kk 1", "unknown option kk; did you mean k?"),
        ("k 1 h -165 -125 60", "unknown option h; did you mean H?"),
        ("k", "option k takes 1 value (number), not nothing"),
        ("k 1 k 2", "option k is given twice"),
        ("k one", "option k: expected a number, found one"),
        ("k 1 n 2.5", "option n: expected an integer, found 2.5"),
        ("k 1 atoms 1", "option atoms takes 2 values (integer integer), not 1"),
        ("k 1 atoms 1 k", "option atoms takes 2 values (integer integer), not 1"),
        ("k 1 atoms 1 2 3", "unknown option 3"),
        ("k 1 walls perhaps", "option walls: expected yes or no, found perhaps"),
        ("k 1 names", "option names has no value"),
        ("k 1 cells walls yes", "option cells has no value"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(HookError, match="^" + re.escape(message)):
        parse(text)


def test_create_hands_options_over() -> None:
    assert create(f"{__name__}:Typed", ["k", "3"], context=None).k == 3.0  # type: ignore[arg-type]


def test_suggestions() -> None:
    assert did_you_mean("tmep", ["temp", "press"]) == "; did you mean temp? (known: temp, press)"
    assert did_you_mean("zzz", ["temp"]) == " (known: temp)"
    assert did_you_mean("zzz", []) == ""
