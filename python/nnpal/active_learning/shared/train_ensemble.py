"""Train in a stage: members as tasks, then model files that pass the gate."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.failure import Failure
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import RESULT, Task
from nnpal.active_learning.settings import LoopEnsembleSection
from nnpal.active_learning.shared.candidate_pairs import candidates_so_far
from nnpal.active_learning.shared.facts import BEST, MODEL, SECOND, Errors, SecondKindFacts, TrainFacts
from nnpal.active_learning.shared.tasks import TRAIN_TASK
from nnpal.evaluation import predict
from nnpal.model.description import Description
from nnpal.model.settings import NetworkSettings
from nnpal.training import LossSettings, TrainedEnsemble, TrainingFolderError, TrainingSettings
from nnpal.training.ensemble import begin_training, end_training
from nnpal.training.kinds import usable
from nnpal.training.plan import PLAN, SPLITS, read_plan
from nnpal.training.release import release
from nnpal.training.result import RESULT as RESULT_OF_TRAINING
from nnpal.training.settings import PREVIOUS, RANDOM

ENSEMBLE = "ensemble"
PARITY = "parity_energy.csv"
TABLES = ("network", "also_train", "loss", "training", "ensemble")
FREE_KEYS = ("training.checkpoint_every", "training.tensorboard")
"""Keys of these tables that do not affect the trained weights."""
LEAST_MEMBERS = 2


@dataclass(frozen=True)
class Learning:
    """Settings [network], [loss], [training], [ensemble] and [also_train]; paths are relative to ``base_folder``."""

    network: NetworkSettings
    loss: LossSettings
    training: TrainingSettings
    ensemble: LoopEnsembleSection
    base_folder: Path = Path()
    also_train: NetworkSettings | None = None

    def of_second_kind(self) -> Learning | None:
        """Return the settings for the networks of [also_train], or None without that table.

        Elements, loss, members and splits are those of the main networks. If these start from the previous
        iteration, so do they, from their own weights; otherwise they start from random weights, because a file for the
        main networks does not fit them. Settings that have no effect on their kind are removed.
        """
        if self.also_train is None:
            return None
        network = self.also_train.with_elements(self.network.elements)
        of_loop = {"start": self.training.start if self.training.start in (None, PREVIOUS, RANDOM) else RANDOM}
        training = usable(self.training.from_random().model_copy(update=of_loop), network.kind)
        return replace(self, network=network, training=training, also_train=None)

    def training_of(self, frames: Sequence[Atoms], previous: str | None) -> TrainingSettings:
        """Return the settings of one training, including its start.

        Arguments:
            frames: training data.
            previous: training folder of the previous iteration; None in the first.
        """
        start = self.training.start
        if start == PREVIOUS:
            return self.training.from_random() if previous is None else self.training
        if start is not None:
            return self.training.located(Path(os.path.relpath(self.base_folder)))
        fits = previous is not None and read_plan(Path(previous)).network == self._description(frames)
        return self.training.model_copy(update={"start": PREVIOUS if fits else RANDOM})

    def network_of(self, training: TrainingSettings, frames: Sequence[Atoms]) -> NetworkSettings | Description:
        """Return the networks' description if they start from those of the previous iteration, otherwise [network]."""
        return self._description(frames) if training.start == PREVIOUS else self.network

    def _description(self, frames: Sequence[Atoms]) -> Description:
        return self.network.description(sorted({symbol for frame in frames for symbol in frame.symbols}))


def train_in_tasks(
    ctx: StageContext, how: Learning, frames: Sequence[Atoms], unseen: Sequence[Atoms] = ()
) -> tuple[TrainedEnsemble, TrainFacts]:
    """Train an ensemble on ``frames``, and write ``model.nnp.pt`` (all members) and ``best.nnp.pt``.

    The ensemble of [also_train] is trained next, with files in the folder ``second``.

    Arguments:
        ctx: context of the stage.
        how: settings of the training.
        frames: labeled configurations.
        unseen: held-out configurations, for errors of the second ensemble.

    Returns:
        The ensemble, and facts: data, best member, errors on training and validation sets, and failed members.

    Raises:
        StageError: fewer than two members finished, or the model file does not pass the gate.
    """
    ensemble = _train(ctx, how, frames, "")
    facts = _facts(ensemble, len(frames))
    second = how.of_second_kind()
    if second is None:
        return ensemble, facts
    other = _train(ctx, second, frames, SECOND)
    own = _facts(other, len(frames))
    found = SecondKindFacts(
        kind=own.kind,
        members=own.members,
        failed_members=own.failed_members,
        validation=own.validation_errors,
        unseen=errors_on(ctx.folder / SECOND / MODEL, unseen),
    )
    files = (*facts.files, *(f"{SECOND}/{name}" for name in own.files))
    return ensemble, facts.model_copy(update={"second": found, "files": files})


