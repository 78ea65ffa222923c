"""Imports within the package run one way: the contracts of .importlinter, checked on the whole package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import cli

import nnpal
from support.folders import TESTS

CONTRACTS = TESTS.parent / ".importlinter"
UPSIDE_DOWN = """
[importlinter]
root_package = nnpal

[importlinter:contract:layers]
name = Upside down
type = layers
layers =
    nnpal.runtime
    nnpal.data
"""
# Packages that only sometimes are needed and take long to import
HEAVY = ("torch", "torchani", "h5py", "ase", "scipy", "matplotlib", "pydantic")


def test_imports_run_one_way(capsys: pytest.CaptureFixture[str]):
    assert cli.lint_imports(str(CONTRACTS), no_cache=True) == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_an_import_against_the_layers_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "contracts.ini").write_text(UPSIDE_DOWN)
    assert cli.lint_imports(str(tmp_path / "contracts.ini"), no_cache=True) == cli.EXIT_STATUS_ERROR
    assert "nnpal.data is not allowed to import nnpal.runtime" in " ".join(capsys.readouterr().out.split())


def test_what_nnpal_offers_is_loaded_at_its_first_use():
    program = (
        "import sys, nnpal\n"
        f"assert not [name for name in {HEAVY!r} if name in sys.modules]\n"
        "import nnpal.model.calculator\n"
        "assert 'scipy.stats' not in sys.modules\n"  # half a second of each process that opens a model file
        "assert nnpal.NNPCalculator is nnpal.model.calculator.NNPCalculator\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
    for name in nnpal.__all__:
        assert name in dir(nnpal)
        assert getattr(nnpal, name) is not None
    with pytest.raises(AttributeError, match="module 'nnpal' has no attribute 'read_frame'"):
        nnpal.read_frame  # noqa: B018


def test_earlier_names_stay_for_one_release():
    from nnpal import calculator, export, lammps_plugins
    from nnpal.lammps.plugin_folder import plugin_dir

    assert calculator.NNPCalculator is nnpal.NNPCalculator
    assert (export.export_ensemble, export.load_model) == (nnpal.export_ensemble, nnpal.load_model)
    assert lammps_plugins.plugin_dir is plugin_dir
