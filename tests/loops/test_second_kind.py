"""A loop that samples by SchNet and trains ANI networks on the same data."""

from __future__ import annotations

import re

import pytest

from loop_runs import AEV, RARE_EVENTS, facts_by_stage, finish, write_config
from nnpal.active_learning.run import check
from nnpal.active_learning.sampling import read_smd
from nnpal.active_learning.shared.second_report import second_name
from nnpal.model import read_metadata

SCHNET = {"kind": "schnet", "features": 8, "interactions": 2, "gaussians": 8, "cutoff": 3.0}
TRAINING = {key: value for key, value in RARE_EVENTS["training"].items() if key != "initialization"}
RUN = {
    **RARE_EVENTS,
    "training": TRAINING,
    "run": {"iterations": 1, "workers": 2, "seed": 1},
    "network": SCHNET,
    "also_train": {"hidden": [8], "aev": AEV},
}


def test_the_plan_counts_both_trainings(tmp_path):
    plan = check(write_config(tmp_path, RUN))
    assert "trainings: 2 at most, each of 2 members" in plan.as_text()


@pytest.mark.slow
def test_a_run_of_both_kinds(tmp_path):
    """One run, for it takes half a minute: what was learned, what pulled, and what the report says."""
    write_config(tmp_path, RUN)
    finish(tmp_path)
    both_kinds_have_learned_the_same_data(tmp_path)
    schnet_pulls_and_chooses_and_the_second_kind_pulls_beside_it(tmp_path)
    the_report_names_the_kinds(tmp_path)


def both_kinds_have_learned_the_same_data(folder):
    train = folder / "run" / "iter-0000" / "train"
    found = [read_metadata(train / place / "model.nnp.pt") for place in ("", "second")]
    assert [(one.kind, one.hops, one.n_members) for one in found] == [("schnet", 2, 2), ("ani", 1, 2)]
    assert found[0].dataset_hash == found[1].dataset_hash
    facts = facts_by_stage(folder)["iter-0000/train"]
    assert facts["kind"] == "schnet"
    assert (facts["second"]["kind"], facts["second"]["members"]) == ("ani", 2)
    assert facts["second"]["unseen"]["force_mae"] > 0


def schnet_pulls_and_chooses_and_the_second_kind_pulls_beside_it(folder):
    explore = folder / "run" / "iter-0000" / "explore"
    facts = facts_by_stage(folder)
    for who in ("ensemble", "best", "second"):
        assert read_smd(explore / who / "rate-20-run-0").complete
        assert facts["iter-0000/explore"][who]["activation_energy"]["20"] is not None
    assert read_smd(explore / "ensemble" / "rate-20-run-0").uq_trace is not None
    chosen = facts["iter-0000/select"]["chosen"]
    assert {one["run"] for one in chosen} <= {"rate-20-run-0"}


def the_report_names_the_kinds(folder):
    text = re.sub(r"<[^>]+>", " ", (folder / "run" / "report.html").read_text())
    assert "ensemble of 2 SchNet networks" in text
    assert "ANI on the same data" in text
    assert "SchNet unseen, force (meV/Å)" in text
    assert (second_name("schnet", "ani"), second_name("ani", "ani")) == ("ANI", "second ANI")
    assert (folder / "run" / "figures" / "activation_energy_second.csv").is_file()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"training": {**TRAINING, "aev_scaling": "whiten"}}, r"training\.aev_scaling = 'whiten': no effect"),
        ({"also_train": {"elements": ["H", "O"]}}, r"also_train\.elements: the elements are those of \[network\]"),
        ({"network": {**SCHNET, "hidden": [8]}}, r"hidden: for kind = 'ani' only, but kind is 'schnet'"),
        ({"also_train": SCHNET}, r"\[also_train\] describes the same networks as \[network\] \(kind = 'schnet'\)"),
        ({"also_train": {"hidden": {"H": [8]}}}, r"also_train\.hidden = \{'H': \[8\]\}: no layers for O"),
        ({"also_train": {**SCHNET, "interactions": 17}}, r"also_train\.interactions = 17: .* less than or equal to 16"),
    ],
    ids=["no effect", "elements twice", "key of another kind", "no second kind", "element without layers", "too far"],
)
def test_what_means_nothing_is_refused_before_anything_runs(tmp_path, tables, said):
    with pytest.raises(ValueError, match=said):
        check(write_config(tmp_path, {**RUN, **tables}))
    assert not (tmp_path / "run").exists()
