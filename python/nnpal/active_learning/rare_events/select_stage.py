"""Select frames of pulls that are uncertain and not near-duplicates, and frames around the largest forces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.facts import ChosenFrame, SelectFacts
from nnpal.active_learning.rare_events.peaks import PEAK, peak_frames, with_displaced
from nnpal.active_learning.sampling import SMDRun, SMDSection, holds_run, read_smd
from nnpal.active_learning.sampling.lammps_input import ERROR
from nnpal.active_learning.selection import Classes, Threshold, choose, classify, describe, tally, threshold
from nnpal.active_learning.settings import RareEventsSection
from nnpal.active_learning.shared.bare_frames import write_bare
from nnpal.active_learning.shared.error_limits import require_calibrated
from nnpal.active_learning.shared.learned_data import learned_so_far
from nnpal.active_learning.shared.thresholds import facts_of_threshold
from nnpal.active_learning.shared.train_ensemble import ENSEMBLE, MODEL
from nnpal.evaluation import predict
from nnpal.training.plan import read_plan

CHOSEN, PEAKS = "chosen.traj", "peaks.traj"


@dataclass(frozen=True)
class Choice:
    """Settings for the selection.

    Attributes:
        section: table [rare_events].
        pulls: table [explore].
        most: largest number of frames selected by uncertainty, each with its noisy copies.
        n_peak: largest number of frames around the largest forces, each with its displaced copies.
    """

    section: RareEventsSection
    pulls: SMDSection
    most: int
    n_peak: int

    @property
    def max_error(self) -> float | None:
        """Error above which a frame counts as failed, eV/Å."""
        return self.pulls.max_error


def select(ctx: StageContext, how: Choice) -> SelectFacts:
    """Select frames above μ + kσ of their pull's first steps or above an error, and frames around the largest forces.

    Near-duplicates among the former are skipped.
    """
    section = how.section
    model = ctx.path(ctx.iteration, "train", MODEL)
    require_calibrated(model, {"rare_events.error_above": section.error_above, "explore.max_error": how.max_error})
    folder = ctx.path(ctx.iteration, "explore", "ensemble")
    runs = [read_smd(path) for path in sorted(folder.iterdir()) if holds_run(path)]
    limits = {run.name: _threshold(run, section) for run in runs if section.error_above is None}
    sound = {run.name: _sound(run, how) for run in runs}
    classes = {run.name: _classes(run, limits.get(run.name), how, sound[run.name]) for run in runs}
    frames, uq, names = _candidates(runs, classes, section)
    chosen, near_known, near_chosen = _unlike(ctx, how, frames, uq)
    write_bare(ctx.folder / CHOSEN, [frames[i] for i in chosen])
    free = _free(runs, classes, {(names[i], int(frames[i].info["step"])) for i in chosen})
    peaks = _peaks(ctx, how, runs, free)
    write_bare(ctx.folder / PEAKS, peaks)
    n_peak = sum(frame.info["tag"] == PEAK for frame in peaks)
    return SelectFacts(
        thresholds={name: None if limit is None else facts_of_threshold(limit) for name, limit in limits.items()},
        counts=tally(classes.values()),
        good_frames={name: own.n_good for name, own in classes.items()},
        n_candidates=len(frames),
        n_near_known=near_known,
        n_near_chosen=near_chosen,
        error_above=section.error_above,
        chosen=tuple(ChosenFrame(run=names[i], step=int(frames[i].info["step"]), uq=float(uq[i])) for i in chosen),
        n_peak=n_peak,
        n_displaced=len(peaks) - n_peak,
        files=(CHOSEN, PEAKS),
    )


def _threshold(run: SMDRun, section: RareEventsSection) -> Threshold | None:
    """Return μ + kσ of the pull's first steps; None if it ended too early.

    Raises:
        ValueError: a complete pull has too few first steps.
    """
    if run.uq_trace is None:
        return None
    values = run.uq_trace[run.step < section.first_steps]
    values = values[np.isfinite(values)]
    try:
        return threshold(values, section.k, estimator=section.estimator, name=f"uncertainty of {run.name}")
    except ValueError:
        if run.complete:
            raise
        return None


def _sound(run: SMDRun, how: Choice) -> np.ndarray:
    """Return whether each frame of a pull can be labeled, bool [n_frames].

    It can be if no atoms are closer than ``closest``, and no error is above ``max_error``.
    """
    sound = np.array([len(neighbor_list("i", frame, how.section.closest)) == 0 for frame in run.frames], dtype=bool)
    if how.max_error is not None and len(sound):
        sound &= _errors(run) <= how.max_error
    return sound


def _classes(run: SMDRun, limit: Threshold | None, how: Choice, sound: np.ndarray) -> Classes:
    """Return the classes of the frames of a pull.

    Without a threshold every sound frame is a candidate, because the model has no training data there yet.
    """
    values = _judged(run, how.section)
    if values is None or not len(run.frames):
        return Classes(np.zeros(0, dtype=np.int8))
    lower = how.section.error_above
    if lower is None:
        lower = 0.0 if limit is None or how.section.order == "random" else limit.value
    return classify(np.where(np.isnan(values), np.inf, values), lower, sound=sound)


def _judged(run: SMDRun, section: RareEventsSection) -> np.ndarray | None:
    """Return each frame's value to compare with the threshold: its uncertainty, or its largest error, eV/Å."""
    return run.uq if section.error_above is None else _errors(run)


