"""The loop of rare events, end to end, through the command line."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from doc_blocks import ROOT
from loop_runs import (
    RARE_EVENTS,
    broken_off_after,
    drive,
    facts_by_stage,
    finish,
    label_calls,
    manifest_bytes,
    n_in_store,
    nnpal,
)
from nnpal.active_learning.rare_events.loop import finished_iterations
from nnpal.active_learning.run import check
from nnpal.active_learning.sampling import read_rows_of_pull, read_smd
from nnpal.active_learning.shared.candidate_pairs import Candidates
from nnpal.data import read_frames
from nnpal.model import read_metadata
from nnpal.smd import activation_energy
from processes import run
from water_oracle import Water

STAGES = ["train", "explore", "select", "label", "report"]
NAMES = ["iter-0000/initial", *(f"iter-{i:04d}/{stage}" for i in (0, 1) for stage in STAGES)]
PULL = "rate-20-run-0"


@pytest.fixture(scope="module")
def facts(rare_events):
    return facts_by_stage(rare_events)


def test_the_command_shows_the_members_of_each_training(rare_events):
    output = (rare_events / "output.txt").read_text()
    tables = re.findall(r"^member +updates .*\n((?: +\d.*\n)+)(2 of 2 members trained; updates .*)$", output, re.M)
    assert len(tables) == 2
    for rows, _ in tables:
        cells = [row.split() for row in rows.splitlines()]
        assert [(row[0], row[2], row[-1]) for row in cells] == [(str(k), "3/3", "finished") for k in (0, 1)]
    assert "members trained" not in (rare_events / "run" / "run.log").read_text()


def test_the_stages_are_in_the_manifest_and_their_files_in_their_folders(rare_events, facts):
    assert list(facts) == NAMES
    for name, found in facts.items():
        for file in found.get("files", []):
            assert (rare_events / "run" / name / file).is_file()
            if file.endswith(".json"):  # another folder's manifest is to be the same
                assert str(rare_events) not in (rare_events / "run" / name / file).read_text()
    pulls = [f"{PULL}/{name}" for name in ("rows.txt", "frames.lammpstrj", "run.json", "ended.json")]
    assert {f"oracle-pulls/{name}" for name in pulls} < set(facts["iter-0000/initial"]["files"])
    assert {f"{who}/{name}" for who in ("ensemble", "best") for name in pulls} == set(
        facts["iter-0000/explore"]["files"]
    )
    ensemble = {f"ensemble/{name}.json" for name in ("plan", "splits", "result")}
    assert ensemble < set(facts["iter-0000/train"]["files"])
    text = manifest_bytes(rare_events).decode()
    assert str(rare_events) not in text
    assert json.loads(text)["finished"] == "all 2 iterations are done"
    run = rare_events / "run"
    assert (run / "config.toml").read_bytes() == (rare_events / "loop.toml").read_bytes()
    expected = {"manifest.json", "times.json", "run.log", "resolved.json", "labels.sqlite", "report.html", "figures"}
    assert expected < set(os.listdir(run))
    own = ["calls.txt", "loop.toml", "output.txt", "run", "water.xyz", "water_oracle.py"]  # output.txt: the fixture's
    assert sorted(os.listdir(rare_events)) == own


def test_the_plan_holds_for_the_run(rare_events, facts):
    plan = check(rare_events / "loop.toml")
    assert plan.n_done == len(facts)
    assert plan.finished == "all 2 iterations are done"
    n_labelled = [found.get("n_labelled", 0) + found.get("n_unseen", 0) for found in facts.values()]
    assert sum(n_labelled) <= plan.n_labels
    assert plan.known[0] == n_in_store(rare_events)
    first = next(count.n for count in plan.labels if count.what == "first data")
    assert first == facts["iter-0000/initial"]["n_labelled"]


def test_counts_add_up(rare_events, facts):
    initial = facts["iter-0000/initial"]
    steps = RARE_EVENTS["initial"]["steps"] // RARE_EVENTS["initial"]["every"]
    assert (initial["n_frames"], initial["n_labelled"], initial["n_unseen"]) == (steps + 1, steps + 1, 6)
    assert initial["ended"] == {"dynamics/temperature-300-run-0": "complete"}
    n_data = initial["n_labelled"]
    for i in (0, 1):
        train, explore, select, label = (facts[f"iter-{i:04d}/{stage}"] for stage in STAGES[:4])
        assert train["n_data"] == n_data
        assert train["members"] == 2
        assert train["epochs"] == {"0": 3, "1": 3}
        counts = select["counts"]
        assert counts["accurate"] + counts["candidate"] + counts["failed"] == explore["ensemble"]["n_frames"]
        assert counts["candidate"] == select["n_candidates"]
        chosen = select["chosen"]
        assert 0 < len(chosen) <= RARE_EVENTS["rare_events"]["max_chosen"]
        assert len(chosen) + select["n_near_known"] + select["n_near_chosen"] <= select["n_candidates"]
        limit = select["thresholds"][PULL]
        assert all(one["uq"] > limit["mean"] + limit["k"] * limit["deviation"] for one in chosen)
        assert label["n_chosen"] == len(chosen)
        # half of the four labels are kept for the surroundings of the largest force: a frame and a displaced copy
        assert (select["n_peak"], select["n_displaced"]) == (1, 1)
        assert label["n_labelled"] == len(chosen) + 2
        frames = read_frames(rare_events / "run" / f"iter-{i:04d}" / "label" / "learnt.h5")
        assert len(frames) == label["n_labelled"]
        peak, displaced = frames[-2:]
        assert [frame.info["tag"] for frame in frames] == ["explored"] * len(chosen) + ["peak", "displaced"]
        assert displaced.info["source"] == f"displaced from {peak.info['source']}"
        shift = displaced.positions - peak.positions
        change = displaced.get_forces() - peak.get_forces()
        stiffness = label["stiffness"]["oracle"]
        assert stiffness == pytest.approx([-(change * shift).sum() / (shift**2).sum()])
        n_data += label["n_labelled"]


def test_labels_are_those_of_the_oracle_and_each_was_computed_once(rare_events, facts):
    frames = [
        frame
        for name in ("iter-0000/initial/learnt.h5", "iter-0000/initial/unseen.h5", "iter-0001/label/learnt.h5")
        for frame in read_frames(rare_events / "run" / name)
    ]
    for frame in frames:
        bare = frame.copy()
        bare.calc = Water()
        assert bare.get_potential_energy() == pytest.approx(frame.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(bare.get_forces(), frame.get_forces(), atol=1e-12)
    n_labels = sum(one.get("n_labelled", 0) + one.get("n_unseen", 0) for one in facts.values())
    assert label_calls(rare_events) == n_in_store(rare_events)
    assert n_in_store(rare_events) <= n_labels  # both may hold the same configuration


def test_activation_energies_are_those_of_the_pulls(rare_events, facts):
    run = rare_events / "run"
    oracle = facts["iter-0000/initial"]["oracle"]["activation_energy"]["20"]
    assert oracle == pytest.approx(activation_energy(read_smd(run / "iter-0000/initial/oracle-pulls" / PULL).pull))
    ensemble = facts["iter-0001/explore"]["ensemble"]["activation_energy"]["20"]
    assert ensemble == pytest.approx(activation_energy(read_smd(run / "iter-0001/explore/ensemble" / PULL).pull))
    for name in ("initial", "explore"):
        quiet = read_smd(run / f"iter-0000/{name}/noiseless/rate-20-push-0")
        assert facts[f"iter-0000/{name}"]["noiseless"] == {
            "rate": 20.0, "activation_energy": [pytest.approx(activation_energy(quiet.pull))],
        }  # fmt: skip
    folder = run / "iter-0001/explore/ensemble" / PULL
    assert facts["iter-0001/explore"]["ensemble"]["by_run"] == {"20": [ensemble]}
    rows, ended = read_rows_of_pull(folder)
    assert (ended, activation_energy(rows)) == ("complete", ensemble)
    bar = facts["iter-0001/explore"]["ensemble"]["error_bars"]["20"]
    assert len(bar["members"]) == 2
    assert "statistical" not in bar  # of one pull
    assert facts["iter-0001/explore"]["best"]["error_bars"] == {"20": {}}  # one member has no spread
    error = facts["iter-0001/report"]["largest_error_kcal_mol"]
    assert error == pytest.approx(23.060548 * abs(ensemble - oracle))


def test_the_report_has_its_figures_with_their_numbers(rare_events, facts):
    run = rare_events / "run"
    for path in (run / "report.html", run / "iter-0001/report/report.html"):
        page = path.read_text()
        assert "Bias before the break" in page
        assert "all iterations are finished" in page
        assert "one pull per rate: there is no confidence interval" in page
        assert f"{facts['iter-0001/train']['n_data']} training and validation configurations in iteration 1" in page
        links = [link for link in re.findall(r'(?:href|src)="([^"#]+)"', page) if not link.startswith("data:")]
        assert len(links) > 20
        assert all((path.parent / link).is_file() for link in links)  # so none leads to the network
    names = {path.stem for path in (run / "figures").iterdir()}
    assert {"work_function", "activation_energy_ensemble", "activation_energy_error_best", "uq_trace"} < names
    assert {
        "mae_energy",
        "mae_relative_energy",
        "mae_force",
        "uq_against_error_energy",
        "labels_history",
        "structures",
        "classes_history",
        "uq_trace_iterations",
        "learning_of_the_best",
        "energies_and_scatter",
        "snapshots",
    } < names
    assert not (run / "iter-0000/report/figures/snapshots.png").exists()  # the loop was not over
    for name in names:
        assert {path.suffix for path in (run / "figures").glob(f"{name}.*")} == {".png", ".pdf", ".csv"}, name
    with (run / "figures" / "activation_energy_error_ensemble.csv").open() as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    last = float(rows[-1][-1])
    assert last == pytest.approx(facts["iter-0001/report"]["largest_error_kcal_mol"], rel=1e-4)


def test_models_without_calibration_leave_pairs_and_a_page_without_error_bars(rare_events, facts):
    run = rare_events / "run"
    calibration = read_metadata(run / "iter-0001/train/model.nnp.pt").calibration
    assert calibration is None  # of 11 configurations of water
    for i in (0, 1):
        label = facts[f"iter-{i:04d}/label"]
        assert "calibration" not in label
        pairs = Candidates.read(run / f"iter-{i:04d}/label/calibration_pairs.npz").pairs
        assert len(pairs.n_atoms) == label["n_labelled"]
        np.testing.assert_allclose(
            np.maximum.reduceat(pairs.size, pairs.first_atoms), label["uq"]["force_error"], rtol=1e-12
        )
    page = (run / "report.html").read_text()
    assert "Error bars on new configurations" not in page.partition("Configuration")[0]
    assert not (run / "figures/coverage_history.png").exists()


@pytest.mark.parametrize("place", ["iter-0000/initial/oracle-pulls", "iter-0001/explore/ensemble"])
def test_an_input_of_lammps_runs_by_hand_with_the_same_result(rare_events, tmp_path, place):
    copy = shutil.copytree(rare_events, tmp_path / "copy", symlinks=True)
    folder = copy / "run" / place / PULL
    known = {name: (folder / name).read_bytes() for name in ("rows.txt", "frames.lammpstrj")}
    for name in known:
        (folder / name).unlink()
    command = (folder / "in.smd").read_text().splitlines()[2].removeprefix("#").strip()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = run(command, shell=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: (folder / name).read_bytes() for name in known} == known


def test_status_tells_where_a_run_stands(rare_events, tmp_path):
    text = nnpal(rare_events, "status", "run")
    assert "run: finished: all 2 iterations are done" in text
    assert "iter-0001: train" in text
    broken = broken_off_after(rare_events, "iter-0000/explore", tmp_path / "copy")
    found = json.loads(nnpal(broken, "status", "run", "--json"))
    assert found["state"] == "waiting"
    assert [stage["name"] for stage in found["finished"]] == NAMES[:3]
    assert found["facts"]["train"]["n_data"] == 11


@pytest.mark.slow
def test_only_one_stage_on_request(rare_events, tmp_path):
    folder = broken_off_after(rare_events, "iter-0000/train", tmp_path / "copy")
    out = finish(folder, "--only", "explore")
    assert "paused: explore of iteration 0 is done" in out
    assert "to resume: nnpal run loop.toml" in out
    assert facts_by_stage(folder) == {name: facts_by_stage(rare_events)[name] for name in NAMES[:3]}
    code, _, err = drive(folder, "--only", "exploer")
    assert code == 1
    assert "stage exploer does not belong to this workflow" in err
    assert "did you mean explore" in err


def test_a_finished_run_does_nothing_more(rare_events, tmp_path):
    folder = shutil.copytree(rare_events, tmp_path / "copy", symlinks=True)
    calls = (folder / "calls.txt").read_bytes()
    assert "finished: all 2 iterations are done" in finish(folder)
    assert (folder / "calls.txt").read_bytes() == calls
    assert manifest_bytes(folder) == manifest_bytes(rare_events)


def test_the_tables_of_the_results_page_are_those_of_the_run(rare_events, facts):
    script = ROOT / "docs" / "examples" / "results" / "rare_events_tables.py"
    done = run([sys.executable, script, rare_events / "run"])
    assert done.returncode == 0, done.stderr
    told = done.stdout
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines() if line.startswith("|")]
    assert [row[0] for row in rows] == ["iteration", "---", "0", "1", "rate, Å/ps", "---", "20"]
    unseen = facts["iter-0001/train"]["unseen"]["model.nnp.pt"]
    assert rows[3][2] == f"{1e3 * unseen['energy_mae']:.2f}"
    assert rows[3][6] == f"{rows[6][3]} (1)"
    assert rows[6][4:6] == ["– to –", "1"]
    theirs, ours, difference = (float(cell.replace("−", "-")) for cell in rows[6][1:4])
    assert ours - theirs == pytest.approx(difference, abs=0.02)  # each is rounded
    assert theirs > 1.0  # kcal/mol, not eV


def test_of_a_run_at_work_the_finished_iterations_are_read(rare_events, tmp_path):
    manifest = json.loads((rare_events / "run" / "manifest.json").read_text())
    begun = [entry for entry in manifest["entries"] if entry["iteration"] == 0 or entry["stage"] == "train"]
    assert len(begun) < len(manifest["entries"])
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "entries": begun, "finished": None}))
    assert len(finished_iterations(tmp_path)) == 1
    assert len(finished_iterations(rare_events / "run")) == 2
