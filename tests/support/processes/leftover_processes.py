"""Pytest plugin that ends processes which outlive their test, and fails the test.

Processes are identified by a variable in their environment, which orphans inherit, and children of this process (forks
lack the variable) by their parent. If this process is killed, a shell that waits for its end kills them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

MARK = "NNPAL_TESTS_OF_PROCESS"
GRACE = 60.0
"""Seconds that processes may take to end after their test has passed, for example when their parent was killed."""
HELPERS = ("multiprocessing.resource_tracker",)
"""Words in the commands of processes that libraries start once for the lifetime of this process."""
END_MARKED = (
    "trap '' TERM INT HUP; read _; "
    'for place in $(grep -lzxF "$1" /proc/[0-9]*/environ 2>/dev/null); do '
    'place=${place#/proc/}; kill -KILL "${place%/environ}" 2>/dev/null; done'
)
"""Shell program: wait for the end of standard input, then kill processes with a given line in their environment."""

_failed = pytest.StashKey[bool]()
_guard: subprocess.Popen[bytes] | None = None


def pytest_configure() -> None:
    """Mark the processes that this one starts from now on."""
    global _guard
    if not Path("/proc/self/environ").exists():
        return
    os.environ.pop(MARK, None)
    mark = uuid.uuid4().hex
    _guard = subprocess.Popen(
        ["/bin/sh", "-c", END_MARKED, "guard", f"{MARK}={mark}"], stdin=subprocess.PIPE, start_new_session=True
    )
    os.environ[MARK] = mark


def pytest_unconfigure() -> None:
    global _guard
    if _guard is not None:
        _guard.kill()
        _guard.communicate()
        _guard = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(autouse=True)
def no_process_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process behind; an autouse fixture, so that all others end before it."""
    yield
    left = end_leftovers(0.0 if request.node.stash.get(_failed, False) else GRACE)
    if left:
        lines = "\n".join(f"  {pid}: {command}" for pid, command in left.items())
        pytest.fail(f"the test left processes behind, which are ended now:\n{lines}", pytrace=False)


def end_leftovers(grace: float) -> dict[int, str]:
    """Wait for processes started here to end, kill the rest, and return these with their commands."""
    end = time.monotonic() + grace
    while (left := _started_here()) and time.monotonic() < end:
        time.sleep(0.02)
    known = dict(left)
    while left:  # also those that they start meanwhile
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
        left = _started_here()
        known |= left
    return known


def _started_here() -> dict[int, str]:
    """Return running processes with the mark and children of this process, with their commands."""
    mark, own = os.environ.get(MARK, ""), {os.getpid(), *([_guard.pid] if _guard else [])}
    if not mark:
        return {}
    line, found = f"{MARK}={mark}".encode(), {}
    for place in os.scandir("/proc"):
        if not place.name.isdecimal() or int(place.name) in own:
            continue
        with suppress(OSError):
            folder = Path(place.path)
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX" and (int(parent) == os.getpid() or line in _environment(folder)):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if not any(words in command for words in HELPERS):
                    found[int(place.name)] = command
    return found


def _environment(folder: Path) -> list[bytes]:
    return (folder / "environ").read_bytes().split(b"\0")
