"""How lmp ended: by itself, by an error, or killed from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnpal.killed import Killed
from nnpal.lmp_process import LmpError, run_lmp


@pytest.mark.parametrize(
    ("script", "status", "killed"),
    [
        ("kill -KILL $$", -9, True),
        ("kill -TERM $$", -15, True),
        ("exit 137", 137, True),  # as srun says it
        ("exit 143", 143, True),
        ("exit 9", 9, True),  # as MPICH's mpirun does
        ("exit 1", 1, False),
        ("kill -SEGV $$", -11, False),
        ("echo ERROR: Lost atoms; exit 143", 143, False),  # an error on one rank ends the others
    ],
)
def test_what_counts_as_killed(tmp_path: Path, script: str, status: int, killed: bool) -> None:
    with pytest.raises(LmpError, match=f"ended with status {status}; ") as caught:
        run_lmp([], tmp_path, launch=("sh", "-c", script))
    assert caught.value.status == status
    assert isinstance(caught.value, Killed) == killed
