"""What the members of each iteration start from: of both kinds of network, and what the plan and the key say of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms

from loop_runs import RARE_EVENTS, changed, write_config
from nnpal.active_learning.config import read_run_config, resolved_tables
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext, stage_folder
from nnpal.active_learning.settings import LoopEnsembleSection
from nnpal.active_learning.shared import train_ensemble as training
from nnpal.model.settings import NetworkSettings
from nnpal.training import EnsembleSettings, LossSettings, TrainingFolderError, TrainingSettings
from nnpal.training.plan import Plan, write_plan


def context(folder: Path) -> StageContext:
    place = stage_folder(folder / "run", 0, "train")
    place.mkdir(parents=True)
    return StageContext(folder / "run", place, 0, {}, [{}], 1, None, Deadline(), print)


def test_the_plan_of_inherited_splits_holds_no_absolute_path(tmp_path: Path, monkeypatch: Any) -> None:
    found = []

    def begin(*_: Any, ensemble: EnsembleSettings, **__: Any) -> None:
        found.append(ensemble.previous)
        raise TrainingFolderError("as far as this test goes")

    monkeypatch.setattr(training, "begin_training", begin)
    ensemble = LoopEnsembleSection(split="inherited")
    how = training.Learning(NetworkSettings(), LossSettings(), TrainingSettings(start="random"), ensemble)
    ctx = replace(context(tmp_path), iteration=1)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match="as far as this test goes"):
        training.train_in_tasks(ctx, how, [])
    assert found == ["run/iter-0000/train/ensemble"]


def test_iterations_after_the_first_start_from_the_one_before(tmp_path: Path, monkeypatch: Any) -> None:
    found = []

    def begin(*_: Any, **options: Any) -> None:
        found.append(options)
        raise TrainingFolderError("as far as this test goes")

    monkeypatch.setattr(training, "begin_training", begin)
    monkeypatch.chdir(tmp_path)
    first = context(tmp_path)
    frames = [Atoms("OH")]
    for start in ("previous", "models/old.nnp.pt"):
        settings = TrainingSettings(start=start, frozen_layers=1)
        how = training.Learning(NetworkSettings(), LossSettings(), settings, LoopEnsembleSection(), tmp_path / "here")
        for ctx in (first, replace(first, iteration=1)):
            with pytest.raises(StageError, match="as far as this test goes"):
                training.train_in_tasks(ctx, how, frames)
    cold, warm, file_first, file_then = found
    assert (cold["training"].start, cold["training"].frozen_layers, cold["ensemble"].previous) == (None, 0, None)
    assert (warm["training"].start, warm["training"].frozen_layers) == ("previous", 1)
    assert (warm["ensemble"].previous, warm["ensemble"].split) == ("run/iter-0000/train/ensemble", "random")
    # defaults of [network] are compared too: the iteration before was trained with them
    assert warm["network"] == NetworkSettings().description(["H", "O"])
    for options in (file_first, file_then):
        assert options["training"].start == "here/models/old.nnp.pt"
        assert options["ensemble"].previous is None


@pytest.mark.parametrize(
    ("start", "new", "later"),
    [(None, "random", "previous"), ("previous", None, "previous"), ("old.nnp.pt", "random", "random")],
)
def test_the_second_kind_starts_from_its_own_networks_unless_it_is_new(
    tmp_path: Path, monkeypatch: Any, start: str | None, new: str | None, later: str
) -> None:
    found = []

    def begin(*_: Any, **options: Any) -> None:
        found.append((options["training"].start, options["ensemble"].previous, options["ensemble"].split))
        raise TrainingFolderError("as far as this test goes")

    monkeypatch.setattr(training, "begin_training", begin)
    monkeypatch.chdir(tmp_path)
    ctx = replace(context(tmp_path), iteration=1)
    settings, other = TrainingSettings(start=start), NetworkSettings(kind="schnet")
    ensemble = LoopEnsembleSection(split="inherited")
    how = training.Learning(NetworkSettings(), LossSettings(), settings, ensemble, also_train=other).of_second_kind()
    before = ctx.path(0, "train", "second") / "ensemble"
    for _ in range(2):
        with pytest.raises(StageError, match="as far as this test goes"):
            training._train(ctx, how, [Atoms("OH")], "second")
        before.mkdir(parents=True, exist_ok=True)  # as where the iteration before had [also_train] too
        write_plan(
            before, Plan(other.description(["H", "O"]), LossSettings(), TrainingSettings(), EnsembleSettings(), "")
        )
    assert found == [(new, None, "random"), (later, "run/iter-0000/train/second/ensemble", "inherited")]


def test_by_default_iterations_start_from_the_one_before_where_networks_are_the_same(
    tmp_path: Path, monkeypatch: Any
) -> None:
    found: list[str | None] = []
    lines: list[str] = []

    def begin(*_: Any, **options: Any) -> None:
        found.append(options["training"].start)
        raise TrainingFolderError("as far as this test goes")

    monkeypatch.setattr(training, "begin_training", begin)
    monkeypatch.chdir(tmp_path)
    first = replace(context(tmp_path), log=lines.append)
    second = replace(first, iteration=1)
    how = training.Learning(NetworkSettings(), LossSettings(), TrainingSettings(), LoopEnsembleSection())
    before = first.path(0, "train", "ensemble")
    before.mkdir(parents=True)
    settings = (LossSettings(), TrainingSettings(), EnsembleSettings())
    write_plan(before, Plan(NetworkSettings().description(["H", "O"]), *settings, content_hash=""))
    for ctx, formula in ((first, "OH"), (second, "OH"), (second, "CO")):
        with pytest.raises(StageError, match="as far as this test goes"):
            training.train_in_tasks(ctx, how, [Atoms(formula)])
    assert found == ["random", "previous", "random"]
    assert [line for line in lines if "random" in line] == [
        "members start from random weights: elements or [network] are not those of the iteration before"
    ]


def test_the_key_of_a_training_sees_what_its_start_holds(tmp_path: Path) -> None:
    tables = []
    for content in ("one", "another"):
        (tmp_path / "model.nnp.pt").write_text(content)
        path = write_config(tmp_path, changed(RARE_EVENTS, training={"start": "model.nnp.pt"}))
        tables.append(resolved_tables(read_run_config(path), tmp_path)["training"])
    assert tables[0]["start content"] != tables[1]["start content"]
    assert tables[0]["start"] == tables[1]["start"] == "model.nnp.pt"
