"""How a LAMMPS run ended: complete, by a failure of the physics, or by another error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from nnpal.active_learning.sampling.lammps_input import ERROR_HALT, OVER, TEMPERATURE_HALT, UQ_HALT

COMPLETE, LOST, NON_FINITE, HOT = "complete", "lost atoms", "non-finite", "too hot"
UNCERTAIN, WRONG = "too uncertain", "error too large"
LAMMPS_ERROR = "lammps error: "
LAST_LINES = 15

_HALT = re.compile(r"Fix halt condition for fix-id (\w+) met")
_HALTS = {TEMPERATURE_HALT: HOT, UQ_HALT: UNCERTAIN, ERROR_HALT: WRONG}
_ERROR = re.compile(r"^ERROR[^:\n]*: *(.+)$", re.M)
_PLACE = re.compile(r" \([\w./+-]+\.(cpp|h):\d+\)$")
_FAULTS = (
    (NON_FINITE, re.compile(r"(?i)non-finite|not finite|non-numeric")),
    (
        LOST,
        re.compile(
            r"(?i)lost atoms|out of range atoms|there is no atom with ID|atoms? (is |are )?(out|missing)|beyond ghost"
        ),
    ),
)
_SURROUNDINGS = re.compile(r"(?i)no space left|cannot open|disk quota|cannot allocate|failed to allocate")
# a row of thermo output: the setup is complete
_BEGUN = re.compile(r"^ *Step .*\n *0 ", re.M)


@dataclass(frozen=True)
class Ending:
    """How a run ended, and the end of its log.

    Attributes:
        how: "complete"; "too hot", "too uncertain" or "error too large": ended by a limit of the configuration; "lost
            atoms", "non-finite" or "lammps error: ...": ended by a failure of the physics.
        last: last lines of the log up to the one with the reason; empty if complete.
    """

    how: str
    last: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunOutcome:
    """Result of a run's task, without the keys of its kind.

    Attributes:
        ended: how it ended, see :class:`Ending`.
        last_lines: last lines of the log; empty if complete.
        n_frames: number of configurations; ``last_frame``: step of the last one.
        steps: number of steps of a complete run.
        seed: random seed of velocities and thermostat.
    """

    ended: str
    last_lines: tuple[str, ...]
    n_frames: int
    last_frame: int | None
    steps: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> RunOutcome:
        """Return the outcome from a task's result.

        Raises:
            ValueError: keys are missing.
        """
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in result]:
            raise ValueError(f"result of a run of LAMMPS: {', '.join(missing)}: missing, expected {', '.join(names)}")
        given = {name: result[name] for name in names}
        return cls(**given | {"last_lines": tuple(result["last_lines"])})


def ending_of(logs: Sequence[str], *, failed: bool) -> Ending | None:
    """Return how a run ended; None if the cause is not its physics.

    An error of LAMMPS counts as a failure of the physics if it occurs during dynamics. Before, it means that the input
    is wrong, unless atoms were lost or numbers are not finite, as with a network that fails on the initial structure.

    Arguments:
        logs: texts of LAMMPS's logs, one per partition.
        failed: whether LAMMPS ended with an error.
    """
    for log in logs:
        if halt := _HALT.search(log):
            return Ending(_HALTS.get(halt[1], f"halted by fix {halt[1]}"), _last(log, halt))
    if not failed:
        return Ending(COMPLETE) if any(OVER in log for log in logs) else None
    for log in logs:
        if error := _ERROR.search(log):
            how = _fault(_PLACE.sub("", error[1].strip()), log[: error.start()])
            return None if how is None else Ending(how, _last(log, error))
    return None


def _last(log: str, found: re.Match[str]) -> tuple[str, ...]:
    """Return the last lines up to the reason, none from before the last run command.

    LAMMPS prints times at the end of each run, and a repeated run must give the same lines.
    """
    begin, end = log.rfind("\nrun ", 0, found.start()) + 1, log.find("\n", found.end())
    return tuple(log[begin : end if end >= 0 else len(log)].splitlines()[-LAST_LINES:])


def _fault(message: str, before: str) -> str | None:
    """Return the failure of the physics in an error message; None if there is none."""
    if _SURROUNDINGS.search(message):
        return None
    for how, pattern in _FAULTS:
        if pattern.search(message):
            return how
    in_a_run = before.rfind("\nrun ") > before.rfind("\nLoop time of ")
    return LAMMPS_ERROR + message if in_a_run and _BEGUN.search(before) else None
