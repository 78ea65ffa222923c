"""Count round trips between two ends of a variable, such as liquid and solid."""

from __future__ import annotations


class RoundTrips:
    """Counter of crossings between a low and a high end; two crossings are a round trip.

    Attributes:
        low, high: bounds of the ends: values at or below `low`, and at or above `high`.
        crossings: number of arrivals at the other end so far.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.crossings = 0
        self._end = 0

    @property
    def count(self) -> int:
        return self.crossings // 2

    def visit(self, value: float) -> None:
        end = -1 if value <= self.low else 1 if value >= self.high else 0
        if end and end != self._end:
            self.crossings += int(self._end != 0)
            self._end = end

    def state_dict(self) -> dict[str, int]:
        return {"crossings": self.crossings, "end": self._end}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.crossings, self._end = state["crossings"], state["end"]
