"""Newly labeled candidates before training on them: true and expected errors of the model that selected them.

They lie outside of its data, so they tell what its error bars are worth there, and calibrate those of the next model.
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
    """Labeled candidates as the model that chose them saw them.

    Attributes:
        pairs: spreads and errors; ``species`` counts in ``symbols``.
        symbols: elements.
        error_force: calibrated error of each force at that time, eV/Å, [n_atoms]; NaN by a model without calibration.
        error_energy: the same of each energy, eV, [n_frames]; infinite where the model gives none.
    """

    pairs: Pairs
    symbols: tuple[str, ...]
    error_force: np.ndarray
    error_energy: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Whether an atom has an error to compare with, bool [n_atoms]."""
        return np.isfinite(self.error_force) & (self.error_force > 0)

    def coverage(self) -> CoverageFacts | None:
        """Return what the error bars were worth; None where the model had none.

        Nothing of this was fitted on these candidates: recalibration comes after.
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
        """Write them, whole or not at all."""
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
    """Hold a model against labels that it has not learned, and keep the pairs in the stage's folder as ``PAIRS``.

    Arguments:
        ctx: of the stage that labels.
        model: file of the ensemble that chose the configurations.
        frames: labeled.
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
    """Return the pairs of all candidates that stages before this one have labeled; None where there are none.

    Each was judged by the model that chose it. Earlier ones stay and count as much as the newest: what is fitted is how
    errors outside of the data follow from spreads, for which the candidates of one iteration are too few and too
    similar.

    Arguments:
        symbols: elements of the model that is to be calibrated, whose indices the pairs get.
    """
    parts = []
    for path in pair_files(ctx.run_folder, ctx.history):
        one = Candidates.read(path)
        index = np.array([symbols.index(symbol) for symbol in one.symbols])  # all of them are learned by now
        columns = {name: getattr(one.pairs, name) for name in _COLUMNS}
        parts.append(Pairs(**{**columns, "species": index[one.pairs.species]}))
    return Pairs.joined(parts) if parts else None


def candidates_by_iteration(ctx: StageContext) -> dict[int, Candidates]:
    """Return all candidates with errors of their forces, by the iteration that labeled them."""
    found: dict[int, Candidates] = {}
    for path in pair_files(ctx.run_folder, ctx.history):
        one = Candidates.read(path)
        if one.known.any():
            found[int(path.parent.parent.name.removeprefix("iter-"))] = one
    return found


def pair_files(run_folder: Path, history: History) -> list[Path]:
    """Return the files of pairs that finished stages have left, in the order of iterations."""
    return [
        stage_folder(run_folder, iteration, name) / PAIRS
        for iteration, stages in enumerate(history)
        for name, facts in stages.items()
        if PAIRS in named_files(facts)
    ]


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
