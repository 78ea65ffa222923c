"""Errors of the stiffness against displacements of labeled copies, which mean errors of forces do not show.

They are evaluated on labels that the model that selected them was not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.active_learning.rare_events.facts import StiffnessFacts
from nnpal.active_learning.rare_events.peaks import DISPLACED, PEAK
from nnpal.evaluation import predict


def stiffness_facts(model: Path, frames: Sequence[Atoms]) -> StiffnessFacts | None:
    """Return the stiffness under oracle and model, for each displaced copy whose original frame has a label too.

    With Δ the displacement of a copy from its frame, κ = -(F(r + Δ) - F(r)) · Δ / |Δ|², in eV/Å².

    Arguments:
        model: model file of the ensemble.
        frames: labeled frames, each followed by its displaced copies.
    """
    pairs = []
    own: int | None = None
    for index, frame in enumerate(frames):
        tag = frame.info.get("tag")
        if tag == PEAK:
            own = index
        elif tag == DISPLACED and own is not None:
            pairs.append((own, index))
    pairs = [(one, other) for one, other in pairs if _is_copy(frames[one], frames[other])]
    if not pairs:
        return None
    used = sorted({index for pair in pairs for index in pair})
    found = predict(model, [frames[index] for index in used], members=False, uq_force=False)
    ours = dict(zip(used, np.split(found.forces, np.cumsum(found.n_atoms)[:-1]), strict=True))
    shifts = [frames[other].positions - frames[one].positions for one, other in pairs]
    theirs = [frames[other].get_forces() - frames[one].get_forces() for one, other in pairs]
    model_changes = [ours[other] - ours[one] for one, other in pairs]
    return StiffnessFacts(
        oracle=tuple(_stiffness(change, shift) for change, shift in zip(theirs, shifts, strict=True)),
        model=tuple(_stiffness(change, shift) for change, shift in zip(model_changes, shifts, strict=True)),
    )


def _is_copy(frame: Atoms, copy: Atoms) -> bool:
    return bool(copy.info.get("source") == f"displaced from {frame.info.get('source')}")


def _stiffness(change: np.ndarray, shift: np.ndarray) -> float:
    return float(-(change * shift).sum() / (shift * shift).sum())
