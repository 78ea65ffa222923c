"""Files that a power cut leaves whole: what is brought to the disk, and before what."""

from __future__ import annotations

import os

import pytest

from nnpal.active_learning.engine.task import RESULT, Task, perform, prepare
from nnpal.runtime.files import aside, sync_tree


@pytest.fixture
def synced(monkeypatch):
    """Names of what was brought to the disk and of what was renamed, in order."""
    names = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        names.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def noted_replace(old, new):
        names.append(f"rename to {os.path.basename(new)}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return names


def test_a_file_is_on_the_disk_before_its_name(tmp_path, synced):
    with aside(tmp_path / "model.pt") as path:
        path.write_text("weights")
    assert synced == [f".{os.getpid()}.model.pt", "rename to model.pt", tmp_path.name]


def test_links_are_renamed_as_they_are(tmp_path, synced):
    with aside(tmp_path / "link") as path:
        path.symlink_to("nowhere")
    assert (tmp_path / "link").is_symlink()
    assert synced == ["rename to link", tmp_path.name]


def test_a_failure_leaves_the_old_file(tmp_path, synced):
    def fail():
        with aside(tmp_path / "a") as path:
            path.write_text("new")
            raise ZeroDivisionError

    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]
    assert synced == []


def test_a_tree_is_brought_to_the_disk_but_what_links_point_to(tmp_path, synced):
    inner = tmp_path / "tree" / "inner"
    inner.mkdir(parents=True)
    (inner / "deep").touch()
    (tmp_path / "outside").touch()
    (inner / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(inner / "pipe")  # whose opening would wait for a writer
    sync_tree(tmp_path / "tree")
    assert sorted(synced) == ["deep", "inner", "tree"]


def test_the_files_of_a_task_are_on_the_disk_before_its_result(tmp_path, synced, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "toy_writer.py").write_text(
        "def write(folder):\n    (folder / 'frames.dump').write_text('x')\n    return {}\n"
    )
    prepare(Task(tmp_path / "task", "toy_writer:write"))
    synced.clear()
    assert perform(tmp_path / "task")
    assert synced.index("frames.dump") < synced.index("task") < synced.index(f"rename to {RESULT}")
