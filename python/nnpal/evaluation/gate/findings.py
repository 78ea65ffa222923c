"""What the gate found."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One comparison on one configuration.

    Attributes:
        name: what was compared.
        frame: index of the configuration.
        difference: the largest that was found.
        tolerance: the largest that is allowed.
        unit: of both.
    """

    name: str
    frame: int
    difference: float
    tolerance: float
    unit: str

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance  # a NaN does not pass

    @property
    def used(self) -> float:
        """Difference over tolerance; infinite where the difference is no number."""
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
        """Return of each kind of comparison the one that came closest to its tolerance, or went farthest beyond."""
        found: dict[str, Check] = {}
        for check in self.checks:
            other = found.get(check.name)
            if other is None or check.used > other.used:
                found[check.name] = check
        return list(found.values())

    def to_json(self) -> dict[str, Any]:
        """Return the worst of each kind, for the record of an export."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.worst()]}


class GateError(RuntimeError):
    """A model file that must not be used; the message has the figures.

    Attributes:
        report: all comparisons, or None where the file could not be evaluated at all.
    """

    def __init__(self, message: str, report: GateReport | None = None) -> None:
        super().__init__(message)
        self.report = report


def failure(model: str, checks: Iterable[Check], *others: object) -> str:
    """Say which kinds of comparison failed, and by how much, and what else went wrong."""
    failed = [check for check in GateReport(model, tuple(checks)).worst() if not check.passed]
    return f"{model} must not be used:\n" + "\n".join(f"  {each}" for each in (*failed, *others))
