"""Check that a time step is short enough for the walls and the bins, from the moves of the variables per step.

A wall of curvature c = e/l² on a variable s adds a vibration along the gradient of s, with ω² = c Σ |∂s/∂r|²/m.
Velocities at temperature T0 move s by σ² = dt² kT0 Σ |∂s/∂r|²/m per step (mean square). So (ω dt)² = c σ²/kT0, which
requires only σ. The Verlet algorithm increases a vibration's mean square by 1/(1 - (ω dt)²/4): by 11 % with 10 steps
per period. For a bin, the bump of one update has a curvature of up to 2 ln f kT0/width², and forces follow the bias
only if σ is smaller than a bin.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from nnpal.momt.bias_file import Walls
from nnpal.momt.grid import Axis

# Smallest number of steps per period of a vibration against a wall
MIN_STEPS = 10.0
# Number of moves after which a new estimate begins, and smallest number for an estimate
WINDOW, LEAST = 1000, 100
# Median of |x| for normal x with σ = 1; it is insensitive to jumps by Monte Carlo moves and at the start of runs
_MEDIAN = 0.6745


class StepSize:
    """Moves of the grid's variables per step, and complaints about them, at most once per axis and kind."""

    def __init__(self, axes: tuple[Axis, ...], walls: tuple[Walls, ...], kT: float) -> None:
        self._axes, self._walls, self._kT = axes, walls, kT
        self._moves = np.zeros((WINDOW, len(axes)))
        self._n = 0
        self._last: tuple[float, float] = (0.0, 0.0)
        self._last_step = -2
        self._said: set[str] = set()

    def visit(self, step: int, point: tuple[float, float], dt: float) -> list[str]:
        """Record the variables at a step, and return complaints when a window is full."""
        if step == self._last_step + 1:
            for d in range(len(self._axes)):
                self._moves[self._n, d] = point[d] - self._last[d]
            self._n += 1
        self._last, self._last_step = point, step
        return self.complaints(dt) if self._n == WINDOW else []

    def complaints(self, dt: float) -> list[str]:
        """Return complaints about the moves since the last estimate, if there are enough, and start the next window."""
        if self._n < LEAST:
            return []
        sigmas = np.median(np.abs(self._moves[: self._n]), axis=0) / _MEDIAN
        self._n = 0
        found = []
        for axis, wall, sigma in zip(self._axes, self._walls, sigmas, strict=True):
            for name, text in (
                (f"wall {axis.name}", _about_wall(axis, wall, sigma, self._kT, dt)),
                (f"bins {axis.name}", _about_bins(axis, sigma, dt)),
            ):
                if text and name not in self._said:
                    self._said.add(name)
                    found.append(text)
        return found


def _about_wall(axis: Axis, wall: Walls, sigma: float, kT: float, dt: float) -> str:
    phase = sqrt(wall.curvature / kT) * sigma  # ω dt
    if phase * MIN_STEPS <= 2 * pi:
        return ""
    longer = "a larger wall_length, " if axis.name == "H" else ""
    return (
        f"{axis.name} moves by {sigma:.3g} in a timestep, too far for its walls: a vibration against them takes "
        f"{2 * pi / phase:.1f} steps, expected at least {MIN_STEPS:g}. Use a timestep of at most "
        f"{dt * 2 * pi / (phase * MIN_STEPS):.2g}, {longer}or a smaller wall_strength"
    )


def _about_bins(axis: Axis, sigma: float, dt: float) -> str:
    if sigma <= axis.width:
        return ""
    n_bins = max(1, int((axis.high - axis.low) / sigma))
    return (
        f"{axis.name} moves by {sigma:.3g} in a timestep, farther than a bin of {axis.width:.3g}. Use at most "
        f"{n_bins} bins, or a timestep of at most {dt * axis.width / sigma:.2g}"
    )
