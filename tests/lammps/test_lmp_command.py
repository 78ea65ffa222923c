"""`nnpal lmp` is `lmp`, but for the Python that it runs in: the same output, options, errors and exit status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import processes
from hook_scripts import ENV, al_start, thermo
from nnpal.lammps.in_process import input_file

BIN = Path(sys.executable).parent
DYNAMICS = "fix n all nve\nrun 10\n"
HOOK = "fix t all python/hook lammps_hooks:Tether k 0.5 z0 3.0\n"


def run(command: str, folder: Path, *arguments: str, n_ranks: int = 1, stdin: str = "") -> tuple[int, str]:
    """Run `lmp` or `nnpal lmp`; return its exit status and what it printed."""
    words = {"lmp": [str(BIN / "lmp")], "nnpal lmp": [str(BIN / "nnpal"), "lmp"]}[command]
    launcher = [] if n_ranks == 1 else [str(BIN / "mpirun"), "-np", str(n_ranks)]
    done = processes.run(
        [*launcher, *words, *arguments],
        cwd=folder,
        env={**os.environ, **ENV, "OMP_NUM_THREADS": "1"},
        input=stdin,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout


def numbers(text: str) -> list[str]:
    """Return the rows of LAMMPS's YAML thermo output."""
    rows = re.findall(r"^\s+- \[.*", text, re.M)
    assert rows, text
    return rows


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
def test_same_output_as_lmp(tmp_path: Path, n_ranks: int) -> None:
    """Every digit, with a hook that gives forces and energy; the plugins are found as under lmp."""
    script = (
        al_start() + HOOK + "fix_modify t energy yes\n" + thermo("step", "pe", "f_t[1]") + "fix n all nve\nrun 10\n"
    )
    (tmp_path / "in.script").write_text(script)
    results = [run(command, tmp_path, "-in", "in.script", n_ranks=n_ranks) for command in ("lmp", "nnpal lmp")]
    assert [status for status, _ in results] == [0, 0], results
    ours, theirs = (text for _, text in results)
    assert numbers(ours) == numbers(theirs)
    assert f"{n_ranks} procs for 10 steps" in ours
    assert (tmp_path / "log.lammps").is_file()


def test_hook_beside_the_script(tmp_path: Path) -> None:
    """A module in the folder that LAMMPS runs in, as under lmp."""
    (tmp_path / "beside.py").write_text(
        "class Hello:\n    def end_of_step(self, context):\n        context.log(f'hello {context.step}')\n"
    )
    (tmp_path / "in.script").write_text(al_start() + "fix h all python/hook beside:Hello\nrun 2\n")
    status, text = run("nnpal lmp", tmp_path, "-in", "in.script", "-log", "none")
    assert status == 0, text
    assert text.count("hello 2") == 1


def test_script_on_standard_input(tmp_path: Path) -> None:
    status, text = run("nnpal lmp", tmp_path, "-log", "none", "-var", "word", "it's here", stdin='print "${word}"\n')
    assert status == 0, text
    assert "\nit's here\n" in text


def test_input_none_reads_nothing(tmp_path: Path) -> None:
    status, text = run("nnpal lmp", tmp_path, "-in", "none", "-log", "none", stdin="this is no command\n")
    assert status == 0, text


def test_status_of_quit(tmp_path: Path) -> None:
    (tmp_path / "in.script").write_text("quit 3\n")
    assert run("nnpal lmp", tmp_path, "-in", "in.script", "-log", "none")[0] == 3


@pytest.mark.mpi
def test_partitions(tmp_path: Path) -> None:
    (tmp_path / "in.script").write_text("variable w world one two\nprint 'this is $w' append said.txt screen no\n")
    arguments = ("-in", "in.script", "-partition", "2x1", "-log", "none")
    status, text = run("nnpal lmp", tmp_path, *arguments, n_ranks=2)
    assert status == 0, text
    assert sorted((tmp_path / "said.txt").read_text().splitlines()) == ["this is one", "this is two"]


# An unknown command (all ranks), a variable that is not there (one rank), a hook's exception, and errors at the start
ERRORS = {
    "no_such_command": "Unknown command: no_such_command",
    'print "${absent}"': "on proc 0: Substitution for illegal variable absent",
    "fix f all python/hook lammps_hooks:Fails step 1\nrun 2": r"RuntimeError: a \{brace\} went wrong",
    "fix f all python/hook lammps_hooks:Tehter": "did you mean Tether",
}


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
@pytest.mark.parametrize(("line", "message"), ERRORS.items())
def test_lammps_errors_are_printed_once(tmp_path: Path, line: str, message: str, n_ranks: int) -> None:
    (tmp_path / "in.script").write_text(al_start() + line + "\n")
    status, text = run("nnpal lmp", tmp_path, "-in", "in.script", "-log", "none", n_ranks=n_ranks)
    assert status == 1, text
    assert len(re.findall(message, text)) == 1, text
    assert "lmp_command.py" not in text, "LAMMPS's message, without the way that Python took to it"


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-in", "absent.in"), "Cannot open input script absent.in"),
        (("-bogus",), "Invalid command-line argument: -bogus"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], message: str, n_ranks: int) -> None:
    status, text = run("nnpal lmp", tmp_path, *arguments, "-log", "none", n_ranks=n_ranks)
    assert status == 1, text
    assert text.count(message) == 1, text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "script"),
    [
        (("-in", "a"), "a"),
        (("-log", "none", "-i", "b"), "b"),
        (("-in", "none"), None),
        ((), "/dev/stdin"),
        (("-var", "x", "1"), "/dev/stdin"),
    ],
)
def test_which_script_is_read(arguments: tuple[str, ...], script: str | None) -> None:
    assert input_file(arguments) == script
