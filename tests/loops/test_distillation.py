"""The loop of distillation and a translation of its set, end to end, through the command line."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import signal
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk

from doc_blocks import blocks, commands_of
from loop_runs import (
    DISTILLATION,
    broken_off_after,
    changed,
    facts_by_stage,
    finish,
    kill_when,
    manifest_bytes,
    write_config,
)
from nnpal.active_learning.distillation.label_stage import label
from nnpal.active_learning.distillation.pools import pool, sampled_frames
from nnpal.active_learning.distillation.report_stage import report
from nnpal.active_learning.distillation.sample_stage import sample
from nnpal.active_learning.distillation.select_stage import _drawn_sites, select
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.failure import Failure
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.run import read_run_config
from nnpal.active_learning.sampling import read_momt
from nnpal.active_learning.selection.grid import DELTAS, grid_chain
from nnpal.active_learning.shared.candidate_pairs import Candidates
from nnpal.active_learning.shared.label_frames import Labeling
from nnpal.data import read_frames
from nnpal.evaluation import predict
from nnpal.evaluation.relax import Structure, relax_if_possible
from nnpal.lammps.process import LmpError
from nnpal.model import read_metadata
from nnpal.runtime.json_files import as_json
from nnpal.training.plan import read_plan
from nnpal.training.start import start_network
from nnpal.training.worker import restore
from nnpal_commands import run_line

STAGES = ["select", "label", "train", "report"]
NAMES = ["iter-0000/sample", *(f"iter-{i:04d}/{stage}" for i in (0, 1) for stage in STAGES)]
N_FRAMES, N_TEST = 31, 6


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distilled")
    learning = {"training": {"start": "previous"}, "ensemble": {"validation_fraction": 0.5}}  # enough for a calibration
    write_config(folder, changed(DISTILLATION, **learning))
    finish(folder)
    return folder


@pytest.fixture(scope="module")
def facts(distilled):
    return facts_by_stage(distilled)


def test_members_start_from_those_of_the_iteration_before(distilled):
    plans = [read_plan(plan_folder(distilled, i)) for i in (0, 1)]
    assert plans[0].start is None
    assert (plans[1].start["kind"], plans[1].start["members"]) == ("training folder", [0, 1])
    assert plans[1].previous is None  # splits are drawn anew
    folders = [plan_folder(distilled, i) for i in (0, 1)]
    cpu = torch.device("cpu")
    for number in (0, 1):
        before = restore(folders[0], plans[0], number, cpu).best_network()
        begun = start_network(folders[1], plans[1].network, number)
        assert all(map(torch.equal, begun.parameters(), before.parameters()))


def plan_folder(folder, iteration):
    return folder / f"run/iter-{iteration:04d}/train/ensemble"


def test_what_is_kept_of_each_pool_is_counted(distilled, facts):
    assert list(facts) == NAMES
    assert json.loads(manifest_bytes(distilled))["finished"] == "all 2 pools are distilled"
    sample = facts["iter-0000/sample"]
    assert (sample["n_frames"], sample["n_test"], sample["n_atoms"]) == (N_FRAMES, N_TEST, 32)
    first, second = (facts[f"iter-{i:04d}/select"] for i in (0, 1))
    assert first["n_pool"] + second["n_pool"] == N_FRAMES - N_TEST
    assert len(first["chosen"]) == first["n_pool"]  # all of the first pool is learned
    assert 0 < len(second["chosen"]) <= DISTILLATION["distillation"]["max_chosen"]
    assert sum(second["counts"].values()) == second["n_pool"]
    limit = second["threshold"]
    assert limit["n_values"] == 32 * second["n_pool"]
    assert all(one["uq"] > limit["mean"] + limit["k"] * limit["deviation"] for one in second["chosen"])
    n_data = 0
    for i in (0, 1):
        n_data += facts[f"iter-{i:04d}/label"]["n_labelled"]
        assert facts[f"iter-{i:04d}/train"]["n_data"] == n_data
    assert n_data == first["n_pool"] + len(second["chosen"])


def test_pools_follow_one_another_and_leave_the_test_set_out(distilled, facts):
    with np.load(distilled / "run/iter-0000/sample/series.npz") as file:
        test = set(file["test"].tolist())
    frames = [{one["frame"] for one in facts[f"iter-{i:04d}/select"]["chosen"]} for i in (0, 1)]
    assert max(frames[0]) < min(frames[1])
    assert not test & (frames[0] | frames[1])
    whole = read_momt(distilled / "run/iter-0000/sample/runs/run-0").frames
    chosen = facts["iter-0001/select"]["chosen"]
    learned = read_frames(distilled / "run/iter-0001/label/learnt.h5")
    for one, frame in zip(chosen, learned, strict=True):
        np.testing.assert_array_equal(frame.positions, whole[one["frame"]].positions)


def test_the_report_counts_grids_as_table_s3(distilled):
    page = (distilled / "run/report.html").read_text()
    with np.load(distilled / "run/iter-0000/sample/series.npz") as file:
        levels = grid_chain(file["order"], file["enthalpy"], delta_H=None)
    table = page[page.index("Selection on grids of spacing") :]
    numbers = re.findall(r'<span class="value">([\d.]+)</span>', table[: table.index("</table>")])
    rows = [numbers[start : start + 4] for start in range(0, len(numbers), 5)]
    counts = [[len(level.selected), len(level.deselected), level.total] for level in levels]
    assert rows == [[f"{level.delta_O:g}", *map(str, row)] for level, row in zip(levels, counts, strict=True)]
    with (distilled / "run/figures/distillation_history.csv").open() as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    assert len(rows) == 3  # a title and two pools


def test_the_report_draws_the_sampling_with_its_learning(distilled):
    """Figures S1 and S3: energy, enthalpy and order of all configurations, and which are of the learning phase."""
    run = read_momt(distilled / "run/iter-0000/sample/runs/run-0")
    for name in ("energy_series", "time_series"):
        assert f"{name}.png" in (distilled / "run/report.html").read_text()
        with (distilled / f"run/figures/{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [float(row["H_eV"]) for row in rows] == pytest.approx(run.H)
        assert [float(row["U_eV"]) for row in rows] == pytest.approx(run.energy - run.dH)
        assert [float(row["O"]) for row in rows] == pytest.approx(run.O)
        assert [bool(int(row["learning"])) for row in rows] == run.learning.tolist()
    assert run.learning.all()  # 3 ps are too short to learn the bias


@pytest.mark.slow
def test_the_report_says_what_ended_the_loop_and_calls_nothing_converged(distilled, facts, tmp_path):
    page = (distilled / "run/report.html").read_text()
    assert "Why the run ended" in page
    assert "all 2 pools are distilled" in page
    assert "converged" not in page.partition("Configuration")[0].lower()
    force = 1e3 * facts["iter-0001/train"]["test"]["force_mae"]
    assert f">{force:,.2f}<" in page
    folder = shutil.copytree(distilled, tmp_path / "copy", symlinks=True)
    ctx, config = context(folder, facts, 1, "report"), given(folder, sets=3)
    report(ctx, RunSection(iterations=2), config.distillation, config.ensemble)
    page = (folder / "run/report.html").read_text()
    assert "run.iterations = 2 are done" in page
    assert "2 of 3 pools are distilled" in page
    report(ctx, RunSection(iterations=3), config.distillation, config.ensemble)
    assert "nothing yet" in (folder / "run/report.html").read_text()


def test_new_labels_are_held_against_error_bars_before_they_calibrate_the_next(distilled, facts):
    run = distilled / "run"
    found = [read_metadata(run / f"iter-{i:04d}/train/model.nnp.pt").calibration for i in (0, 1)]
    label = facts["iter-0001/label"]
    assert [one.evidence["candidates"] for one in found] == [0, label["n_labelled"]]
    assert "calibration" not in facts["iter-0000/label"]  # no model had chosen
    own = Candidates.read(run / "iter-0001/label/calibration_pairs.npz")
    frames = read_frames(run / "iter-0001/label/learnt.h5")
    np.testing.assert_array_equal(own.error_force, found[0].error_force(own.pairs.uq_force, own.pairs.species))
    before = predict(run / "iter-0000/train/model.nnp.pt", frames)
    np.testing.assert_allclose(own.pairs.uq_force, before.uq_force, rtol=1e-6)
    told = label["calibration"]
    assert (told["n_configurations"], told["n_atoms"]) == (len(frames), 32 * len(frames))
    error = before.forces - np.concatenate([frame.get_forces() for frame in frames])
    within = np.abs(error) <= 0.99445788 * own.error_force[:, None] / math.sqrt(3)  # 68 % of a normal distribution
    assert told["coverage"][0] == pytest.approx(within.mean())
    page = (run / "report.html").read_text()
    assert "Error bars on new configurations" in page
    assert "coverage of 68 % (%)" in page
    with (run / "figures/coverage_history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["coverage_of_68_per_cent"] for row in rows[:1]] == ["nan"]
    assert float(rows[1]["coverage_of_68_per_cent"]) == pytest.approx(100 * told["coverage"][0])
    assert {"reliability", "error_by_tenth"} < {path.stem for path in (run / "figures").iterdir()}


def test_atoms_above_an_error_are_chosen(distilled, facts, tmp_path):
    folder = shutil.copytree(distilled, tmp_path / "copy", symlinks=True)
    before = {name: found for name, found in facts.items() if name < "iter-0001"}
    ctx = context(folder, before, 1, "select")
    pool_of = pool(ctx, given(folder).distillation, 1)
    frames = sampled_frames(ctx, pool_of)
    model = folder / "run/iter-0000/train/model.nnp.pt"
    errors = predict(model, frames).error_force.reshape(len(frames), -1)
    limit = float(np.median(errors.max(1)))
    section = given(folder, error_above=limit, order="uq", min_distance=1e-9, max_chosen=100).distillation
    found = select(ctx, section, None)
    above = {int(k) for k in pool_of[errors.max(1) > limit]}
    assert 0 < len(above) < len(frames)
    assert {one.frame for one in found.chosen} == above
    assert found.n_atoms_above == (errors > limit).sum()
    assert found.counts == {"accurate": len(frames) - len(above), "candidate": len(above), "failed": 0}
    assert (found.threshold, found.error_above) == (None, limit)
    assert max(one.uq for one in found.chosen) == pytest.approx(errors.max())
    shutil.copy(folder / "run/iter-0000/train/best.nnp.pt", model)  # one member has no calibration
    with pytest.raises(StageError, match=r"distillation\.error_above = .*model\.nnp\.pt has no calibration"):
        select(ctx, section, None)


def test_crystals_have_an_order_where_there_are_two(distilled, facts, tmp_path):
    assert "Order of Al" not in (distilled / "run/report.html").read_text()
    folder, two = shutil.copytree(distilled, tmp_path / "copy", symlinks=True), deepcopy(facts)
    two["iter-0001/train"]["crystals"]["Al"] |= {"oracle_order": ["fcc", "bcc"], "right_order": False}
    config = given(folder, sets=2)
    report(context(folder, two, 1, "report"), RunSection(iterations=2), config.distillation, config.ensemble)
    assert re.search(r"Order of Al.{0,200}wrong", (folder / "run/report.html").read_text(), re.DOTALL)


@pytest.mark.slow
def test_a_killed_distillation_ends_as_if_unbroken(distilled, tmp_path):
    folder = broken_off_after(distilled, "iter-0001/select", tmp_path / "copy")
    place = folder / "run" / "iter-0001"
    for file in (place / "label/batches/batch-0000/task.json", place / "train/member-1/task.json"):
        assert kill_when(folder, file.exists) == -signal.SIGKILL
    finish(folder)
    assert manifest_bytes(folder) == manifest_bytes(distilled)


@pytest.mark.slow
def test_environments_of_uncertain_atoms_are_cut_into_cells_along_the_grids(tmp_path):
    tables = changed(
        DISTILLATION,
        distillation={"pools": "grid", "reduction": "cell", "n_atoms": 32, "radius": 2.5, "max_chosen": 4},
        explore={"cells": [3, 3, 3], "H": [-420.0, -290.0, 60], "O": [-5.0, 108.0, 100], "steps": 2000, "every": 40},
        crystals=None,
    )
    write_config(tmp_path, tables)
    finish(tmp_path)
    facts = facts_by_stage(tmp_path)
    with np.load(tmp_path / "run/iter-0000/sample/series.npz") as file:
        levels = grid_chain(file["order"], file["enthalpy"], delta_H=None)
        test = set(file["test"].tolist())
    assert len(levels) == len(DELTAS)
    for i, offered in ((0, levels[-1].selected), (1, levels[-1].deselected)):
        select = facts[f"iter-{i:04d}/select"]
        expected = set(offered.tolist()) - test
        assert select["n_pool"] == len(expected)
        assert {one["frame"] for one in select["chosen"]} <= expected
        assert all(one["preserved_radius"] >= 2.5 for one in select["chosen"])
        for frame in read_frames(tmp_path / f"run/iter-{i:04d}/label/learnt.h5"):
            assert len(frame) == 32
            assert frame.pbc.all()
    assert json.loads(manifest_bytes(tmp_path))["finished"] == "all 2 iterations are done"


def given(folder, **distillation):
    """Return the configuration of a run, keys of [distillation] changed."""
    config = read_run_config(folder / "loop.toml")
    return config.model_copy(update={"distillation": config.distillation.model_copy(update=distillation)})


def context(folder, facts, iteration, stage):
    """Return what a stage is given after the facts of the stages before it."""
    tables = json.loads((folder / "run/resolved.json").read_text())
    place = folder / "run" / f"iter-{iteration:04d}" / stage
    place.mkdir(parents=True, exist_ok=True)
    history = [{} for _ in range(iteration + 1)]
    for name, found in facts.items():
        if not name.endswith("report"):
            history[int(name[5:9])][name[10:]] = found
    return StageContext(
        folder / "run", place, iteration, tables, history, 1,
        tasks=None, deadline=Deadline(), log=print,
    )  # fmt: skip


def test_sampling_that_was_given_up_is_used(distilled, tmp_path):
    """The frames are all there, so that labels of the test set are known; that the run was whole is forgotten."""
    folder = shutil.copytree(distilled, tmp_path / "copy", symlinks=True)
    run = folder / "run/iter-0000/sample/runs/run-0"
    (run / "ended.json").unlink()

    class GivenUp:
        def run(self, tasks, limits=None):
            return [TaskOutcome(task.folder, None, Failure("killed", "was ended by SIGKILL", "")) for task in tasks]

    ctx = replace(context(folder, {}, 0, "sample"), tasks=GivenUp())
    config = read_run_config(folder / "loop.toml")
    how = Labeling(config.oracle, config.label, folder)
    found = as_json(sample(ctx, how, config.explore, N_TEST).to_json(), "facts")
    assert (found["n_frames"], found["n_test"], found["runs"]) == (N_FRAMES, N_TEST, ["run-0"])
    assert found["ended"] == {"runs/run-0": "interrupted"}
    assert found["failed_tasks"] == {"runs/run-0": "killed: was ended by SIGKILL"}
    (run / "frames.lammpstrj").unlink()
    with pytest.raises(StageError, match="MOMT sampled nothing"):
        sample(ctx, how, config.explore, N_TEST)


def test_random_choice_is_of_all_atoms_of_the_pool(distilled, facts, tmp_path):
    folder = shutil.copytree(distilled, tmp_path / "copy", symlinks=True)
    before = {name: found for name, found in facts.items() if name < "iter-0001"}
    ctx = context(folder, before, 1, "select")
    pool_of = pool(ctx, given(folder).distillation, 1).tolist()
    section = given(folder, order="random", max_chosen=len(pool_of)).distillation
    found = select(ctx, section, None)
    assert sorted(one.frame for one in found.chosen) == sorted(pool_of)  # those below the threshold too
    assert len({one.atom for one in found.chosen}) > len(pool_of) / 4
    assert (found.n_near_known, found.n_near_chosen) == (0, 0)
    assert select(ctx, section, None).chosen == found.chosen
    some = select(ctx, section, 3).chosen
    assert len({one.frame for one in some}) == 3
    more = section.model_copy(update={"max_chosen": 2 * len(pool_of)})
    assert len(select(ctx, more, None).chosen) == len(pool_of)  # kept whole, a second atom would be the same again
    frames, parts = [bulk("Al", cubic=True)] * 3, [np.ones(4)] * 3
    cut = _drawn_sites(frames, parts, 7, 1, section.model_copy(update={"n_atoms": 2, "reduction": "cell"}))
    assert len({site[:2] for site in cut}) == 7
    assert {site[0] for site in cut[:3]} == {0, 1, 2}


def test_a_pool_without_configurations_gives_nothing_and_the_first_is_an_error(distilled, facts, tmp_path):
    shutil.copytree(distilled, tmp_path / "copy", symlinks=True)
    folder = tmp_path / "copy"
    apart = 3.5 * np.arange(N_FRAMES)  # no grid deselects any
    np.savez(folder / "run/iter-0000/sample/series.npz", order=apart, enthalpy=apart, test=np.arange(N_TEST))
    before = {name: found for name, found in facts.items() if name < "iter-0001"}
    config = given(folder, pools="grid")
    ctx = context(folder, before, 1, "select")
    found = as_json(select(ctx, config.distillation, None).to_json(), "facts")
    assert (found["n_pool"], found["chosen"]) == (0, [])
    after = before | {"iter-0001/select": found}
    how = Labeling(config.oracle, config.label, folder)
    labeled = as_json(label(context(folder, after, 1, "label"), how).to_json(), "facts")
    assert labeled["n_labelled"] == 0
    after |= {"iter-0001/label": labeled, "iter-0001/train": facts["iter-0001/train"]}
    ctx = context(folder, after, 1, "report")
    assert report(ctx, config.run, config.distillation, config.ensemble).files == ("report.html",)
    np.savez(folder / "run/iter-0000/sample/series.npz", order=apart, enthalpy=apart, test=np.arange(N_FRAMES))
    ctx = context(folder, {"iter-0000/sample": facts["iter-0000/sample"]}, 0, "select")
    with pytest.raises(StageError, match=r"lower distillation\.test, which is 6"):
        select(ctx, config.distillation, None)


SECOND = {"kind": "schnet", "features": 4, "interactions": 1, "gaussians": 4, "cutoff": 3.5}


@pytest.mark.slow
@pytest.mark.parametrize("second", [False, True])
def test_a_translated_set_is_that_of_another_metal(distilled, facts, tmp_path, second):
    shutil.copytree(distilled / "run", tmp_path / "run", symlinks=True)
    tables = changed(
        DISTILLATION,
        run={"folder": "copper", "iterations": None},
        distillation=None,
        translation={"source": "run", "symbols": {"Al": "Cu"}, "factor": 0.893},
        oracle={"elements": ["Cu"], "commands": ["pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"]},
        explore=None,
        crystals={"structures": [{"phase": "fcc", "element": "Cu", "bond": 2.55}]},
        **({"also_train": SECOND} if second else {}),
    )
    write_config(tmp_path, tables, "translation.toml")
    assert "finished: translated" in finish(tmp_path, name="translation.toml")
    found = json.loads((tmp_path / "copper/manifest.json").read_text())
    label, train, _ = (entry["facts"] for entry in found["entries"])
    n_source = facts["iter-0001/train"]["n_data"]
    assert (label["n_source"], label["n_labelled"], train["n_data"]) == (n_source, n_source, n_source)
    source = read_frames(tmp_path / "run/iter-0000/label/learnt.h5")
    for before, after in zip(source, read_frames(tmp_path / "copper/iter-0000/label/learnt.h5"), strict=False):
        assert set(after.symbols) == {"Cu"}
        np.testing.assert_allclose(after.cell.lengths(), 0.893 * before.cell.lengths(), rtol=1e-12)
        assert not math.isclose(after.get_potential_energy(), before.get_potential_energy(), rel_tol=1e-3)
    # copper's cohesive energy is 3.54 eV in this potential, aluminum's 3.41 in the other
    assert len(train["self_energies"]) == 1
    assert -3.6 < train["self_energies"][0] < -3.0
    page = (tmp_path / "copper/report.html").read_text()
    assert "Al becomes Cu, lengths scaled by 0.8930, ensemble of 2 ANI networks" in page
    assert train.get("second", {}).get("kind") == ("schnet" if second else None)
    assert ("SchNet on the same data" in page) == second
    assert "Cu-fcc" in page
    assert "converged" not in page.partition("Configuration")[0].lower()
    assert "the dataset is translated" in page
    table = page[page.index("Mean absolute errors against the labels") :].partition("</table>")[0]
    numbers = re.findall(r'<span class="value">([\d,.]+)</span>', table)
    names = [f"{part}_{name}" for part in ("train", "validation")
             for name in ("energy_mae", "relative_energy_mae", "force_mae")]  # fmt: skip
    assert numbers == [f"{1e3 * train[name]:,.2f}" for name in names]


def test_a_crystal_that_collapses_is_no_error(tmp_path):
    falls_in = ["pair_style yukawa 0.01 6.0", "pair_coeff * * -20.0"]
    found = relax_if_possible(falls_in, Structure("fcc", "Al", 2.86), tmp_path)
    assert found.failed
    assert not found.converged
    assert found.to_json()["bond"] is None
    with pytest.raises(LmpError, match="nothing-such"):
        relax_if_possible(["pair_style nothing-such"], Structure("fcc", "Al", 2.86), tmp_path)


def test_commands_of_the_tutorial_run(distilled, tmp_path, monkeypatch):
    """docs/tutorial_distillation.md; what it says of translation is run above."""
    folder = tmp_path / "tutorial"
    shutil.copytree(distilled, folder)  # links to LAMMPS's potentials are relative, and would lead nowhere from here
    shutil.copy(folder / "loop.toml", folder / "distill.toml")
    others = ("python -m venv", "pip install", "nnpal doctor", "nnpal run translate.toml")
    for block in blocks("sh", "tutorial_distillation.md"):
        monkeypatch.chdir(folder)
        for command in commands_of(block):
            if not command.startswith(others):
                run_line(command)
    assert len(read_frames(folder / "al_distilled.h5")) > 0
    sampled = "run/iter-0000/sample/runs/run-0/momt.trace"
    assert (folder / "by_hand" / "momt.trace").read_bytes() == (folder / sampled).read_bytes()
