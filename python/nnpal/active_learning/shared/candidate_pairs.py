"""True and expected errors on newly labeled candidates, from the model that selected them, before training on them.

They are outside its training data, so they test its error bars there, and calibrate those of the next model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.active_learning.engine.facts import named_files
from nnpal.active_learning.engine.stage import History, StageContext, stage_folder
from nnpal.active_learning.shared.facts import CoverageFacts
from nnpal.calibration import LEVELS, Pairs, reliability
from nnpal.evaluation import predict
from nnpal.evaluation.pairs import pairs_of
from nnpal.runtime.files import aside

PAIRS = "calibration_pairs.npz"
_COLUMNS = tuple(Pairs.__dataclass_fields__)


@dataclass(frozen=True)
class Candidates:
    """Errors and spreads of labeled candidates, from the model that selected them.

    Attributes:
        pairs: spreads and errors; ``species`` are indices into ``symbols``.
        symbols: symbols of the elements.
        error_force: calibrated error of each force at that time, eV/Å, [n_atoms]; NaN from a model without calibration.
        error_energy: the same for each energy, eV, [n_frames]; infinite if the model gives none.
    """

    pairs: Pairs
    symbols: tuple[str, ...]
    error_force: np.ndarray
    error_energy: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Whether each atom has an error bar, bool [n_atoms]."""
        return np.isfinite(self.error_force) & (self.error_force > 0)

    def coverage(self) -> CoverageFacts | None:
        """Return the reliability of the error bars, or None if the model had none.

        The calibration was not fitted to these candidates; recalibration follows later.
        """
        known = self.known
        if not known.any():
            return None
        found = reliability(self.pairs.force_error[known], self.error_force[known])
        with_energy = np.isfinite(self.error_energy)
        return CoverageFacts(
            n_configurations=len(self.pairs.n_atoms),
            n_atoms=found.n_values,
            levels=LEVELS,
            coverage=found.coverage,
            ratio=found.ratio,
            tenths=found.tenths,
            rank=_or_none(found.rank),
            exact_rank=_or_none(found.exact_rank),
            n_with_energy=int(with_energy.sum()),
        )

    def write(self, path: Path) -> None:
        """Write the candidates atomically."""
        columns = {name: getattr(self.pairs, name) for name in _COLUMNS}
        with aside(path) as temporary:
            np.savez(
                temporary,
                symbols=np.array(self.symbols),
                error_force=self.error_force,
                error_energy=self.error_energy,
                **columns,
            )

    @classmethod
    def read(cls, path: Path) -> Candidates:
        """Read what :meth:`write` wrote."""
        with np.load(path) as file:
            pairs = Pairs(**{name: file[name] for name in _COLUMNS})
            return cls(pairs, tuple(file["symbols"].tolist()), file["error_force"], file["error_energy"])


def judge_candidates(ctx: StageContext, model: Path, frames: Sequence[Atoms]) -> Candidates:
    """Compare a model with labels that it was not trained on, and write the pairs to ``PAIRS`` in the stage's folder.

    Arguments:
        ctx: context of the labeling stage.
        model: model file of the ensemble that selected the configurations.
        frames: labeled configurations.
    """
    found = predict(model, frames, members=False)
    symbols = sorted({symbol for frame in frames for symbol in frame.symbols})
    own = Candidates(
        pairs_of(found, frames, symbols),
        tuple(symbols),
        np.full(found.n_atoms.sum(), np.nan) if found.error_force is None else found.error_force,
        np.full(len(frames), np.inf) if found.error_energy is None else found.error_energy,
    )
    own.write(ctx.folder / PAIRS)
    if (told := own.coverage()) is not None:
        ctx.log(f"iteration {ctx.iteration}: {told.in_words()}")
    return own


def candidates_so_far(ctx: StageContext, symbols: Sequence[str]) -> Pairs | None:
    """Return the pairs of all candidates labeled by earlier stages, or None if there are none.

    Each pair is from the model that selected the candidate. Earlier pairs have the same weight as the newest: the fit
    relates errors outside the training data to spreads, and the candidates of one iteration are too few and too similar
    for it.

    Arguments:
        symbols: elements of the model to calibrate, which define the indices in the pairs.
    """
    parts = []
    for path in pair_files(ctx.run_folder, ctx.history):
        one = Candidates.read(path)
        index = np.array([symbols.index(symbol) for symbol in one.symbols])  # the model has been trained on all of them
        columns = {name: getattr(one.pairs, name) for name in _COLUMNS}
        parts.append(Pairs(**{**columns, "species": index[one.pairs.species]}))
    return Pairs.joined(parts) if parts else None


def candidates_by_iteration(ctx: StageContext) -> dict[int, Candidates]:
    """Return iteration -> labeled candidates, for iterations whose model had error bars."""
    found: dict[int, Candidates] = {}
    for path in pair_files(ctx.run_folder, ctx.history):
        one = Candidates.read(path)
        if one.known.any():
            found[int(path.parent.parent.name.removeprefix("iter-"))] = one
    return found


def pair_files(run_folder: Path, history: History) -> list[Path]:
    """Return the files of pairs from finished stages, in the order of iterations."""
    return [
        stage_folder(run_folder, iteration, name) / PAIRS
        for iteration, stages in enumerate(history)
        for name, facts in stages.items()
        if PAIRS in named_files(facts)
    ]


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
