"""The base installation, which has no torch: what works, and what the rest says."""

from __future__ import annotations

import json
import os
import sys

import pytest
from ase.build import bulk

from nnpal import NNPCalculator
from processes import run
from torchani_reference import ExportedModel

PROGRAM = """
import importlib, json, sys
from ase.build import bulk
from typer.testing import CliRunner
import nnpal, nnpal.hooks.invoke, nnpal.momt, nnpal.smd, nnpal.oracle
from nnpal.cli.app import app

model = sys.argv[1]
atoms = bulk("Al", cubic=True) * (2, 2, 2)
atoms.calc = nnpal.NNPCalculator(model)
said = {"energy": atoms.get_potential_energy()}
for name, words in {"info": ["info", "--json", model], "train": ["train", "x.toml"], "export": ["export", "x"]}.items():
    done = CliRunner().invoke(app, words)
    said[name] = [done.exit_code, done.output]
try:
    nnpal.train_ensemble
except ImportError as error:
    said["import"] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(al_model: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("no_torch")
    for name in ("torch", "torchani"):
        (folder / f"{name}.py").write_text(f'raise ModuleNotFoundError("No module named {name!r}", name={name!r})\n')
    done = run([sys.executable, "-c", PROGRAM, al_model.path], env={**os.environ, "PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_calculator_and_info_work(said: dict[str, object], al_model: ExportedModel) -> None:
    atoms = bulk("Al", cubic=True) * (2, 2, 2)
    atoms.calc = NNPCalculator(al_model.path)
    assert said["energy"] == atoms.get_potential_energy()
    status, text = said["info"]
    assert status == 0
    assert json.loads(text)["elements"] == ["Al"]


@pytest.mark.parametrize("command", ["train", "export"])
def test_commands_that_need_torch_say_so(said: dict[str, object], command: str) -> None:
    status, text = said[command]
    assert status == 1
    assert text.startswith(f"nnpal {command} needs torch, which is not installed; run: pip install 'nnpal[train]'")


def test_functions_that_need_torch_say_so(said: dict[str, object]) -> None:
    assert str(said["import"]).startswith("nnpal.train_ensemble needs torch, which is not installed")
