"""Run a command in the user's environment and return its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnpal.runtime.child_process import run_program
from nnpal.runtime.scratch import scratch_folder

LIMIT_SECONDS = 600.0  # the first import of torch from a network file system or on a busy machine takes minutes


@dataclass(frozen=True)
class Outcome:
    """Result of a command.

    Attributes:
        returncode: exit status; None if the command could not start or exceeded its time limit.
        output: combined stdout and stderr.
    """

    returncode: int | None
    output: str

    @property
    def last_line(self) -> str:
        """Return the last line printed, where interpreters and LAMMPS report the reason."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else "no output"


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    limit_seconds: float = LIMIT_SECONDS,
) -> Outcome:
    """Run `command` in an empty temporary folder, without input."""
    with scratch_folder("doctor") as folder:
        return _run_in(folder, command, environ, limit_seconds)


def run_lammps(
    command: Sequence[str],
    script: str,
    environ: Mapping[str, str],
    *,
    limit_seconds: float = LIMIT_SECONDS,
) -> Outcome:
    """Run `command -in <a file holding script>` in a temporary folder, without log file."""
    with scratch_folder("doctor") as folder:
        path = folder / "in.probe"
        path.write_text(script, encoding="utf-8")
        arguments = [*command, "-in", path.name, "-log", "none", "-nocite"]
        return _run_in(folder, arguments, environ, limit_seconds)


def _run_in(folder: Path, command: Sequence[str], environ: Mapping[str, str], limit_seconds: float) -> Outcome:
    try:  # the wheel's lmp has a child process, which must end with it
        ended = run_program(command, folder, environ, limit=limit_seconds)
    except OSError as error:
        return Outcome(None, f"{command[0]} did not start: {error}")
    if ended.code is None:
        return Outcome(None, f"{command[0]} did not finish within {limit_seconds:g} s")
    return Outcome(ended.code, ended.output)
