"""What a terminal and a file are shown of a training at work."""

from __future__ import annotations

import errno
import io
import re

import pytest
from rich.console import Console

from begun_training import EPOCHS, begun_training, write_log
from nnpal.runtime.locks import locked
from nnpal.training.plan import member_folder
from nnpal.training.progress import TrainingProgress
from nnpal.training.standing import Observer
from processes import wait_until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path):
    return begun_training(tmp_path / "train", members=2)


@pytest.fixture
def at_work(folder):
    with locked(member_folder(folder, 0) / "lock", wait=True):
        yield folder


def shown(folder, *, terminal=False, **options):
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, soft_wrap=True, highlight=False)
    return console, TrainingProgress(console, Observer(folder), **{"period": None, **options})


def output(console: Console) -> str:
    return console.file.getvalue()


def test_a_file_has_a_line_now_and_then_and_the_table_at_the_end(at_work):
    clock = Clock()
    console, progress = shown(at_work, clock=clock)
    with progress:
        for epoch in range(EPOCHS):
            for _ in range(60):  # a minute an epoch, a look a second
                clock.now += 1.0
                progress.look()
            write_log(at_work, 0, range(epoch + 1))
        n_lines = output(console).count("\n")
        told = output(console).splitlines()
    assert told[0] == "0 of 2 members trained, 1 in training, 1 waiting; updates 0/48"
    assert 4 <= n_lines <= EPOCHS  # 480 looks
    assert re.fullmatch(
        r"0 of 2 members trained, 1 in training, 1 waiting; updates \d+/48; validation: .* left", told[-1]
    )
    end = output(console).splitlines()[n_lines:]
    assert [line.split()[0] for line in end] == ["member", "0", "1", "0"]
    assert "24/24" in end[1]


def test_a_file_that_nothing_new_is_known_for_has_a_line_in_five_minutes(at_work):
    clock = Clock()
    console, progress = shown(at_work, clock=clock)
    with progress:
        for _ in range(1000):
            clock.now += 1.0
            progress.look()
        assert output(console).count("\n") == 4


def test_descriptors_are_counted_and_members_come_at_once_after_them(folder):
    clock = Clock()
    console, progress = shown(folder, clock=clock)
    with progress:
        for done in range(101):
            clock.now += 1.0
            progress.count("descriptors", done, 100)
            progress.look()
        assert output(console) == "descriptors 0/100\ndescriptors 30/100\ndescriptors 60/100\ndescriptors 90/100\n"
        with locked(member_folder(folder, 0) / "lock", wait=True):
            progress.look()
    assert "\n0 of 2 members trained, 1 in training" in output(console)


def test_a_terminal_keeps_a_table_below_other_lines(at_work):
    console, progress = shown(at_work, terminal=True)
    with progress:
        progress.look()
        console.print("a line of the log")
        write_log(at_work, 0, range(3))
        progress.look()
    text = output(console)
    assert "\x1b[?25l" in text  # the cursor is hidden, and comes back
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "a line of the log" in text
    assert "9/24" in text


def test_a_training_that_ends_by_an_error_leaves_the_terminal_as_it_was(at_work):
    console, progress = shown(at_work, terminal=True, period=0.01)

    def break_off():
        with progress:
            wait_until(lambda: "member" in output(console))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert output(console).rindex("\x1b[?25h") > output(console).rindex("\x1b[?25l")
    assert not progress._thread.is_alive()


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_shown_of_a_training_that_does_not_work(folder, terminal):
    write_log(folder, 0, range(3), finished=True)
    console, progress = shown(folder, terminal=terminal)
    with progress:
        progress.look()
    assert output(console) == ""


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no terminal"), SystemExit(1)], ids=["hung up", "pipe closed"])
def test_a_terminal_that_goes_away_ends_no_training(at_work, error):
    """Rich makes a ``SystemExit`` of a closed pipe."""
    clock = Clock()
    console, progress = shown(at_work, period=0.01, clock=clock)

    class Gone(io.StringIO):
        def write(self, text):
            raise error

    with progress:
        wait_until(lambda: output(console) != "")
        console.file = Gone()
        clock.now += 1000.0
        wait_until(lambda: not progress._thread.is_alive())
