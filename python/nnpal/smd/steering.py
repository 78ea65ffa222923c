"""The two kinds of steering, functions of time and distance only: a moving spring and a constant force."""

from __future__ import annotations

from typing import Any, Protocol


class Steering(Protocol):
    """A bias on the distance d, in the script's units.

    Attributes:
        target: position λ of the spring's far end.
        force: force on d, positive if it increases d.
        energy: energy of the spring or of the constant force.
        work: work done by the far end since the start.
    """

    target: float
    force: float
    energy: float
    work: float

    def begin(self, d: float) -> None:
        """Start the pull at distance d, unless it has started."""
        ...

    def advance(self, dt: float) -> None:
        """Advance by a time step dt; call `evaluate` next."""
        ...

    def evaluate(self, d: float) -> None:
        """Compute force, energy and work at distance d; the last call within a step counts."""
        ...

    def energy_at(self, d: float) -> float:
        """Return the energy at distance d for the current position of the far end, without changing the state."""
        ...

    def state(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...


class MovingSpring:
    """A spring, U = ½ k (d − λ)², whose far end moves at constant velocity.

        λ(t) = λ0 + rate · t,   F = k (λ − d),   W = ∫ F dλ   by the trapezoid rule over the steps

    t is n·dt with n counted from the last change of dt or rate, so that no rounding error grows with time.

    Arguments:
        k: spring constant, energy/distance².
        rate: velocity of λ, distance/time; 0 keeps it fixed.
        start: λ0; None: the distance at `begin`.
    """

    def __init__(self, k: float, rate: float, start: float | None) -> None:
        self.k = k
        self.rate = rate
        self.target = start if start is not None else 0.0
        self.force = self.energy = self.work = 0.0
        self._begun = start is not None
        self._anchor = self.target  # λ when n was 0
        self._n = 0
        self._dt = 0.0
        self._last = (self.target, 0.0, 0.0)  # λ, F and W at the end of the previous step

    def begin(self, d: float) -> None:
        if not self._begun:
            self._begun = True
            self.target = self._anchor = d

    def advance(self, dt: float) -> None:
        if dt != self._dt:
            self._anchor, self._n, self._dt = self.target, 0, dt
        self._last = (self.target, self.force, self.work)
        self._n += 1
        self.target = self._anchor + self.rate * (self._n * dt)

    def evaluate(self, d: float) -> None:
        target, force, work = self._last
        self.force = self.k * (self.target - d)
        self.energy = self.energy_at(d)
        self.work = work + 0.5 * (force + self.force) * (self.target - target)

    def energy_at(self, d: float) -> float:
        return 0.5 * self.k * (self.target - d) ** 2

    def state(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "rate": self.rate,
            "target": self.target,
            "force": self.force,
            "work": self.work,
            "begun": self._begun,
            "anchor": self._anchor,
            "n": self._n,
            "dt": self._dt,
            "last": list(self._last),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore the state of a pull; if k or rate differ from it, the new values apply from here on."""
        self.target, self.force, self.work = state["target"], state["force"], state["work"]
        self._begun, self._last = state["begun"], tuple(state["last"])
        if state["rate"] == self.rate:
            self._anchor, self._n, self._dt = state["anchor"], state["n"], state["dt"]
        else:
            self._anchor, self._n, self._dt = self.target, 0, 0.0
        if state["k"] != self.k:  # the jump of the force at the same λ does no work
            self._last = (self.target, 0.0, self.work)


class ConstantForce:
    """A constant force F on d, U = −F d. λ stays at d0, the distance at `begin`; W = F (d − d0)."""

    def __init__(self, force: float) -> None:
        self.force = force
        self.target = self.energy = self.work = 0.0
        self._begun = False

    def begin(self, d: float) -> None:
        if not self._begun:
            self._begun = True
            self.target = d

    def advance(self, dt: float) -> None:
        pass

    def evaluate(self, d: float) -> None:
        self.energy = self.energy_at(d)
        self.work = self.force * (d - self.target)

    def energy_at(self, d: float) -> float:
        return -self.force * d

    def state(self) -> dict[str, Any]:
        return {"force": self.force, "target": self.target, "begun": self._begun}

    def load(self, state: dict[str, Any]) -> None:
        self.target, self._begun = state["target"], state["begun"]
