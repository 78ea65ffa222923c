"""Arguments of another type, as they are written at first try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ase.build import bulk

from nnpal import label_frames, predict, read_frames, write_dataset
from nnpal.data import check_frames, write_extxyz
from nnpal.label import CalculatorOracle, LabelStore

ONE = bulk("Cu", cubic=True)


@pytest.mark.parametrize(
    "use",
    [
        lambda: write_dataset("one.h5", ONE, provenance={}),
        lambda: write_extxyz("one.xyz", ONE),
        lambda: check_frames(ONE),
        lambda: predict("cu.nnp.pt", ONE),
        lambda: label_frames(ONE, CalculatorOracle("ase.calculators.emt:EMT"), LabelStore("labels.sqlite")),
    ],
    ids=["write_dataset", "write_extxyz", "check_frames", "predict", "label_frames"],
)
def test_one_configuration(use: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=r"frames is one configuration \(Cu4\), expected a list: \[atoms\]"):
        use()


def test_units_and_keys_as_text(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"units = 'eV Å', expected Units, e\.g\. Units\('eV', 'Å'\) of nnpal.data"):
        read_frames(tmp_path / "a.xyz", units="eV Å")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"keys = \{'energy': 'e'\}, expected Keys, e\.g\. Keys\(energy="):
        read_frames(tmp_path / "a.xyz", keys={"energy": "e"})  # type: ignore[arg-type]
