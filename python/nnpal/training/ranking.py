"""Ranking of the members, by validation or by a property that the user chooses."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nnpal.model.networks import Network
from nnpal.runtime.import_path import import_object
from nnpal.training.member import EpochRecord
from nnpal.training.model_file import write_model_file
from nnpal.training.plan import Plan, member_folder

Score = Callable[[Path], float]


def find_score(spec: str) -> Score:
    """Return the function named `MODULE:FUNCTION`; the module may be in the working directory.

    Raises:
        ValueError: the function does not exist.
    """
    if os.getcwd() not in sys.path:  # not removed: the function may import more when it is called
        sys.path.insert(0, os.getcwd())
    found: Score = import_object(
        spec,
        f"ensemble.best_member = {spec!r}",
        example="my_ranking:score, or validation",
        form="MODULE:FUNCTION",
    )
    return found


def rank_members(
    plan: Plan,
    networks: Mapping[int, Network],
    self_energies: Sequence[float],
    records: Mapping[int, EpochRecord],
    folder: Path,
) -> dict[int, float]:
    """Return the score of each member; the lowest is the best.

    Arguments:
        plan: plan with ``ensemble.best_member``, the kind of score.
        networks: network of each member, eV; a user's function gets the path of a model file in the folder of the
            member's checkpoint.
        self_energies: self-energy of each element, eV.
        records: record of each member's best epoch.
        folder: training folder.

    Raises:
        ValueError: the function does not exist, or does not return a number.
    """
    by = {"loss": "validation_loss", "energy": "validation_energy_mae", "force": "validation_force_mae"}
    if plan.ensemble.best_member == "validation":
        return {number: float(getattr(record, by[plan.training.best_by])) for number, record in records.items()}
    function = find_score(plan.ensemble.best_member)
    scores = {}
    for number, network in networks.items():
        path = member_folder(folder, number) / "member.nnp.pt"
        write_model_file(plan.network, [network], self_energies, path)
        scores[number] = float(function(path))
        if not math.isfinite(scores[number]):
            raise ValueError(f"{plan.ensemble.best_member} gave {scores[number]} for member {number} ({path})")
    return scores
