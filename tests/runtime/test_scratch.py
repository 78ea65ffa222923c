"""Temporary folders: those of killed runs are removed by the next, those of living ones and of others are not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnpal.label import LabelStore, PythonOracle, label_frames
from nnpal.label.workers import Pool
from nnpal.runtime.scratch import scratch_folder
from processes import Process

OWNER = (
    "import sys, time\nfrom nnpal.runtime.scratch import scratch_folder\n"
    "with scratch_folder('label') as folder:\n"
    "    (folder / 'work').mkdir()\n    print(folder, flush=True)\n    time.sleep(10000)\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for /tmp, here and in processes that are started."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


@pytest.fixture
def owner(place: Path) -> Iterator[Process]:
    """A process that owns a folder."""
    process = Process([sys.executable, "-c", OWNER], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert Path(process.stdout.readline().strip()).parent == place
    yield process
    process.kill()
    process.communicate()


def names(place: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[0] for path in place.iterdir())


def test_only_folders_of_dead_owners_are_removed(place: Path, owner: Process) -> None:
    (place / "nnpal-label-mine").mkdir()  # no folder of ours: it holds no lock
    (place / "nnpal-label-link").symlink_to(place / "nnpal-label-mine")
    with scratch_folder("gate") as folder:
        assert folder.is_dir()
        assert names(place) == ["nnpal-gate", "nnpal-label", "nnpal-label", "nnpal-label"]
    assert names(place) == ["nnpal-label", "nnpal-label", "nnpal-label"]
    owner.kill()
    owner.wait()
    with scratch_folder("gate"):
        assert names(place) == ["nnpal-gate", "nnpal-label", "nnpal-label"]
    assert {path.name for path in place.iterdir()} == {"nnpal-label-mine", "nnpal-label-link"}


def test_labeling_uses_one_and_leaves_none(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from label_oracles import pair

    seen = []
    entered = Pool.__enter__

    def look(pool: Pool) -> Pool:
        found = entered(pool)
        seen.extend(names(place))
        return found

    monkeypatch.setattr(Pool, "__enter__", look)
    with LabelStore(tmp_path / "labels.sqlite") as store:
        assert label_frames([pair(1.0)], PythonOracle("label_oracles:Spring"), store).labeled
    assert seen == ["nnpal-label"]
    assert not list(place.iterdir())
