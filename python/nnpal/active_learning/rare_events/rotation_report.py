"""Rotations of the ends before the break, under the model, the networks of [also_train] and the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnpal.active_learning.rare_events.pulls import WINDOW
from nnpal.active_learning.rare_events.told import Told
from nnpal.active_learning.report import Figure, Table
from nnpal.active_learning.report.rotation import RotationCurve, end_rotation, rotation_table
from nnpal.active_learning.sampling import read_smd
from nnpal.active_learning.shared.facts import SECOND
from nnpal.smd import letting_go
from nnpal.smd.rotation import end_rotations


def rotations(told: Told) -> tuple[list[Table], list[Figure]]:
    """Return rotations of the ends in the last iteration's pulls at the first rate; none if the ends cannot rotate."""
    folders = {said: told.folders(who, told.rate) for who, said in told.shown.items() if who in ("ensemble", SECOND)}
    folders["oracle"] = told.oracle_folders(told.rate)[: told.pulls.runs]
    found = [_curve(folder, who, told.pulls.atoms) for who, own in folders.items() for folder in own[: told.pulls.runs]]
    curves = [curve for curve in found if curve is not None]
    return ([rotation_table(curves)], [end_rotation(curves)]) if curves else ([], [])


def _curve(folder: Path, who: str, atoms: tuple[int, int]) -> RotationCurve | None:
    """Return rotations up to the break; None if the pull is too short, or the ends have too few atoms."""
    run = read_smd(folder)
    try:
        gone = letting_go(run.pull, WINDOW)
        turned = end_rotations(run.frames, (atoms[0] - 1, atoms[1] - 1))
    except ValueError:
        return None
    target = run.target[np.searchsorted(run.step, run.frame_step)]
    before = ~(np.abs(target - run.target[0]) > abs(gone - run.target[0]))  # all true without a break
    return RotationCurve(who, run.name, target[before], turned.twist[before], turned.tilt[before])
