"""A calibration in a model file that cannot be is refused, in LAMMPS and in Python alike, by an error that names it."""

from __future__ import annotations

import copy
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from calibrated_models import Recipe, recipe, resaved
from ensembles import one_element_ensemble
from lmp_systems import fcc
from nnpal.model import ModelFileError, export_ensemble, read_metadata
from torchani_reference import ExportedModel

DRIVER = Path(__file__).parents[1] / "support/lammps/lammps_driver.py"


def whole() -> Recipe:
    return recipe([0.1], [0.3], [0.7], (2.0, 0.01, 3.0))


# Edits of a calibration, and the key that LAMMPS names
EDITS: dict[str, tuple[Callable[[Recipe], Any], str]] = {
    "no forces": (lambda c: c.pop("force"), "no key 'calibration.force'"),
    "no energy": (lambda c: c.pop("energy"), "no key 'calibration.energy'"),
    "no knee": (lambda c: c["force"].pop("knee"), "no key 'calibration.force.knee'"),
    "no factor": (lambda c: c["energy"].pop("factor"), "no key 'calibration.energy.factor'"),
    "two elements": (lambda c: c["force"].update(knee=[0.1, 0.2]), "'calibration.force.knee', expected 1 number"),
    "a knee of nothing": (lambda c: c["force"].update(knee=[0.0]), "'calibration.force.knee'.*above 0"),
    "negative": (lambda c: c["force"].update(error_at_knee=[-0.3]), "'calibration.force.error_at_knee'.*above 0"),
    "steep": (lambda c: c["force"].update(exponent=[4.1]), "'calibration.force.exponent'.*at most 4"),
    "text": (lambda c: c["force"].update(exponent=["one"]), "'calibration.force.exponent'"),
    "no list": (lambda c: c["force"].update(knee=0.1), "'calibration.force.knee'"),
    "truth": (lambda c: c["energy"].update(largest=True), "'calibration.energy.largest'"),
    "negative energy": (lambda c: c["energy"].update(factor=-1), "'calibration.energy.factor'.*above 0"),
    "null": (lambda c: c["energy"].update(largest_per_atom=None), "'calibration.energy.largest_per_atom'"),
    "short row": (lambda c: c["energy"].update(undetermined=[[]]), "'calibration.energy.undetermined'.*each element"),
    "no direction": (lambda c: c["energy"].update(undetermined=[[2.0]]), "'calibration.energy.undetermined'"),
    "list for an object": (lambda c: c.update(energy=[1, 2, 3]), "'calibration.energy', expected null or an object"),
}


def in_lammps(folder: Path, models: list[Path]) -> list[dict[str, Any]]:
    """Evaluate model files one after another in one Python process that runs LAMMPS."""
    fcc("Al", 4.05, 1).write(folder / "data")
    jobs = {"data": str(folder / "data"), "element": "Al", "models": list(map(str, models)), "same_instance": True}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, str(DRIVER), "jobs.json", "answers.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answers: list[dict[str, Any]] = json.loads((folder / "answers.json").read_text())
    return answers


def with_calibrations(model: ExportedModel, folder: Path, calibrations: list[Any]) -> list[Path]:
    return [
        resaved(model.path, folder / f"{k}.pt", lambda m, c=one: m.update(format_version=2, calibration=c))
        for k, one in enumerate(calibrations)
    ]


def is_refused_by_python(path: Path) -> bool:
    try:
        read_metadata(path)
    except ModelFileError as error:
        assert "calibration" in str(error)  # noqa: PT017 - both outcomes are right
        return True
    return False


def test_edited_calibrations(tmp_path: Path, al_model: ExportedModel) -> None:
    calibrations = [whole() for _ in EDITS]
    for calibration, (edit, _) in zip(calibrations, EDITS.values(), strict=True):
        edit(calibration)
    models = with_calibrations(al_model, tmp_path, [*calibrations, [1], whole()])
    gap = resaved(al_model.path, tmp_path / "gap.pt", lambda m: (m.pop("calibration"), m.update(format_version=2)))
    *answers, last = in_lammps(tmp_path, [gap, *models])
    messages = ["no key 'calibration'", *(message for _, message in EDITS.values()), "'calibration', expected null"]
    for path, message, answer in zip([gap, *models], messages, answers, strict=False):
        expected = rf"model \S*{path.name}: its nnpal\.json has .*{message}.*; calibrate the file again"
        assert re.search(expected, answer.get("error", "accepted")), answer
    assert "energy" in last
    assert all(is_refused_by_python(path) for path in models[:-1])
    assert not is_refused_by_python(models[-1])


def damaged(seed: int) -> Recipe:
    """Return a calibration with one of its values replaced or taken away."""
    chance = random.Random(seed)
    calibration = copy.deepcopy(whole())
    where = chance.choice(["force", "energy"])
    name = chance.choice([where, *calibration[where]])
    holder = calibration if name == where else calibration[where]
    if chance.random() < 0.2:
        del holder[name]
    else:
        junk = [None, True, "0.1", 0, -1, 1e300, 2**70, {}]
        lists = [[0.1], [None], [-0.0], [-1], [0.1, 0.1], ["a"], [True], [5]]
        holder[name] = chance.choice([*junk, *lists])
    return calibration


def test_lammps_and_python_refuse_the_same(tmp_path: Path, al_model: ExportedModel) -> None:
    models = with_calibrations(al_model, tmp_path, [damaged(seed) for seed in range(80)])
    answers = in_lammps(tmp_path, models)
    refused = []
    for path, answer in zip(models, answers, strict=True):
        refused.append("error" in answer)
        assert refused[-1] == is_refused_by_python(path), answer
        assert not refused[-1] or "calibration" in answer["error"]
    assert 5 < sum(refused) < 80


def test_a_single_member_has_none(tmp_path: Path) -> None:
    single = export_ensemble(one_element_ensemble("Al", 1), tmp_path / "single.pt", dtype=torch.float32)
    path = resaved(single, tmp_path / "one.pt", lambda m: m.update(format_version=2, calibration=whole()))
    (answer,) = in_lammps(tmp_path, [path])
    assert re.search("'calibration', expected null, for a single member", answer["error"])
    with pytest.raises(ModelFileError, match=r"calibration.*members"):
        read_metadata(path)
