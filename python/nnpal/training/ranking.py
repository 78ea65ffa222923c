"""Which member is the best: by validation, or by a property that the user cares for."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from torchani.arch import ANI

from nnpal.export import export_ensemble
from nnpal.suggest import did_you_mean
from nnpal.training.member import EpochRecord
from nnpal.training.plan import Plan, member_folder

Score = Callable[[Path], float]


def find_score(spec: str) -> Score:
    """Return what `MODULE:FUNCTION` names; modules of the working directory are found.

    Raises:
        ValueError: there is no such function.
    """
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name):
        raise ValueError(f"ensemble.best_member = {spec!r}: expected validation or MODULE:FUNCTION")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"ensemble.best_member = {spec!r}: {module_name} cannot be imported: {error}") from error
    found = getattr(module, name, None)
    if not callable(found):
        known = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise ValueError(f"ensemble.best_member = {spec!r}: no function {name} there{did_you_mean(name, known)}")
    return found


def rank_members(
    plan: Plan, models: Mapping[int, ANI], records: Mapping[int, EpochRecord], folder: Path
) -> dict[int, float]:
    """Return a score of each member, lowest is best.

    Arguments:
        plan: says by what.
        models: each member as a model of its own; a user's function gets its path, exported beside its checkpoint.
        records: each member's best epoch.
        folder: of the training.

    Raises:
        ValueError: a function that is not there, or that gives no number.
    """
    by = {"loss": "validation_loss", "energy": "validation_energy_mae", "force": "validation_force_mae"}
    if plan.ensemble.best_member == "validation":
        return {number: float(getattr(record, by[plan.training.best_by])) for number, record in records.items()}
    function = find_score(plan.ensemble.best_member)
    scores = {}
    for number, model in models.items():
        path = export_ensemble(model, member_folder(folder, number) / "member.nnp.pt")
        scores[number] = float(function(path))
        if math.isnan(scores[number]):
            raise ValueError(f"{plan.ensemble.best_member} gave NaN for member {number} ({path})")
    return scores
