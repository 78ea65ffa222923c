"""What is wrong with a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nnpal.data.error import DatasetError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        index: of the configuration.
        severity: error, or warning for what may be meant.
        kind: duplicate, copied labels, repeated energy, no labels, not finite, energy, force, stress, distance,
            position, cell, element, net force, charge, empty or stale.
        value: found.
        expected: in words.
    """

    index: int
    severity: Severity
    kind: str
    value: str
    expected: str

    @property
    def text(self) -> str:
        """The fault without the configuration: kind, value and what was expected."""
        return f"{self.kind}: {self.value}, expected {self.expected}"

    def __str__(self) -> str:
        return f"configuration {self.index}: {self.severity}: {self.text}"


def report(what: str, finding: Finding, faults: list[Finding] | None) -> None:
    """Append the finding to ``faults``.

    Arguments:
        what: file and frame, for the message.
        faults: None where a fault ends the reading.

    Raises:
        DatasetError: ``faults`` is None.
    """
    if faults is None:
        raise DatasetError(f"{what}: {finding.text}")
    faults.append(finding)
