"""The end of a training: rank the members, calibrate the ensemble, and write the result."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnpal.calibration import Calibration, CalibrationError, Pairs, calibrate
from nnpal.training.calibration_file import write_calibration
from nnpal.training.data import TrainingData
from nnpal.training.out_of_fold import out_of_fold_pairs
from nnpal.training.parity import save_parity
from nnpal.training.plan import Plan, TrainingFolderError, member_folder, read_learned
from nnpal.training.ranking import rank_members
from nnpal.training.result import Result, write_result
from nnpal.training.start_sources import TRAINING_FOLDER
from nnpal.training.storage import load_data
from nnpal.training.trained import TrainedMember, load_member
from nnpal.training.worker import CACHE, ERROR


def conclude(folder: Path, plan: Plan, candidates: Pairs | None) -> None:
    """Rank the members, calibrate, write the result, and delete the features.

    Arguments:
        folder, plan: training folder and its plan.
        candidates: spreads and errors outside the data, see :func:`nnpal.calibration.calibrate`.

    Raises:
        TrainingFolderError: no member finished.
    """
    failed, trained = {}, []
    for number in range(plan.ensemble.members):
        path = member_folder(folder, number) / ERROR
        if path.exists():
            failed[number] = path.read_text().strip()
        else:
            trained.append(load_member(folder, plan, number))
    if not trained:
        reasons = "; ".join(f"member {number}: {reason}" for number, reason in failed.items())
        raise TrainingFolderError(f"no member of {folder} finished: {reasons}")
    data = load_data(folder / CACHE, plan.network)
    self_energies = data.self_energies.tolist()
    scores = rank_members(
        plan,
        {m.number: m.network for m in trained},
        self_energies,
        {m.number: m.history[m.best_epoch] for m in trained},
        folder,
    )
    best = min(scores, key=scores.__getitem__)
    shown = next(member for member in trained if member.number == best)
    save_parity(folder, shown.network, data, shown.split, plan.training.batch_size)
    write_calibration(folder, _calibration(folder, plan, trained, data, candidates))
    write_result(folder, Result(best, scores, failed, self_energies))
    shutil.rmtree(folder / CACHE)


def _calibration(
    folder: Path, plan: Plan, trained: Sequence[TrainedMember], data: TrainingData, candidates: Pairs | None
) -> Calibration | str:
    """Return the calibration of the finished members, or the reason why there is none."""
    if len(trained) < 2:
        return "one member alone has no spread"
    numbers = [member.number for member in trained]
    rng = np.random.default_rng([*plan.ensemble.member_seeds(), 0xCA1])
    pairs, configurations = out_of_fold_pairs(
        [member.network for member in trained],
        read_learned(folder)[numbers],
        data,
        batch_size=plan.training.batch_size,
        rng=rng,
    )
    try:
        found = calibrate(pairs, plan.network.symbols, candidates)
    except CalibrationError as error:
        return str(error)
    found.evidence["wild"] = configurations[found.evidence["wild"]].tolist()
    found.evidence["members"] = numbers
    found.evidence["source"] = "configurations of the training that some members were not trained on"
    if plan.start is not None and plan.start["kind"] != TRAINING_FOLDER:
        found.evidence["caution"] = (
            f"The members started from a {plan.start['kind']}, which does not record its training data. If that is "
            "data "
            "of this training too, the errors are too small: start from the training folder, or use nnpal calibrate."
        )
    return found
