"""Programs that nnpal starts: what they print, how they end, and that nothing outlives the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnpal.runtime.child_process import Child, Killed, environment_for, how_ended, last_lines, run_program, was_killed

LIMIT = 60.0
PARENT = "import subprocess, sys, time\nfrom nnpal.runtime.child_process import end_with_parent\nend_with_parent()\n"
SLEEPS = f"{PARENT}print(subprocess.Popen(['sleep', '1000']).pid, flush=True)\ntime.sleep(1000)\n"
"""A child that has a child of its own, and says its number."""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_gone(process: int) -> bool:
    """Wait for a process to end; one that nobody has waited for yet is at its end too."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_prints_to_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import os, sys; print(os.getcwd()); print('why', file=sys.stderr); sys.exit(3)"
    with Child(python(code), log, folder=tmp_path) as child:
        assert child.wait() == 3
    assert child.log_start == len("before\n")
    assert sorted(log.read_text().splitlines()) == sorted(["before", str(tmp_path), "why"])
    assert last_lines(log, 2) == log.read_text().splitlines()[1:]
    assert last_lines(tmp_path / "none", 2) == []


def test_says_its_lines_but_no_half_one(tmp_path: Path) -> None:
    code = r"import os; os.write(1, b'one\n\ntwo \xff\nhal'); os.write(2, b'why')"
    with Child(python(code), tmp_path / "log", reads_output=True) as child:
        assert list(child.lines()) == ["one", "", "two �"]
        assert child.wait() == 0
    assert (tmp_path / "log").read_text() == "why"


def test_a_kill_reaches_all_that_it_has_started(tmp_path: Path) -> None:
    with Child(python(SLEEPS), tmp_path / "log", reads_output=True) as child:
        sleeper = int(next(child.lines()))
        assert child.wait(0.01) is None
        assert child.code is None
        assert os.getpgid(sleeper) == child.pid != os.getpgid(0)
    assert child.code == -signal.SIGKILL
    assert is_gone(sleeper)
    child.kill()


def test_is_asked_to_end_before_it_is_killed(tmp_path: Path) -> None:
    def ended_by(answer: str) -> int | None:
        code = (
            f"{PARENT}import signal, sys\nsignal.signal(signal.SIGTERM, {answer})\nprint(flush=True)\ntime.sleep(1000)"
        )
        with Child(python(code), tmp_path / "log", reads_output=True) as child:
            next(child.lines())
            child.end(LIMIT if "exit" in answer else 0.1)
        return child.code

    assert ended_by("lambda *_: sys.exit(5)") == 5
    assert ended_by("signal.SIG_IGN") == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ends_with_the_process_that_has_started_it(tmp_path: Path, number: signal.Signals) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom nnpal.runtime.child_process import Child\n"
        f"child = Child({python(SLEEPS)!r}, Path('log'), reads_output=True)\n"
        "print(child.pid, next(child.lines()), flush=True)\nchild.wait()\n"
    )
    with subprocess.Popen(python(code), cwd=tmp_path, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        numbers = [int(word) for word in starter.stdout.readline().split()]
        starter.send_signal(number)
    assert len(numbers) == 2
    assert all(map(is_gone, numbers))


def test_any_program_is_run_to_its_end(tmp_path: Path) -> None:
    code = r"import os, sys; os.write(1, sys.stdin.buffer.read() + b'\xff\n'); os.write(2, repr(os.environ).encode())"
    code += "; sys.exit(4)"
    ended = run_program(python(code), tmp_path, {"A_VARIABLE": "its value"})
    assert (ended.code, ended.output[:2]) == (4, "�\n")
    assert "'A_VARIABLE': 'its value'" in ended.output
    assert run_program(["/bin/sh", "-c", "kill -SEGV $$"], tmp_path, {}).code == -signal.SIGSEGV
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "none")], tmp_path, {})


def test_a_program_that_takes_too_long_ends_with_its_own_programs(tmp_path: Path) -> None:
    ended = run_program(["/bin/sh", "-c", "sleep 1000 & echo $! > pid; wait"], tmp_path, os.environ, limit=0.5)
    assert ended.code is None
    assert is_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("in_own_group", [True, False])
def test_any_program_ends_with_the_process_that_runs_it(tmp_path: Path, in_own_group: bool) -> None:
    code = (
        "import os\nfrom pathlib import Path\nfrom nnpal.runtime.child_process import run_program\n"
        "run_program(['/bin/sh', '-c', 'echo $$ > new; mv new pid; exec sleep 1000'], Path(), os.environ,\n"
        f"            in_own_group={in_own_group})\n"
    )
    with subprocess.Popen(python(code), cwd=tmp_path) as starter:
        while not (tmp_path / "pid").exists() and starter.poll() is None:
            time.sleep(0.02)
        program = int((tmp_path / "pid").read_text())
        assert (os.getpgid(program) == program) is in_own_group
        starter.kill()
    assert is_gone(program)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with exit code 0"), (65, "ended with exit code 65"), (-9, "was ended by SIGKILL"),
     (-11, "was ended by SIGSEGV"), (-40, "was ended by signal 40")],
)  # fmt: skip
def test_words_of_an_exit_status(code: int, words: str) -> None:
    assert how_ended(code) == words


def test_which_deaths_are_the_programs_own_fault() -> None:
    assert all(was_killed(status) for status in (-9, 9, 137, -15, 15, 143))
    assert not any(was_killed(status) for status in (0, 1, 2, -11, 139, 255))
    assert issubclass(Killed, RuntimeError)


def test_variables_of_a_launcher_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MPI_LOCALRANKID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OTHER", "1")
    found = environment_for(3, ["/a", "/b"])
    assert found["OTHER"] == "1"
    assert [name for name in found if name.startswith(("PMI", "OMPI_", "MPI_LOCAL"))] == []
    assert (found["OMP_NUM_THREADS"], found["PYTHONPATH"]) == ("3", "/a:/b")
    assert environment_for(1)["PYTHONPATH"] == os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