def _errors(run: SMDRun) -> np.ndarray:
    """Return the largest error of each frame, eV/Å.

    Raises:
        StageError: the pull has no errors in its rows.
    """
    if run.error is None:
        raise StageError(
            f"{run.name}: its rows have no column {ERROR}, like those of earlier versions; expected one for limits in "
            "eV/Å; start a new run, or remove error_above and max_error"
        )
    return run.error


def _candidates(
    runs: Sequence[SMDRun], classes: dict[str, Classes], section: RareEventsSection
) -> tuple[list[Atoms], np.ndarray, list[str]]:
    frames, uq, names = [], [], []
    for run in runs:
        values = _judged(run, section)
        for i in classes[run.name].candidates:
            frame = run.frames[i].copy()
            frame.info["tag"] = "explored"
            frames.append(frame)
            uq.append(float(values[i]))  # type: ignore[index]
            names.append(run.name)
    return frames, np.array(uq), names


def _unlike(ctx: StageContext, how: Choice, frames: Sequence[Atoms], uq: np.ndarray) -> tuple[list[int], int, int]:
    """Return candidates far from known data and from each other, and the numbers that were too close to either."""
    if not frames:
        return [], 0, 0
    network = read_plan(ctx.path(ctx.iteration, "train", ENSEMBLE)).network
    known = describe(learned_so_far(ctx), network)
    choice = choose(
        describe(frames, network),
        uq,
        known,
        n_most=how.most,
        min_distance=how.section.min_distance,
        order=how.section.order,
        seed=ctx.seed,
    )
    return choice.indices.tolist(), len(choice.near_known), len(choice.near_chosen)


def _free(runs: Sequence[SMDRun], classes: dict[str, Classes], taken: set[tuple[str, int]]) -> list[np.ndarray]:
    """Return whether each frame of each pull has not failed and is not yet selected, bool [n_frames].

    A frame that is selected twice would cost two labels, and could be in both training and validation set.

    Arguments:
        taken: name of the pull and step of each selected frame.
    """
    found = []
    for run in runs:
        free = np.arange(len(run.frames)) < classes[run.name].n_good
        free &= [(run.name, int(step)) not in taken for step in run.frame_step]
        found.append(free)
    return found


def _peaks(ctx: StageContext, how: Choice, runs: Sequence[SMDRun], free: Sequence[np.ndarray]) -> list[Atoms]:
    """Return frames around the largest forces, each followed by its displaced copies.

    Arguments:
        free: whether each frame of each pull can be selected, bool [n_frames].
    """
    section = how.section
    frames = peak_frames(runs, section.peak_before, how.n_peak, free)
    if not frames or not section.peak_copies:
        return frames
    model = ctx.path(ctx.iteration, "train", MODEL)

    def forces(copies: Sequence[Atoms]) -> np.ndarray:
        return predict(model, copies, members=False, uq_force=False).forces.reshape(len(copies), -1, 3)

    i, j = how.pulls.atoms
    rng = np.random.default_rng([ctx.seed, ctx.iteration])
    return with_displaced(
        frames, section.peak_copies, section.peak_displacement, (i - 1, j - 1), how.pulls.k, forces, rng
    )


def chosen_file(ctx: StageContext) -> Path:
    """Return the file of this iteration's configurations selected by uncertainty."""
    return ctx.path(ctx.iteration, "select", CHOSEN)


def peaks_file(ctx: StageContext) -> Path:
    """Return the file of this iteration's frames around the largest forces, each followed by its displaced copies."""
    return ctx.path(ctx.iteration, "select", PEAKS)
