"""JSON files: their bytes, which hashes and comparisons hang on, and what they refuse."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from nnpal.runtime.json_files import canonical, digest, read_json, write_json

VALUE = {"b": [1, 2.5, None], "a": {"ü": True}}


def test_bytes_of_files_that_are_compared(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", VALUE)
    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n "a": {\n  "\\u00fc": true\n },\n "b": [\n  1,\n  2.5,\n  null\n ]\n}\n'
    )


def test_bytes_of_files_for_readers(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", VALUE, sort_keys=False)
    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n "b": [\n  1,\n  2.5,\n  null\n ],\n "a": {\n  "\\u00fc": true\n }\n}\n'
    )
    assert read_json(tmp_path / "a.json") == VALUE


def test_text_of_hashes() -> None:
    assert canonical(VALUE) == '{"a":{"\\u00fc":true},"b":[1,2.5,null]}'
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # sha256sum of {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("sort_keys", [True, False])
def test_what_is_no_json_is_named_and_the_file_is_as_it_was(tmp_path: Path, value: float, sort_keys: bool) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=rf"a\.json: scores\.m\[1\] = {value!r} of type float; expected .* null"):
        write_json(path, {"scores": {"m": [0.0, value]}}, sort_keys=sort_keys)
    assert path.read_text() == "{}"
    assert os.listdir(tmp_path) == ["a.json"]


def test_no_file_is_no_value(tmp_path: Path) -> None:
    assert read_json(tmp_path / "a.json") is None
