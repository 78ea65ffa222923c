"""Results of the gate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One comparison on one configuration.

    Attributes:
        name: compared quantity.
        frame: index of the configuration.
        difference: largest difference found.
        tolerance: largest difference allowed.
        unit: unit of both.
    """

    name: str
    frame: int
    difference: float
    tolerance: float
    unit: str

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance  # False for NaN

    @property
    def used(self) -> float:
        """Return difference divided by tolerance; infinite if the difference is NaN."""
        used = self.difference / self.tolerance
        return float("inf") if math.isnan(used) else used

    def __str__(self) -> str:
        return (
            f"{self.name}, configuration {self.frame}: differ by {self.difference:.3g} {self.unit}, "
            f"allowed {self.tolerance:.3g}"
        )


@dataclass(frozen=True)
class GateReport:
    """All comparisons of a model file."""

    model: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    def worst(self) -> list[Check]:
        """Return for each kind of comparison the one with the largest ratio of difference to tolerance."""
        found: dict[str, Check] = {}
        for check in self.checks:
            other = found.get(check.name)
            if other is None or check.used > other.used:
                found[check.name] = check
        return list(found.values())

    def to_json(self) -> dict[str, Any]:
        """Return the worst comparison of each kind, for the record of an export."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.worst()]}


class GateError(RuntimeError):
    """A model file that must not be used; the message has the numbers.

    Attributes:
        report: all comparisons, or None if the file could not be evaluated.
    """

    def __init__(self, message: str, report: GateReport | None = None) -> None:
        super().__init__(message)
        self.report = report


def failure(model: str, checks: Iterable[Check], *others: object) -> str:
    """Return a message that lists failed kinds of comparison, with their differences, and other problems."""
    failed = [check for check in GateReport(model, tuple(checks)).worst() if not check.passed]
    return f"{model} must not be used:\n" + "\n".join(f"  {each}" for each in (*failed, *others))
