"""The user's LAMMPS commands: words in braces, and files by their whole paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnpal.oracle.lammps_commands import files_in, filled, with_paths
from nnpal.oracle.protocol import OracleError


@pytest.mark.parametrize(
    ("command", "elements", "expected"),
    [
        ("pair_coeff * * NiAl.eam {symbols}", ["Ni", "Al"], "pair_coeff * * NiAl.eam Ni Al"),
        ("pair_coeff {Al} {Ni} 1.0", ["Ni", "Al"], "pair_coeff 2 1 1.0"),
        ("pair_coeff * * Al.eam {element}", ["Al"], "pair_coeff * * Al.eam Al"),
        ("pair_coeff * * Al.eam {symbols}", ["Al"], "pair_coeff * * Al.eam Al"),
        ("variable x equal ${y}+1", ["Al"], "variable x equal ${y}+1"),
    ],
)
def test_words_in_braces(command: str, elements: list[str], expected: str) -> None:
    assert filled(command, elements) == expected


@pytest.mark.parametrize(
    ("word", "elements", "message"),
    [
        ("{symbol}", ["Ni", "Al"], r"\{symbol\} is unknown; did you mean symbols\?"),
        ("{element}", ["Ni", "Al"], r"\{element\} is unknown.*known: symbols, Ni, Al"),
        ("{Nb}", ["Al"], r"evaluate\.oracle: .*\{Nb\} is unknown"),
    ],
)
def test_says_which_word_is_unknown(word: str, elements: list[str], message: str) -> None:
    with pytest.raises(OracleError, match=message):
        filled(f"pair_coeff * * {word}", elements, "evaluate.oracle")


def test_files_have_whole_paths_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "a.fs").touch()
    files = files_in(["pair_coeff * * a.fs Al"], tmp_path)
    assert with_paths("pair_coeff * * a.fs Al", files) == f'pair_coeff * * "{(tmp_path / "a.fs").resolve()}" Al'
    assert with_paths("pair_style  hybrid 'x y'", files) == "pair_style  hybrid 'x y'"
    with pytest.raises(OracleError, match=r"evaluate\.oracle: .*quotation"):
        files_in(["pair_style 'x"], tmp_path, "evaluate.oracle")
