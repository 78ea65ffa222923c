"""What stages have found: objects in Python, JSON in the manifest; a misspelled key is an error before any work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from nnpal.active_learning.engine.engine import run_loop
from nnpal.active_learning.engine.error import LoopError, StageError
from nnpal.active_learning.engine.facts import Part, StageFacts
from nnpal.active_learning.engine.stage import Stage
from nnpal.active_learning.rare_events.facts import ChosenFrame, Iteration, RareEventsTrainFacts, SelectFacts
from nnpal.active_learning.shared.facts import ThresholdFacts, iterations
from nnpal.runtime.json_files import as_json, canonical

TABLES = {"run": {"iterations": 2, "min_free_disk": 0.0}}


class Peak(Part):
    height: float
    place: int | None


class Peaks(StageFacts):
    stage: ClassVar[str] = "look"

    peaks: tuple[Peak, ...]
    note: str | None = None


class Looking:
    """Two stages: one looks, the other reads what it has found, and a page."""

    def __init__(self, found=None):
        self.seen = []
        self.found = found

    def stages(self, iteration):
        return [
            Stage("look", lambda ctx: self.found or Peaks(peaks=(Peak(height=1, place=None),), files=()), facts=Peaks),
            Stage("sum", self.sum),
        ]

    def sum(self, ctx):
        self.seen.append(ctx.found(ctx.iteration, Peaks).peaks)
        return {"sum": sum(peak.height for peak in self.seen[-1])}

    def stop(self, history):
        return None


def carry_out(folder, loop, **options):
    (folder / "c.toml").touch()
    return run_loop(loop, folder / "c.toml", TABLES, folder / "run", log=lambda text: None, **options)


def edit(folder, **changes):
    """Change the facts of the first entry of a manifest; None drops a key."""
    path = folder / "run/manifest.json"
    content = json.loads(path.read_text())
    facts = content["entries"][0]["facts"] | changes
    content["entries"][0]["facts"] = {key: value for key, value in facts.items() if value is not None}
    path.write_text(json.dumps(content))


def test_a_stage_reads_objects_and_the_manifest_holds_json(tmp_path):
    loop = Looking()
    carry_out(tmp_path, loop)
    assert loop.seen == [(Peak(height=1.0, place=None),)] * 2
    facts = json.loads((tmp_path / "run/manifest.json").read_text())["entries"][0]["facts"]
    assert facts == {"peaks": [{"height": 1.0, "place": None}], "files": []}  # and no note, which there is none of


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peeks": []}, "peeks: unknown key"),
        ({"peaks": None}, "peaks: missing"),
        ({"peaks": [{"height": 2.0, "place": 1, "width": 3}]}, "peaks.0.width: unknown key"),
        ({"peaks": [{"height": 2.0}]}, "peaks.0.place: missing"),
        ({"peaks": [{"height": "2", "place": 1}]}, "peaks.0.height = '2': input should be a valid number"),
    ],
)
def test_a_manifest_with_other_keys_is_refused_before_anything_is_done(tmp_path, changes, said):
    carry_out(tmp_path, Looking())
    edit(tmp_path, **changes)
    before = (tmp_path / "run/manifest.json").read_bytes()
    for options in ({}, {"keep": True}):
        loop = Looking()
        with pytest.raises(LoopError) as caught:
            carry_out(tmp_path, loop, **options)
        told, cure = str(caught.value).split("\n")
        assert told == f"{tmp_path}/run/manifest.json: iter-0000/look: {said}"
        assert cure.startswith(
            "  another version of nnpal wrote it, or it was edited: resume with that version of nnpal, restore"
        )
        assert not loop.seen
    assert (tmp_path / "run/manifest.json").read_bytes() == before


def test_a_stage_that_finds_something_else_than_it_says_fails(tmp_path):
    with pytest.raises(StageError, match=r"iter-0000/look: ValueError: its facts are a dict, expected Peaks"):
        carry_out(tmp_path, Looking({"peaks": [], "files": []}))


def test_json_of_a_manifest_comes_back_to_the_byte():
    """An entry as runs of before have it: keys that are absent stay absent, null stays null."""
    select = {
        "chosen": [{"run": "rate-1-run-0", "step": 40, "uq": 0.25}],
        "counts": {"accurate": 3, "candidate": 1, "failed": 0}, "files": ["chosen.traj"],
        "good_frames": {"rate-1-run-0": 4}, "n_candidates": 1, "n_near_chosen": 0, "n_near_known": 0,
        "thresholds": {"rate-1-run-0": {"deviation": 0.01, "k": 3.0, "mean": 0.1, "n_values": 50}, "r-4": None},
    }  # fmt: skip
    errors = {"energy_mae": 0.1, "force_mae": 0.2, "relative_energy_mae": 0.05}
    train = {
        "best_member": 1, "epochs": {"0": 3, "1": 3}, "failed_members": {}, "files": ["model.nnp.pt"], "members": 2,
        "n_data": 7, "unseen": {"best.nnp.pt": errors, "model.nnp.pt": None},
        **{f"{part}_{name}": value for part in ("train", "validation") for name, value in errors.items()},
    }  # fmt: skip
    for kind, facts in ((SelectFacts, select), (RareEventsTrainFacts, train)):
        for given in (facts, {key: value for key, value in facts.items() if key != "unseen"}):
            assert canonical(as_json(kind.from_json(given, "x").to_json(), "it")) == canonical(given)
    with pytest.raises(
        LoopError, match=r"manifest\.json: iteration 0: select\.chosen\.0\.stepp: unknown key"
    ) as caught:
        iterations([{"select": {**select, "chosen": [{**select["chosen"][0], "stepp": 1}]}, "train": train}], Iteration)
    assert "manifest.json: iteration 0: label: missing" in str(caught.value)


def test_objects_refuse_what_they_do_not_have():
    with pytest.raises(ValueError, match="stepp"):
        ChosenFrame(run="a", stepp=1, uq=0.1)
    with pytest.raises(ValueError, match="finite"):
        ThresholdFacts(mean=float("nan"), deviation=0.1, k=3.0, n_values=30)


MISSPELLED = """
from nnpal.active_learning.settings import RareEventsSection
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.facts import ChosenFrame, InitialFacts

def right(ctx: StageContext, section: RareEventsSection) -> float:
    return ctx.found(0, InitialFacts).pull_seed + section.k

def wrong(ctx: StageContext, section: RareEventsSection) -> object:
    a = ctx.found(0, InitialFacts).pul_seed
    b = section.first_step
    c = ctx.tables["oracle"]["commands"]
    d = ctx.history[0]["initial"]["oracle"]["activation_energy"]
    return a, b, c, d, ChosenFrame(run="a", stepp=1, uq=0.1)
"""


@pytest.mark.slow
def test_mypy_finds_a_misspelled_key(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "stage.py").write_text(MISSPELLED)
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), str(tmp_path / "stage.py")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=600)
    lines = sorted(
        {int(line.split(":")[1]) for line in done.stdout.splitlines() if "stage.py" in line and "error:" in line}
    )
    assert lines == [10, 11, 12, 13, 14], done.stdout + done.stderr
