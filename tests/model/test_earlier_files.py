"""Model files from before the package was laid out in layers, which hold the earlier names of nnpal's classes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import nnpal
from torchani_reference import ExportedModel

NOW, BEFORE = "nnpal/model/fused_module", "nnpal/export/fused"


@pytest.fixture
def earlier_file(al_model: ExportedModel, tmp_path: Path) -> Path:
    """The model of aluminum with its class under its earlier name, as the archive's code and its pickle state it."""
    path = tmp_path / "old.nnp.pt"
    n_renamed = 0
    with zipfile.ZipFile(al_model.path) as given, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        folder = given.namelist()[0].partition("/")[0]
        for name in given.namelist():
            content = given.read(name)
            if name.endswith(".debug_pkl"):
                continue
            if name.endswith((".pkl", ".py")):
                n_renamed += content.count(NOW.replace("/", ".").encode())
                content = content.replace(NOW.replace("/", ".").encode(), BEFORE.replace("/", ".").encode())
            target.writestr(f"{folder}/{name.partition('/')[2].replace(NOW, BEFORE)}", content)
        # nnpal/model/fused_module.py, or fused_module/___torch_mangle_1.py after other forms in the same process
        assert any(name.startswith(f"{folder}/code/__torch__/{NOW}") for name in given.namelist())
    assert n_renamed > 0
    return path


def test_it_gives_the_same_numbers(al_model: ExportedModel, earlier_file: Path):
    atoms = bulk("Al", cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    found = []
    for path in (al_model.path, earlier_file):
        atoms.calc = nnpal.NNPCalculator(path)
        found.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
    for was, now in zip(*found, strict=True):
        assert np.array_equal(was, now)
    name = nnpal.load_model(earlier_file).module._c._type().qualified_name()
    assert name.removeprefix("__torch__.").startswith("nnpal.export.fused.")
