"""Newly labeled candidates as pairs of spread and error: by the model that chose them, before the next one learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from calibrated_models import calibration_of, error_force
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext, stage_folder
from nnpal.active_learning.engine.status import Status
from nnpal.active_learning.shared import train_ensemble as training
from nnpal.active_learning.shared.candidate_pairs import PAIRS, Candidates, candidates_so_far, judge_candidates
from nnpal.active_learning.shared.error_limits import require_calibrated
from nnpal.active_learning.shared.facts import CoverageFacts
from nnpal.active_learning.shared.status import RunStatus
from nnpal.calibration import Pairs
from nnpal.evaluation import predict
from nnpal.model.settings import NetworkSettings
from nnpal.training import EnsembleSettings, LossSettings, TrainingFolderError, TrainingSettings
from nnpal.training.plan import Plan, write_plan
from torchani_reference import ExportedModel


def context(folder: Path, history: Any = ({},), log: Any = print) -> StageContext:
    place = stage_folder(folder / "run", len(history) - 1, "label")
    place.mkdir(parents=True, exist_ok=True)
    return StageContext(folder / "run", place, len(history) - 1, {}, history, 1, None, Deadline(), log)  # type: ignore[arg-type]


def labeled(n: int = 4, off: float = 0.2) -> list[Atoms]:
    """Return crystals with labels that have nothing to do with any model."""
    rng = np.random.default_rng(7)
    frames = []
    for _ in range(n):
        atoms = bulk("Al", "fcc", a=4.05, cubic=True)
        atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
        forces = rng.normal(0.0, off, atoms.positions.shape)
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0 * len(atoms), forces=forces)
        frames.append(atoms)
    return frames


def test_candidates_are_judged_by_the_model_that_had_not_learned_them(
    tmp_path: Path, calibrated_al: ExportedModel
) -> None:
    lines: list[str] = []
    ctx, frames = context(tmp_path, log=lines.append), labeled()
    found = judge_candidates(ctx, calibrated_al.path, frames)
    own = predict(calibrated_al.path, frames)
    assert own.uq_force is not None
    error = own.forces - np.concatenate([frame.get_forces() for frame in frames])
    pairs = found.pairs
    np.testing.assert_array_equal(pairs.force_error, error)
    np.testing.assert_array_equal(pairs.uq_force, own.uq_force)
    np.testing.assert_array_equal(pairs.unshared, 0.0)
    expected = error_force(calibration_of(calibrated_al), own.uq_force, [0] * len(error))
    np.testing.assert_allclose(found.error_force, expected, rtol=1e-12)
    told = found.coverage()
    assert told is not None
    assert (told.n_configurations, told.n_atoms, told.n_with_energy) == (4, 16, 4)
    # 1.645 standard deviations of a component hold 90 % of a normal distribution
    within = (np.abs(error) <= 1.6448536 * expected[:, None] / np.sqrt(3)).mean()
    assert told.coverage[1] == pytest.approx(within)
    assert told.ratio == pytest.approx(np.sqrt(np.square(error).sum(1).mean() / np.square(expected).mean()))
    assert len(told.tenths) == 10
    assert [line for line in lines if f"{100 * within:.0f} % within nominal 90 %" in line]
    kept = (ctx.folder / PAIRS).read_bytes()
    read = Candidates.read(ctx.folder / PAIRS)
    np.testing.assert_array_equal(read.pairs.energy_error, own.energies + 12.0)
    assert read.coverage() == told
    judge_candidates(ctx, calibrated_al.path, frames)  # as a run that is taken up again
    assert (ctx.folder / PAIRS).read_bytes() == kept


def test_without_a_calibration_there_are_pairs_and_no_coverage(tmp_path: Path, al_model: ExportedModel) -> None:
    ctx = context(tmp_path)
    found = judge_candidates(ctx, al_model.path, labeled())
    assert found.coverage() is None
    assert np.isnan(found.error_force).all()
    assert np.isinf(found.error_energy).all()
    again = candidates_so_far(replace(ctx, history=[{"label": {"files": [PAIRS]}}]), ["Al"])
    assert again is not None
    np.testing.assert_array_equal(again.uq_force, found.pairs.uq_force)


def write_pairs(folder: Path, symbols: tuple[str, ...], species: list[int], spread: float) -> None:
    n = len(species)
    own = Pairs(
        np.array(species), np.full(n, spread), np.ones((n, 3)), np.array([n]), np.ones(1), np.ones(1), np.zeros(1)
    )
    folder.mkdir(parents=True, exist_ok=True)
    Candidates(own, symbols, np.full(n, np.nan), np.full(1, np.inf)).write(folder / PAIRS)


def two_iterations(folder: Path) -> list[Any]:
    write_pairs(folder / "run/iter-0000/label", ("H", "O"), [0, 1, 0], 0.1)
    write_pairs(folder / "run/iter-0001/label", ("O",), [0], 0.2)
    write_pairs(folder / "run/iter-0002/label", ("O",), [0], 0.3)  # what a killed run left; no fact names it
    return [{"label": {"files": ["learnt.h5", PAIRS]}}, {"label": {"files": [PAIRS]}}, {"label": {"files": []}}]


def test_candidates_of_all_iterations_count_with_the_models_elements(tmp_path: Path) -> None:
    ctx = context(tmp_path, two_iterations(tmp_path))
    found = candidates_so_far(ctx, ["C", "O", "H"])
    assert found is not None
    assert found.species.tolist() == [2, 1, 2, 1]
    assert found.uq_force.tolist() == [0.1, 0.1, 0.1, 0.2]
    assert found.n_atoms.tolist() == [3, 1]
    assert candidates_so_far(replace(ctx, history=[{}]), ["O"]) is None


def test_the_next_training_is_calibrated_with_them(tmp_path: Path, monkeypatch: Any) -> None:
    ctx = context(tmp_path, two_iterations(tmp_path))
    given = []

    class Tasks:
        def run(self, tasks: Any) -> list[Any]:
            return []

    def begin(_: Any, folder: Path, **__: Any) -> list[int]:
        folder.mkdir(parents=True)
        network = NetworkSettings().description(["H", "O"])
        write_plan(folder, Plan(network, LossSettings(), TrainingSettings(), EnsembleSettings(), content_hash=""))
        return []

    def end(_: Path, failed: Any, candidates: Pairs | None = None) -> None:
        given.append(candidates)
        raise TrainingFolderError("as far as this test goes")

    monkeypatch.setattr(training, "begin_training", begin)
    monkeypatch.setattr(training, "end_training", end)
    how = training.Learning(
        NetworkSettings(), LossSettings(), TrainingSettings(start="random"), training.LoopEnsembleSection()
    )
    with pytest.raises(StageError, match="as far as this test goes"):
        training.train_in_tasks(replace(ctx, tasks=Tasks()), how, [Atoms("OH")])  # type: ignore[arg-type]
    [pairs] = given
    assert pairs.species.tolist() == [0, 1, 0, 1]


def test_limits_in_error_units_need_a_calibrated_model(al_model: ExportedModel, calibrated_al: ExportedModel) -> None:
    require_calibrated(al_model.path, {"explore.max_error": None})
    require_calibrated(calibrated_al.path, {"explore.max_error": 1.0})
    with pytest.raises(StageError, match=r"explore\.max_error = 1: .*al\.nnp\.pt has no calibration.*remove the"):
        require_calibrated(al_model.path, {"explore.max_error": 1.0, "rare_events.error_above": None})


def test_status_tells_what_error_bars_were_worth() -> None:
    told = CoverageFacts(
        n_configurations=3, n_atoms=9, levels=(0.68, 0.9), coverage=(0.5, 0.81), ratio=1.234, tenths=(1.0,), rank=None,
        exact_rank=0.5, n_with_energy=0,
    )  # fmt: skip
    run = Status("run", "waiting", None, None, (), None, {"label": {"calibration": told.to_json()}}, ())
    assert RunStatus(run, None).as_text().splitlines()[-1] == (
        "  error bars on 3 new configurations, before they are used for training: of force components 50 % within "
        "nominal 68 %, 81 % within nominal 90 %; true over expected error 1.23"
    )
    assert "error bars" not in RunStatus(replace(run, facts={"label": {}}), None).as_text()