def _train(ctx: StageContext, how: Learning, frames: Sequence[Atoms], below: str) -> TrainedEnsemble:
    """Train an ensemble in the folder ``below`` of the stage's folder."""
    place = ctx.folder / below
    place.mkdir(exist_ok=True)
    folder = place / ENSEMBLE
    settings = how.ensemble
    previous = _previous(ctx, below)
    try:
        training = how.training_of(frames, previous)
        # networks from a file have the kind of the file
        kind = f"{how.network.kind} " if training.start in (None, PREVIOUS, RANDOM) else ""
        ctx.log(
            f"iteration {ctx.iteration}: training {settings.members} {kind}networks on {len(frames)} configurations"
        )
        if previous is not None and how.training.start is None and training.start != PREVIOUS:
            ctx.log("members start from random weights: elements or [network] are not those of the iteration before")
        starts_there = training.start == PREVIOUS
        with ctx.watch(folder) as watcher:
            members = begin_training(
                frames,
                folder,
                network=how.network_of(training, frames),
                loss=how.loss,
                training=training,
                ensemble=settings.of_iteration(ctx.seed, ENSEMBLE, previous, starts_there=starts_there),
                on_features=lambda done, total: watcher.count("descriptors", done, total),
                log=ctx.log,
            )
            content = read_plan(folder).content_hash
            tasks = [_task(task_folder(folder, member), folder, member, content) for member in members]
            for task in tasks:  # the task of an unfinished member is not done, whatever its folder contains
                (task.folder / RESULT).unlink(missing_ok=True)
            pairs = zip(members, ctx.tasks.run(tasks), strict=True)
        failed = {member: outcome.failure for member, outcome in pairs if outcome.failure is not None}
        _require_enough(folder, settings.members, failed)
        # from the ensemble that selected them; the second ensemble has a different spread
        candidates = None if below else candidates_so_far(ctx, read_plan(folder).network.symbols)
        reasons = {member: failure.fact for member, failure in failed.items()}
        ensemble = end_training(folder, reasons, candidates=candidates)
    except (TrainingFolderError, ValueError) as error:
        raise StageError(f"{ctx.folder}: {error}") from error
    release(ensemble, place / MODEL)
    release(ensemble, place / BEST, members="best", gate=False)
    return ensemble


def _previous(ctx: StageContext, below: str) -> str | None:
    """Return the training folder of the previous iteration; None if there is none, as for a new [also_train]."""
    if ctx.iteration == 0:
        return None
    folder = ctx.path(ctx.iteration - 1, "train", below) / ENSEMBLE
    # relative, because the path is in the folder's plan, whose hash is in the manifest
    return os.path.relpath(folder) if folder.is_dir() or not below else None


def errors_on(model: Path, frames: Sequence[Atoms]) -> Errors | None:
    """Return the MAE of energies, energies without their mean error (eV/atom), and forces (eV/Å); None: no frames."""
    if not frames:
        return None
    found = predict(model, frames, members=False, uq_force=False)
    energies = np.array([frame.get_potential_energy() for frame in frames])
    error = (found.energies - energies) / found.n_atoms
    force_error = found.forces - np.concatenate([frame.get_forces() for frame in frames])
    return Errors(
        energy_mae=float(np.abs(error).mean()),
        relative_energy_mae=_relative(error),
        force_mae=float(np.abs(force_error).mean()),
    )


def _relative(error: np.ndarray) -> float:
    """Return the MAE of energies without their mean error, which affects no force and no barrier."""
    return float(np.abs(error - error.mean()).mean())


def _relative_errors(ensemble: TrainedEnsemble) -> tuple[float, float]:
    """Return this MAE for the best member on its training and validation sets, eV/atom."""
    with (ensemble.folder / PARITY).open(newline="") as file:
        rows = list(csv.DictReader(file))
    parts = np.array([row["part"] for row in rows])
    error = np.array([float(row["model_eV_atom"]) - float(row["reference_eV_atom"]) for row in rows])
    return _relative(error[parts == "training"]), _relative(error[parts == "validation"])


def _require_enough(folder: Path, n_members: int, failed: Mapping[int, Failure]) -> None:
    """Check the number of finished members before the training ends, so that failed ones can be trained on resuming.

    Raises:
        StageError: fewer than two members finished.
    """
    n_trained = n_members - len(failed)
    if n_trained < LEAST_MEMBERS:
        reasons = "\n".join(f"member {number}: {failure.text}" for number, failure in failed.items())
        raise StageError(f"{folder}: {n_trained} of {n_members} members finished\n{reasons}")


def _task(folder: Path, training: Path, member: int, content: str) -> Task:
    arguments = {"training": os.path.relpath(training, folder), "member": member, "content": content}
    return Task(folder, TRAIN_TASK, arguments, kind="train")


def task_folder(training: Path, member: int) -> Path:
    """Return the folder of the task that trains ``member`` of a training folder."""
    return training.parent / f"member-{member}"


def _facts(ensemble: TrainedEnsemble, n_data: int) -> TrainFacts:
    best = ensemble.best
    record = best.history[best.best_epoch]
    training, validation = _relative_errors(ensemble)
    return TrainFacts(
        kind=ensemble.plan.network.kind,
        n_data=n_data,
        members=len(ensemble.members),
        failed_members={str(k): reason for k, reason in ensemble.result.failed.items()},
        best_member=best.number,
        epochs={str(m.number): len(m.history) for m in ensemble.members},
        train_energy_mae=float(record.train_energy_mae),
        train_force_mae=float(record.train_force_mae),
        train_relative_energy_mae=training,
        validation_energy_mae=float(record.validation_energy_mae),
        validation_force_mae=float(record.validation_force_mae),
        validation_relative_energy_mae=validation,
        files=(MODEL, BEST, *(f"{ENSEMBLE}/{name}" for name in (PLAN, SPLITS, RESULT_OF_TRAINING))),
    )
