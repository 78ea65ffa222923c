"""Batches: nothing computed twice, and no oracle, however it ends, that costs more than its own configuration."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase.constraints import FixAtoms

from label_oracles import Spring, pair
from nnpal.data import check_frames
from nnpal.label import LabelReport, LabelStore, Oracle, OracleError, Progress, PythonOracle, label_frames
from nnpal.label.store import COST
from nnpal.oracle.calculation import Result
from nnpal.runtime.disk_full import DiskFullError
from processes import Process, is_running, wait_until
from support.folders import SEARCH_PATH

GOOD = [0.0, 1.0, 2.0, 3.0]
BAD = 6.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.sqlite") as opened:
        yield opened


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def oracle(log: Path, name: str = "Spring", ladder: tuple[dict[str, float], ...] = (), **options: float) -> Oracle:
    return PythonOracle(f"label_oracles:{name}", {"log": str(log), **options}, ladder=ladder)


def computed(log: Path) -> list[float]:
    """Return which configurations were computed, by the first atom's x."""
    return [float(line.split()[1]) for line in log.read_text().splitlines()] if log.exists() else []


def first_x(report: LabelReport) -> list[float]:
    return [float(frame.positions[0, 0]) for frame in report.labeled]


def test_labels_in_order_with_what_frames_carry(store: LabelStore, log: Path) -> None:
    frames = [pair(x) for x in (3.0, 1.0, 2.0)]
    frames[0].set_constraint(FixAtoms([0]))
    told: list[Progress] = []
    report = label_frames(frames, oracle(log, k=2.0), store, n_workers=2, on_progress=told.append)
    assert first_x(report) == [3.0, 1.0, 2.0]
    assert not report.failed
    assert (report.calculations, report.from_store, report.rungs) == (3, 0, {0: 3})
    for frame, given in zip(report.labeled, frames, strict=True):
        known = Spring(k=2.0).compute(given)
        assert frame.get_potential_energy() == known["energy"]
        np.testing.assert_array_equal(frame.get_forces(), known["forces"])
        assert frame.info == given.info
        assert given.calc is None
    assert [(p.total, p.done, p.from_store, p.failed) for p in told] == [(3, k, 0, 0) for k in range(4)]


def test_a_stress_needs_a_cell_that_repeats(store: LabelStore, log: Path) -> None:
    """An oracle may state one for a molecule or a slab; training would refuse it."""
    frames = []
    for x, pbc in ((0, False), (1, (True, True, False)), (2, True)):
        frame = pair(x)
        frame.set_cell([9, 9, 9])
        frame.pbc = pbc
        frames.append(frame)
    report = label_frames(frames, oracle(log, "Stressed"), store)
    assert ["stress" in frame.calc.results for frame in report.labeled] == [False, False, True]
    assert not [finding for finding in check_frames(report.labeled) if finding.kind == "stress"]


def test_nothing_is_computed_twice(store: LabelStore, log: Path) -> None:
    first = label_frames([pair(x) for x in (1.0, 2.0, 1.0, 1.0)], oracle(log), store)
    assert first.calculations == 2
    assert first_x(first) == [1.0, 2.0, 1.0, 1.0]
    second = label_frames([pair(x) for x in (2.0, 3.0, 1.0)], oracle(log), store)
    assert (second.calculations, second.from_store) == (1, 2)
    assert sorted(computed(log)) == [1.0, 2.0, 3.0]
    assert first.labeled[0].get_potential_energy() == second.labeled[2].get_potential_energy()
    other = label_frames([pair(1.0)], oracle(log, k=2.0), store)
    assert other.calculations == 1
    assert other.labeled[0].get_potential_energy() == 2 * first.labeled[0].get_potential_energy()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Spring", "RuntimeError: the spring broke"),
        ("Crashing", "its worker was ended by SIGSEGV; it printed: about to fall"),
        ("Leaving", "its worker ended with exit code 3"),
        ("NotANumber", r"energy is not finite \(energy nan eV\)"),
        ("WrongShape", r"^forces have shape \(1, 3\), expected shape \(2, 3\): x y z of each atom"),
        ("NoForces", "expected energy, forces"),
    ],
)
def test_an_oracle_that_fails_costs_one_configuration(name: str, reason: str, store: LabelStore, log: Path) -> None:
    xs = [0.0, BAD, 1.0, BAD + 1, 2.0, 3.0]
    report = label_frames([pair(x) for x in xs], oracle(log, name), store, n_workers=2)
    assert first_x(report) == GOOD
    assert [(f.index, f.tries) for f in report.failed] == [(1, 1), (3, 1)]
    for failure in report.failed:
        assert re.search(reason, failure.reason), failure.reason
    again = label_frames([pair(x) for x in xs], oracle(log, name), store)
    assert (again.calculations, again.from_store) == (0, 6)
    assert again.failed == report.failed
    retried = label_frames([pair(x) for x in xs], oracle(log, name), store, retry_failed=True)
    assert (retried.calculations, retried.from_store) == (2, 4)
    assert [f.tries for f in retried.failed] == [2, 2]
    assert sorted(computed(log)) == [*GOOD, BAD, BAD, BAD + 1, BAD + 1]


