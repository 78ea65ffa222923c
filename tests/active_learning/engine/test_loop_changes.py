"""A run that finds another configuration, other code or other files than it was made with refuses, or does as told."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace

import pytest

from nnpal.active_learning.engine.engine import run_loop
from nnpal.active_learning.engine.error import DiskFull, LoopError, StaleRun
from nnpal.active_learning.engine.manifest import discard, read_manifest, write_manifest
from nnpal.active_learning.engine.stage import Stage

TABLES = {
    "run": {"iterations": 2, "min_free_disk": 0.0, "seed": 1},
    "a": {"x": 1, "deep": {"y": [1, 2]}},
    "b": {"z": 1},
}
CODE = "changing_code"


class Small:
    """Stages without tasks: one reads [a], [b] or nothing, and one has code that changes."""

    def __init__(self, names=("first", "second", "third"), done=None):
        self.names = names
        self.done = [] if done is None else done
        self.break_in = None

    def stages(self, iteration):
        tables = {"first": ("a",), "second": ("b",), "third": ()}
        return [
            Stage(
                name, self.work, tables.get(name, ()), (CODE,) if name in ("second", "page") else (),
                is_read=name != "page",
            )
            for name in self.names
        ]  # fmt: skip

    def stop(self, history):
        return None

    def work(self, ctx):
        name = f"{ctx.iteration}/{ctx.folder.name}"
        leftover = (ctx.folder / "begun").exists()
        self.done.append(f"{name} again" if leftover else name)
        (ctx.folder / "begun").touch()
        if self.break_in == name:
            raise ArithmeticError("broken off")
        (ctx.folder / "sub").mkdir(exist_ok=True)
        (ctx.folder / "sub" / "out.txt").write_text(f"{name} {ctx.tables['a']} {ctx.seed}")
        return {"x": ctx.tables["a"]["x"], "files": ["sub/out.txt"]}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A loop, and a function that runs it and returns the stages that were done and the lines that were logged."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"{CODE}.py").write_text("x = 1\n")
    loop = Small()

    def go(tables=TABLES, **options):
        config = tmp_path / "small.toml"
        config.write_text(json.dumps(tables))
        loop.done, lines = [], []
        outcome = run_loop(loop, config, tables, tmp_path / "run", log=lines.append, **options)
        return loop.done, "\n".join([*lines, outcome.state])

    return loop, go


ALL = [f"{i}/{name}" for i in (0, 1) for name in ("first", "second", "third")]


def changed(**tables):
    return {name: {**TABLES[name], **tables.get(name, {})} for name in TABLES}


def test_a_changed_table_is_shown_and_refused(small, tmp_path):
    _, go = small
    assert go()[0] == ALL
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name not in ("run.log", ".lock")]
    before = {path: path.read_bytes() for path in files}
    with pytest.raises(StaleRun) as caught:
        go(changed(b={"z": 2}, a={"deep": {"y": [1, 2]}}))
    text = str(caught.value)
    assert "-b.z = 1\n+b.z = 2" in text
    assert "a.x" not in text
    assert "iter-0000/second: [b] changed" in text
    assert "iter-0000/third: an earlier stage is stale" in text
    assert "iter-0000/first" not in text
    assert f"nnpal run {tmp_path / 'small.toml'} --redo" in text
    assert before == {path: path.read_bytes() for path in before}


def test_a_key_alone_can_make_stale(small, monkeypatch):
    loop, go = small
    both = loop.stages

    def stages(iteration):
        return [Stage(s.name, s.run, ("a.deep",) if s.name == "first" else s.tables, s.code) for s in both(iteration)]

    monkeypatch.setattr(loop, "stages", stages)
    go()
    assert go(changed(a={"x": 2}))[0] == []  # no stage reads a.x
    with pytest.raises(StaleRun) as caught:
        go(changed(a={"deep": {"y": [1]}}))
    assert "-a.deep.y = [1,2]\n+a.deep.y = [1]" in str(caught.value)
    assert "iter-0000/first: a.deep changed" in str(caught.value)


def test_a_free_key_makes_nothing_stale(small, monkeypatch):
    loop, go = small
    both = loop.stages

    def stages(iteration):
        return [replace(stage, free=("a.x", "c.of_no_table")) for stage in both(iteration)]

    monkeypatch.setattr(loop, "stages", stages)
    go()
    assert go(changed(a={"x": 2}))[0] == []
    with pytest.raises(StaleRun, match=r"iter-0000/first: \[a\] changed"):
        go(changed(a={"x": 2, "deep": {"y": [1]}}))


def test_what_killed_tasks_had_begun_to_write_goes_as_their_stage_ends(small, tmp_path):
    loop, go = small
    work = loop.work

    def leaving(ctx):
        (ctx.folder / ".123.out.txt").touch()
        return work(ctx)

    loop.work = leaving
    assert go()[0] == ALL
    assert not list(tmp_path.glob("run/**/.123.*"))


def test_a_full_disk_that_a_library_tells_by_another_error_is_told_with_its_cure(small):
    loop, go = small

    def full(ctx):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise AttributeError("'Stream' object has no attribute 'pos'")

    loop.work = full
    with pytest.raises(DiskFull, match=r"is full: .*/first: no space left on its disk \(.*; free some space there"):
        go()


def test_redo_drops_what_is_stale_and_moves_it(small, tmp_path):
    _, go = small
    go()
    kept = (tmp_path / "run/iter-0000/first/sub/out.txt").read_text()
    done, text = go(changed(b={"z": 2}), redo=True)
    assert done == ALL[1:]  # none found leftovers
    assert "+b.z = 2" in text
    assert (tmp_path / "run/iter-0000/first/sub/out.txt").read_text() == kept
    assert (tmp_path / "run/stale/0/iter-0001/third/sub/out.txt").is_file()
    once = (tmp_path / "run/manifest.json").read_bytes()
    shutil.rmtree(tmp_path / "run")
    go(changed(b={"z": 2}))
    assert (tmp_path / "run/manifest.json").read_bytes() == once


def test_keep_leaves_stages_and_later_ones_follow_the_change(small, tmp_path):
    _, go = small
    go(changed(run={"iterations": 1}))
    new = changed(b={"z": 2})
    done, _ = go(new, keep=True)
    assert done == ALL[3:]
    entries = read_manifest(tmp_path / "run").entries
    assert [entry.stage for entry in entries if entry.kept is not None] == ["second"]
    assert entries[1].kept["config"] == entries[4].config != entries[1].config
    assert go(new)[0] == []  # once is enough
    with pytest.raises(StaleRun, match=r"-b\.z = 2\n\+b\.z = 3"):
        go(changed(b={"z": 3}))


def test_what_no_finished_stage_has_read_may_change(small, tmp_path):
    loop, go = small
    loop.break_in = "0/second"
    with pytest.raises(LoopError, match="broken off"):
        go()
    shutil.rmtree(tmp_path / "run/iter-0000/second")
    loop.break_in = None
    assert go(changed(b={"z": 2}, run={"workers": 3}))[0] == ALL[1:]
    assert json.loads((tmp_path / "run/config.toml").read_text())["b"] == {"z": 2}


def test_begun_work_of_another_configuration_is_refused_too(small, tmp_path):
    loop, go = small
    loop.break_in = "0/second"
    with pytest.raises(LoopError, match=r"iter-0000/second: ArithmeticError: broken off\n.*its folder: .*second"):
        go()
    loop.break_in = None
    with pytest.raises(StaleRun, match=r"stale:\n  iter-0000/second: \[b\] changed\n"):
        go(changed(b={"z": 2}))
    assert go(changed(b={"z": 2}), keep=True)[0][0] == "0/second again"
    (tmp_path / f"{CODE}.py").write_text("x = 2\n")
    loop.break_in = None
    with pytest.raises(StaleRun, match=f"code of {CODE} changed"):
        go(changed(b={"z": 2}))


def test_begun_work_is_put_aside_by_redo(small, tmp_path):
    loop, go = small
    loop.break_in = "0/second"
    with pytest.raises(LoopError, match="broken off"):
        go()
    loop.break_in = None
    assert go(changed(b={"z": 2}), redo=True)[0] == ALL[1:]  # not `again`: its leftovers are gone
    assert (tmp_path / "run/stale/0/iter-0000/second/begun").exists()


def test_changed_code_and_seed_are_seen(small, tmp_path):
    _, go = small
    go()
    (tmp_path / f"{CODE}.py").write_text("x = 2\n")
    with pytest.raises(StaleRun, match=f"iter-0000/second: code of {CODE} changed") as caught:
        go()
    assert "---" not in str(caught.value)
    assert go(redo=True)[0] == ALL[1:]
    with pytest.raises(StaleRun, match=r"-run\.seed = 1\n\+run\.seed = 2(.|\n)*iter-0000/first: \[run\] changed"):
        go(changed(run={"seed": 2}))


def test_altered_and_missing_files_are_seen(small, tmp_path):
    _, go = small
    go()
    out = tmp_path / "run/iter-0001/second/sub/out.txt"
    out.write_text("other")
    with pytest.raises(StaleRun, match=r"iter-0001/second: sub/out\.txt has changed"):
        go()
    assert go(keep=True)[0] == []
    assert go()[0] == []
    out.unlink()
    for options in ({}, {"keep": True}):
        with pytest.raises(StaleRun, match=r"iter-0001/second/sub/out\.txt is missing; restore that, or"):
            go(**options)
    assert go(redo=True)[0] == ALL[4:]


def test_a_loop_with_other_stages_is_refused(small):
    loop, go = small
    go()
    loop.names = ("first", "third", "second")
    with pytest.raises(StaleRun, match="iter-0000/second: the workflow now has iter-0000/third in its place"):
        go()


def test_discarding_that_was_broken_off_is_ended(small, tmp_path, monkeypatch):
    _, go = small
    go()
    run = tmp_path / "run"
    whole = (run / "manifest.json").read_bytes()

    def killed(path, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", killed)
        with pytest.raises(KeyboardInterrupt):
            discard(run, read_manifest(run), ["iter-0001/second", "iter-0001/third"])
    assert go()[0] == ALL[4:]
    assert (run / "manifest.json").read_bytes() == whole
    assert (run / "stale/0/iter-0001/third/begun").exists()


def test_a_manifest_of_another_format_is_refused(small, tmp_path):
    _, go = small
    go()
    path = tmp_path / "run/manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(LoopError, match="format 7, expected 1"):
        go()
    path.write_text("{")
    with pytest.raises(LoopError, match="not the manifest of a run"):
        go()


def test_a_page_that_nobody_reads_makes_only_later_pages_stale(small, tmp_path):
    loop, go = small
    loop.names = ("first", "page")
    pages = ["0/page", "1/page"]
    go()
    (tmp_path / f"{CODE}.py").write_text("x = 2\n")
    with pytest.raises(StaleRun, match=f"stale:\n  iter-0000/page: code of {CODE} changed\n  iter-0001/page: .*\n[^ ]"):
        go()
    assert go(keep=True)[0] == []
    (tmp_path / "run/iter-0001/page/sub/out.txt").write_text("other")
    assert go(redo=True)[0] == pages[1:]
    (tmp_path / "run/iter-0000/page/sub/out.txt").write_text("other")
    loop.break_in = "1/page"
    with pytest.raises(LoopError, match="broken off"):  # in the middle of it
        go(redo=True)
    assert [entry.stage for entry in read_manifest(tmp_path / "run").entries] == ["first", "page", "first"]
    loop.break_in, longer = None, changed(run={"iterations": 3})
    assert go(longer)[0] == ["1/page again", "2/first", "2/page"]
    resumed = (tmp_path / "run/manifest.json").read_bytes()
    shutil.rmtree(tmp_path / "run")
    go(longer)
    assert (tmp_path / "run/manifest.json").read_bytes() == resumed
    assert go(changed(run={"iterations": 3}, a={"x": 2}), redo=True)[0][0] == "0/first"


def test_pages_see_what_was_done_before_them_and_no_other_pages(small, tmp_path):
    loop, go = small
    loop.names = ("first", "page")
    go()
    (tmp_path / f"{CODE}.py").write_text("x = 2\n")
    seen, work = [], loop.work

    def look(ctx):
        seen.append([list(stages) for stages in ctx.history])
        return work(ctx)

    loop.work = look
    go(redo=True)
    assert seen == [[["first"]], [["first"], ["first"]]]


def test_redo_and_keep_together_are_refused(small):
    _, go = small
    with pytest.raises(LoopError, match="contradict"):
        go(redo=True, keep=True)


def test_reading_gives_back_what_was_written(small, tmp_path):
    _, go = small
    go(changed(run={"iterations": 1}))
    go(changed(run={"iterations": 1}, b={"z": 5}), keep=True)
    found = read_manifest(tmp_path / "run")
    write_manifest(tmp_path, found)
    assert read_manifest(tmp_path) == found
    assert (tmp_path / "manifest.json").read_bytes() == (tmp_path / "run/manifest.json").read_bytes()
