"""How a run of LAMMPS ended: at its end, by a fault of the physics, or by something that must not pass for either."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nnpal.explore.lammps_input import OVER, TEMPERATURE_HALT, UQ_HALT

COMPLETE, LOST, NON_FINITE, HOT, UNCERTAIN = "complete", "lost atoms", "non-finite", "too hot", "too uncertain"
LAMMPS_ERROR = "lammps error: "
LAST_LINES = 15

_HALT = re.compile(r"Fix halt condition for fix-id (\w+) met")
_HALTS = {TEMPERATURE_HALT: HOT, UQ_HALT: UNCERTAIN}
_ERROR = re.compile(r"^ERROR[^:\n]*: *(.+)$", re.M)
_PLACE = re.compile(r" \([\w./+-]+\.(cpp|h):\d+\)$")
_FAULTS = (
    (NON_FINITE, re.compile(r"(?i)non-finite|not finite|non-numeric")),
    (LOST, re.compile(r"(?i)lost atoms|out of range atoms|atoms? (is |are )?(out|missing)|beyond ghost")),
)
_SURROUNDINGS = re.compile(r"(?i)no space left|cannot open|disk quota|cannot allocate|failed to allocate")
# a row of thermo output: the run has got through its setup
_BEGUN = re.compile(r"^ *Step .*\n *0 ", re.M)


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        how: "complete"; "too hot" or "too uncertain": a limit of the configuration ended it; "lost atoms",
            "non-finite" or "lammps error: ...": a fault of the physics did.
        last: the last lines of its output, unless complete.
    """

    how: str
    last: tuple[str, ...] = ()


def ending_of(text: str, *, failed: bool) -> Ending | None:
    """Return how a run ended; None if something other than its physics is at fault.

    LAMMPS's errors count as faults of the physics once dynamics have begun. Before, they say that the input is wrong,
    but for those that atoms or numbers were lost, as when a network cannot even bear the start.

    Arguments:
        text: what LAMMPS printed.
        failed: whether it ended with an error.
    """
    last = tuple(text.splitlines()[-LAST_LINES:])
    if halt := _HALT.search(text):
        return Ending(_HALTS.get(halt[1], f"halted by fix {halt[1]}"), last)
    if not failed:
        return Ending(COMPLETE) if OVER in text else None
    errors = _ERROR.findall(text)
    if not errors or any(_SURROUNDINGS.search(error) for error in errors):
        return None
    message = _PLACE.sub("", errors[0].strip())
    for how, pattern in _FAULTS:
        if pattern.search(message):
            return Ending(how, last)
    return Ending(LAMMPS_ERROR + message, last) if _BEGUN.search(text) else None
