"""Forty kills at random times, of the run or of any process below it, and the same manifest, labels and files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from loop_runs import RARE_EVENTS, label_calls, manifest_bytes, n_in_store, write_config
from nnpal.runtime.scratch import remove_dead
from processes import wait_until
from random_kills import Tally, files_of, finish_after, kill_at_random, labels_of, processes_in

N_KILLS, SEED, LONGEST = 40, 20261129, 12.0


@pytest.mark.slow
def test_forty_kills_at_random_leave_what_an_unbroken_run_leaves(
    rare_events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    rng, tally = random.Random(SEED), Tally()
    for number in range(N_KILLS):
        before = tally.n_kills
        folder = tmp_path / f"run-{number}"
        write_config(folder, RARE_EVENTS)
        if not kill_at_random(folder, N_KILLS, rng, LONGEST, tally):
            finish_after(folder)
        assert manifest_bytes(folder) == manifest_bytes(rare_events)
        assert labels_of(folder) == labels_of(rare_events)
        assert files_of(folder) == files_of(rare_events)
        # a calculation at work as its driver or worker was killed is the only one that may be repeated, two at a time
        assert label_calls(folder) <= n_in_store(folder) + 2 * (tally.n_kills - before)
        wait_until(lambda folder=folder: not processes_in(folder))
        if tally.n_kills >= N_KILLS:
            break
    print(tally)
    remove_dead(temporary)
    assert not list(temporary.glob("nnpal-*"))
    assert tally.n_kills == N_KILLS
