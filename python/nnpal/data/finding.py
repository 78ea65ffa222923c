"""Faults of configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nnpal.data.error import DatasetError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One fault of a configuration.

    Attributes:
        index: index of the configuration.
        severity: error, or warning if it may be intended.
        kind: duplicate, copied labels, repeated energy, no labels, not finite, energy, force, stress, distance,
            position, cell, element, net force, charge, empty or stale.
        value: the value found, as text.
        expected: the value expected, as text.
    """

    index: int
    severity: Severity
    kind: str
    value: str
    expected: str

    @property
    def text(self) -> str:
        """Return the fault without the configuration: kind, value and what was expected."""
        return f"{self.kind}: {self.value}, expected {self.expected}"

    def __str__(self) -> str:
        return f"configuration {self.index}: {self.severity}: {self.text}"


def report(what: str, finding: Finding, faults: list[Finding] | None) -> None:
    """Append the finding to ``faults``, or raise it as an error.

    Arguments:
        what: file and frame, for the message.
        faults: list of findings; None raises an error.

    Raises:
        DatasetError: ``faults`` is None.
    """
    if faults is None:
        raise DatasetError(f"{what}: {finding.text}")
    faults.append(finding)
