"""Frames around the largest force of pulls, and the stiffness against their displaced copies."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.active_learning.rare_events.peaks import DISPLACED, PEAK, peak_frames, with_displaced
from nnpal.active_learning.rare_events.stiffness import stiffness_facts
from nnpal.active_learning.sampling import SMDRun
from nnpal.model.calculator import NNPCalculator
from torchani_reference import ExportedModel

ROWS, EVERY = 401, 10
"""Rows each 5 steps, λ from 3 to 7 Å; frames each 10 steps."""


def pull(name: str = "rate-1-run-0", *, breaks: bool = True, sign: float = 1.0) -> SMDRun:
    """Return a pull whose force rises to 4.5 eV/Å at λ = 6 and is gone 0.1 Å beyond."""
    step = 5 * np.arange(ROWS)
    target = np.linspace(3.0, 7.0, ROWS)
    force = 1.5 * (target - 3.0)
    if breaks:
        force = np.where(target <= 6.0, force, np.maximum(0.0, 4.5 * (1 - (target - 6.0) / 0.1)))
    frame_step = step[:: EVERY // 5]
    frames = [Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]], info={"step": int(k)}) for k in frame_step]
    nothing = np.zeros(ROWS)
    return SMDRun(
        step, nothing, sign * target, sign * force, nothing, nothing, nothing, None, frames, frame_step,
        None, None, None, sign, "complete", name,
    )  # fmt: skip


def steps_of(frames: list[Atoms]) -> np.ndarray:
    return np.array([frame.info["step"] for frame in frames])


def everything(*runs: SMDRun) -> list[np.ndarray]:
    return [np.ones(len(run.frames), dtype=bool) for run in runs]


@pytest.mark.parametrize("sign", [1.0, -1.0])  # pulled apart, or pushed together
def test_frames_reach_from_before_the_largest_force_to_where_it_has_fallen(sign: float) -> None:
    run = pull(sign=sign)
    target = 3.0 + 4.0 * steps_of(peak_frames([run], 0.8, 1000, everything(run))) / 2000.0
    assert target.min() == pytest.approx(5.2, abs=0.03)  # 0.8 Å before the last of the high forces
    assert target.max() == pytest.approx(6.2, abs=0.03)  # the fall lasts 0.1 Å, and as long again is kept
    few = 3.0 + 4.0 * steps_of(peak_frames([run], 0.8, 9, everything(run))) / 2000.0
    assert len(few) == 9
    assert (few > 6.01).sum() == 3  # a third where the bond ruptures
    assert np.diff(few[few < 6.01]) == pytest.approx([0.16] * 5, abs=0.03)


def test_a_pull_that_does_not_break_gives_the_way_to_its_end() -> None:
    run = pull(breaks=False)
    target = 3.0 + 4.0 * steps_of(peak_frames([run], 0.5, 1000, everything(run))) / 2000.0
    assert (target.min(), target.max()) == (pytest.approx(6.5, abs=0.03), pytest.approx(7.0, abs=0.03))


def test_a_pull_that_ended_before_the_spring_pulled_gives_nothing() -> None:
    run = pull()
    slack = replace(run, force=-np.linspace(3.0, 1.0, ROWS))  # d is above λ in all rows
    assert peak_frames([slack], 0.8, 9, everything(slack)) == []
    assert len(peak_frames([slack, run], 0.8, 9, everything(slack, run))) == 9


def test_all_pulls_give_alike_and_unsound_frames_are_left_out() -> None:
    runs = [pull("a"), pull("b"), pull("c")]
    sound = everything(*runs)
    target = 3.0 + 4.0 * runs[1].frame_step / 2000.0
    sound[1][:] = False
    sound[1][np.flatnonzero(target < 6.0)[-2:]] = True
    frames = peak_frames(runs, 0.8, 13, sound)
    names = [frame.info["source"].split()[0] for frame in frames]
    assert [names.count(name) for name in "abc"] == [6, 2, 5]
    assert all(frame.info["tag"] == PEAK for frame in frames)
    assert frames[0].info["source"] == f"a step {frames[0].info['step']}"
    assert peak_frames(runs, 0.8, 0, sound) == []
    assert peak_frames([], 0.8, 9, []) == []


def test_the_stiffness_of_the_model_is_that_of_its_own_labels(tmp_path: Path, al_model: ExportedModel) -> None:
    model = tmp_path / "model.nnp.pt"
    shutil.copy(al_model.path, model)
    calculator = NNPCalculator(model)
    rng = np.random.default_rng(2)
    bare = []
    for k in range(2):
        atoms = Atoms("Al4", positions=[[0, 0, 0], [2.6, 0, 0], [0, 2.7, 0.3], [2.5, 2.6, 0]])
        atoms.positions += rng.normal(0, 0.05, (4, 3))
        atoms.info.update(tag=PEAK, source=f"run step {k}")
        bare.append(atoms)

    def forces(frames):
        found = []
        for frame in frames:
            frame.calc = calculator
            found.append(frame.get_forces())
        return np.array(found)

    frames = with_displaced(bare, 2, 0.15, (0, 1), 20.0, forces, rng)
    assert [frame.info["tag"] for frame in frames] == [PEAK, DISPLACED, DISPLACED] * 2
    labeled = []
    for frame, force in zip(frames, forces(frames), strict=True):
        copy = frame.copy()
        copy.calc = SinglePointCalculator(copy, energy=0.0, forces=force)
        labeled.append(copy)
    facts = stiffness_facts(model, labeled)
    assert facts is not None
    assert len(facts.oracle) == 4
    np.testing.assert_allclose(facts.model, facts.oracle, atol=1e-3)  # single precision of forces over 0.1 Å
    assert (facts.mae, facts.bias) == (pytest.approx(0.0, abs=1e-3), pytest.approx(0.0, abs=1e-3))
    # the second frame's label is missing, so its copies tell nothing
    facts = stiffness_facts(model, [*labeled[:3], *labeled[4:]])
    assert facts is not None
    assert len(facts.oracle) == 2
    assert stiffness_facts(model, [labeled[0], labeled[4]]) is None