def test_a_worker_that_is_killed_says_nothing_of_its_configuration(store: LabelStore, log: Path) -> None:
    """It is tried once more after all others, and then left for another run."""
    frames = [pair(x) for x in (BAD, *GOOD)]
    told: list[Progress] = []
    report = label_frames(frames, oracle(log, "Victim"), store, on_progress=told.append)
    assert first_x(report) == GOOD
    assert computed(log) == [BAD, *GOOD, BAD]
    [failure] = report.failed
    assert (failure.index, failure.tries, failure.unfinished) == (0, 0, True)
    assert failure.reason == "its worker was ended by SIGKILL"
    assert (told[-1].done, told[-1].failed) == (5, 1)
    assert len(store) == 4
    Path(f"{log}.spared").touch()
    again = label_frames(frames, oracle(log, "Victim"), store)
    assert (len(again.labeled), again.calculations) == (5, 1)


@pytest.mark.parametrize("name", ["Hanging", "Deaf"])
def test_an_oracle_that_hangs_is_left_behind(name: str, store: LabelStore, log: Path) -> None:
    # long for the good ones, which take no time, on a busy machine too
    report = label_frames([pair(x) for x in (BAD, *GOOD)], oracle(log, name), store, timeout=4.0)
    assert first_x(report) == GOOD
    assert report.failed[0].reason == "took longer than 4 s"
    if name == "Hanging":
        program = int(Path(f"{log}.program").read_text())
        wait_until(lambda: not is_running(program))  # what the oracle had started is gone too


def test_the_ladder_is_climbed_and_its_rung_recorded(store: LabelStore, log: Path) -> None:
    """A rung that dies counts like one that raises; k = 9 is the rung that knows the bad one."""
    frames = [pair(x) for x in (1.0, BAD)]
    short = PythonOracle("label_ladder_of_test:Ladder", {"k": 1.0}, ladder=[{"k": 2.0}], folder=log.parent)
    (log.parent / "label_ladder_of_test.py").write_text(LADDER)
    failed = label_frames(frames, short, store)
    assert failed.failed[0].reason.startswith(
        "rung 0: RuntimeError: too soft; rung 1: its worker ended with exit code 7"
    )
    assert failed.failed[0].tries == 2
    assert failed.rungs == {0: 1}
    long = PythonOracle("label_ladder_of_test:Ladder", {"k": 1.0}, ladder=[{"k": 2.0}, {"k": 9.0}], folder=log.parent)
    report = label_frames(frames, long, store)
    # rungs that have failed before are not tried again for a new one above them
    assert (report.calculations, report.rungs) == (1, {0: 1, 2: 1})
    assert report.labeled[1].info["source"] == f"pair at {BAD:g}; label from rung 2 (k=9.0)"
    assert report.labeled[0].info["source"] == "pair at 1"
    assert report.labeled[1].get_potential_energy() == 9.0
    # and the label of a rung is none for an oracle without that rung
    assert len(label_frames(frames, short, store).failed) == 1


LADDER = """
import os
class Ladder:
    def __init__(self, k):
        self.k = k
    def compute(self, atoms):
        if atoms.positions[0, 0] > 5 and self.k < 9:
            if self.k == 1:
                raise RuntimeError("too soft")
            os._exit(7)
        return {"energy": self.k, "forces": 0 * atoms.positions}
"""

