"""Where members stand, and when they will be done, by their logs and locks alone."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import pytest

from begun_training import EPOCHS, PER_EPOCH, begun_training, record, write_log
from nnpal.runtime.locks import holder_of, locked
from nnpal.training.plan import member_folder
from nnpal.training.result import Result, write_result
from nnpal.training.schedule import total_updates, updates_per_epoch
from nnpal.training.settings import TrainingSettings
from nnpal.training.standing import Observer, time_of_all
from nnpal.training.standing_table import duration, lines

TOTAL = EPOCHS * PER_EPOCH


@pytest.fixture
def folder(tmp_path):
    return begun_training(tmp_path / "train", members=4)


def held(stack: ExitStack, folder, *members):
    for member in members:
        stack.enter_context(locked(member_folder(folder, member) / "lock", wait=True))


def states(standing):
    return [member.state for member in standing.members]


@pytest.mark.parametrize(("n_train", "each"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_updates_are_batches_the_last_one_not_full(n_train, each):
    settings = TrainingSettings(batch_size=4, max_epochs=7)
    assert updates_per_epoch(settings, n_train) == each
    assert total_updates(settings, n_train) == 7 * each


def test_a_folder_that_is_not_there_or_not_made_yet_has_no_standing(tmp_path):
    observer = Observer(tmp_path / "train")
    assert observer.look() is None
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "plan.json").write_text("{")
    assert observer.look() is None
    (tmp_path / "train" / "plan.json").unlink()
    begun_training(tmp_path / "train")
    assert states(observer.look()) == ["waiting"] * 3
    assert not observer.has_seen_work


def test_members_wait_train_end_and_fail(folder):
    write_log(folder, 0, range(0, 3), finished=True)  # an early end
    write_log(folder, 1, range(0, 2))
    (member_folder(folder, 2) / "error.txt").write_text("diverged")
    write_log(folder, 2, range(0, 1))
    with ExitStack() as stack:
        held(stack, folder, 1, 2)  # a process of both, which goes on with one
        observer = Observer(folder)
        found = observer.look()
        assert observer.has_seen_work
    assert states(found) == ["finished", "training", "failed", "waiting"]
    assert [member.updates for member in found.members] == [9, 6, 3, 0]
    assert {member.total_updates for member in found.members} == {TOTAL}
    assert [member.last for member in found.members] == [record(2), record(1), record(0), None]
    assert states(observer.look()) == ["finished", "waiting", "failed", "waiting"]  # without its lock
    write_result(folder, Result(0, {}, {2: "diverged"}, []))
    assert states(Observer(folder).look()) == ["finished", "finished", "failed", "finished"]


def test_a_file_of_another_s_says_that_a_member_is_given_up(folder, tmp_path):
    (tmp_path / "given-up-1").touch()
    observer = Observer(folder, lambda member: tmp_path / f"given-up-{member}")
    assert states(observer.look()) == ["waiting", "failed", "waiting", "waiting"]


def test_a_log_that_grows_is_work_where_locks_are_not_seen(folder):
    log = write_log(folder, 1, range(0, 1))
    observer = Observer(folder)
    assert states(observer.look())[1] == "waiting"
    assert not observer.has_seen_work
    write_log(folder, 1, range(1, 2))  # begun anew
    assert states(observer.look())[1] == "training"
    assert observer.has_seen_work
    del log


def test_the_time_left_is_that_of_updates_and_of_members_that_wait(folder):
    write_log(folder, 0, range(0, 4), seconds=6.0)  # 2 s an update
    write_log(folder, 1, range(2, 4), seconds=12.0)  # 4 s, of those that it did itself
    now = time.time()
    for member in (0, 1):
        os.utime(member_folder(folder, member) / "log.csv", (now, now))
    with ExitStack() as stack:
        held(stack, folder, 0, 1)
        found = Observer(folder).look()
    left = [member.seconds_left for member in found.members]
    # 12 updates to go; the look comes a moment after the last line, at most an epoch
    assert 24.0 - 6.0 <= left[0] <= 24.0
    assert 48.0 - 12.0 <= left[1] <= 48.0
    assert left[2:] == [None, None]
    # two places: the third takes 24 updates of 3 s after the first, the fourth after the second
    assert found.seconds_left == pytest.approx(max(left[0] + 72.0, left[1] + 72.0))


def test_a_clock_that_is_behind_or_a_long_epoch_makes_no_negative_time(folder):
    write_log(folder, 0, range(0, 7), seconds=6.0)
    for written, expected in ((time.time() + 3600, 6.0), (time.time() - 3600, 0.0)):
        os.utime(member_folder(folder, 0) / "log.csv", (written, written))
        with ExitStack() as stack:
            held(stack, folder, 0)
            assert Observer(folder).look().members[0].seconds_left == pytest.approx(expected)


@pytest.mark.parametrize(
    ("training", "waiting", "places", "expected"),
    [([5.0], [], 1, 5.0), ([5.0], [4.0], 1, 9.0), ([5.0, 1.0], [3.0, 3.0], 2, 7.0), ([5.0], [4.0], 2, 5.0)],
)
def test_whoever_waits_takes_the_first_free_place(training, waiting, places, expected):
    assert time_of_all(training, waiting, places) == expected


def test_a_lock_tells_its_holder(tmp_path):
    assert holder_of(tmp_path / "lock") is None
    with locked(tmp_path / "lock", wait=False):
        assert f"process {os.getpid()}" in holder_of(tmp_path / "lock")
    assert holder_of(tmp_path / "lock") is None


def test_the_table_has_a_line_for_each_member_and_one_for_all(folder):
    write_log(folder, 0, range(0, 4))
    write_log(folder, 1, range(0, EPOCHS), finished=True)
    assert lines(Observer(folder).look()) == [
        "member  updates  epochs  train/val loss, eV²  E, meV/atom  F, meV/Å  time left",
        "     0    12/24     4/8             0.5/0.25         2.50      25.0    waiting",
        "     1    24/24     8/8           0.25/0.125         1.25      12.5   finished",
        "     2     0/24     0/8                                                waiting",
        "     3     0/24     0/8                                                waiting",
        "1 of 4 members trained, 3 waiting; updates 36/96; validation: loss 0.125 to 0.25 eV², "
        "E 1.25 to 2.50 meV/atom, F 12.5 to 25.0 meV/Å",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (3 * 86400 + 14400, "3 d 4 h"),
    ],
)
def test_times_in_words(seconds, text):
    assert duration(seconds) == text
