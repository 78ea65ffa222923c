"""Checks of a configuration before the first label is computed, a function for each.

Each takes a :class:`Given` and yields :class:`Fault` s; none computes labels, trains or writes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nnpal.active_learning.checks import code, electrons, elements, errors, machine, sampling, starts, structures
from nnpal.active_learning.checks.given import CheckError, Fault, Given
from nnpal.active_learning.checks.structures import read_given

Check = Callable[[Given], Iterator[Fault]]
CHECKS: dict[str, Check] = {
    "structure files": structures.unreadable,
    "boxes": structures.boxes,
    "charge, spin, directions": electrons.electrons,
    "limits of labels": structures.limits,
    "atom numbers": structures.atom_numbers,
    "grids": structures.grids,
    "order parameter": structures.order,
    "elements": elements.elements,
    "translation": elements.translation,
    "starts": starts.starts,
    "first steps": sampling.first_steps,
    "sets": sampling.sets,
    "limits of errors": errors.error_limits,
    "devices": machine.devices,
    "TensorBoard": machine.tensorboard,
    "programs": machine.programs,
    "executor": machine.executor,
    "oracle": code.oracle,
    "ranking of members": code.best_member,
}


def faults(given: Given) -> list[Fault]:
    """Return the faults that all checks find."""
    return [fault for check in CHECKS.values() for fault in check(given)]


__all__ = ["CHECKS", "Check", "CheckError", "Fault", "Given", "faults", "read_given"]