RUN = """
import sys
from label_oracles import pair
from nnpal.label import LabelStore, PythonOracle, label_frames
path, log, name, seconds, n = sys.argv[1:]
with LabelStore(path) as store:
    oracle = PythonOracle(f"label_oracles:{name}", {"log": log, "seconds": float(seconds)})
    label_frames([pair(0.1 * k) for k in range(int(n))], oracle, store, n_workers=2)
"""


def run(store: LabelStore, log: Path, name: str, n: int, seconds: float = 0.0) -> Process:
    return Process(
        [sys.executable, "-c", RUN, str(store.path), str(log), name, str(seconds), str(n)],
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background have it ignored
    )


def hold(log: Path, n: int) -> Path:
    """Have calculations after the nth wait while a file is there, which is returned."""
    held = Path(f"{log}.held")
    held.write_text(str(n))
    return held


def workers(log: Path) -> set[int]:
    return {int(line.split()[0]) for line in log.read_text().splitlines()}


def test_killed_in_the_middle_and_resumed(store: LabelStore, log: Path) -> None:
    n, held, seconds = 20, hold(log, 8), COST  # what takes as long is on the disk at once
    process = run(store, log, "Spring", n, seconds)
    wait_until(lambda: len(computed(log)) == 10, process)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in workers(log)))
    held.unlink()
    begun = len(computed(log))
    assert begun == 10
    assert len(store) >= begun - 2  # those in flight are lost, and no more
    known = len(store)
    report = label_frames([pair(0.1 * k) for k in range(n)], oracle(log, seconds=seconds), store, n_workers=2)
    assert len(report.labeled) == n
    assert (report.from_store, report.calculations) == (known, n - known)
    assert len(computed(log)) == begun + n - known <= n + 2
    np.testing.assert_allclose(first_x(report), 0.1 * np.arange(n))


def test_workers_end_with_their_parent_even_when_deaf(store: LabelStore, log: Path) -> None:
    process = run(store, log, "Deaf", 60)  # the last ten sleep in C with the interpreter locked
    wait_until(lambda: sum(x > 5 for x in computed(log)) == 2, process)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in workers(log)))


def test_a_full_disk_is_no_fault_of_the_configuration(store: LabelStore, log: Path) -> None:
    with pytest.raises(DiskFullError, match="no space left on its disk"):
        label_frames([pair(x) for x in (*GOOD, BAD)], oracle(log, "Full"), store)
    known = len(store)
    assert known == len(GOOD)  # what came before, and no failure
    assert not any(is_running(pid) for pid in workers(log))


def test_interrupt_leaves_no_worker(store: LabelStore, log: Path) -> None:
    hold(log, 4)
    process = run(store, log, "Spring", 60)
    wait_until(lambda: len(computed(log)) == 6, process)
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not any(is_running(pid) for pid in workers(log))
    assert len(store) >= len(computed(log)) - 2


def test_oracles_that_cannot_work(store: LabelStore, log: Path) -> None:
    with pytest.raises(OracleError, match="there is no Sprig in label_oracles; did you mean Spring"):
        label_frames([pair(1.0)], oracle(log, "Sprig"), store)
    with pytest.raises(
        OracleError, match=r"3 workers in a row were not ready to compute; the last ended with exit code 4$"
    ):
        label_frames([pair(1.0)], PythonOracle("label_oracles:Unready"), store)
    assert len(store) == 0


class Own:
    """An oracle that implements the interface itself, and cannot be sent to workers."""

    n_rungs = 1

    def __init__(self) -> None:
        self.unpicklable = lambda: None

    def identity(self, rung: int = 0) -> dict[str, object]:
        return {"kind": "own"}

    def prepare(self) -> None:
        pass

    def compute(self, atoms: object, rung: int = 0) -> Result:
        return Result(0.0, np.zeros((2, 3)), None)


def test_bad_arguments(store: LabelStore, log: Path) -> None:
    with pytest.raises(OracleError, match="cannot be sent to workers"):
        label_frames([pair(1.0)], Own(), store)
    for arguments in ({"n_workers": 0}, {"timeout": 0.0}, {"threads": 0}):
        with pytest.raises(ValueError, match="expected more than 0"):
            label_frames([pair(1.0)], oracle(log), store, **arguments)
    assert label_frames([], oracle(log), store).labeled == []
