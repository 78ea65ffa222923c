"""The variables in which MOMT flattens the histogram, and their grid."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import HookError

# Allowed variables, in the order of the grid's axes
CHOICES = (("H",), ("O",), ("H", "O"), ("V", "H"))
MAX_BINS = 10_000_000
MAX_EDGE = 1e18  # above the energy, volume and order of any system, in all LAMMPS units


@dataclass(frozen=True)
class Axis:
    """Bins of equal width along one variable.

    Attributes:
        name: H (enthalpy U + P0 V, energy units), V (volume) or O (order parameter).
        low, high: outer edges.
        n_bins: number of bins.
    """

    name: str
    low: float
    high: float
    n_bins: int

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            expected = "low < high, finite numbers"
        elif max(abs(self.low), abs(self.high)) > MAX_EDGE:
            expected = f"numbers of {MAX_EDGE:g} at most"
        elif not 1 <= self.n_bins <= MAX_BINS:
            expected = f"1 to {MAX_BINS} bins"
        elif not (isfinite(self.width) and self.low + self.width > self.low and self.high - self.width < self.high):
            expected = f"bins that numbers of 16 digits can resolve, not of width {self.width:g}"
        else:
            return
        raise HookError(
            f"grid {self.name} {self.low:g} {self.high:g} {self.n_bins}: expected {expected}; "
            f"write {self.name} LOW HIGH BINS"
        )

    @property
    def width(self) -> float:
        return (self.high - self.low) / self.n_bins

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins, [n_bins + 1]."""
        return np.linspace(self.low, self.high, self.n_bins + 1)

    @property
    def centers(self) -> NDArray[np.float64]:
        """Centers of the bins, [n_bins]."""
        return self.low + (np.arange(self.n_bins, dtype=np.float64) + 0.5) * self.width

    def __str__(self) -> str:
        return f"{self.name} {_shortest(self.low)} {_shortest(self.high)} {self.n_bins}"


def _shortest(value: float) -> str:
    """Return the shortest decimal form that restores the number exactly."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def choose_axes(grids: dict[str, tuple[float, float, int] | None]) -> tuple[Axis, ...]:
    """Return the axes for the given grids, in the order of `CHOICES`.

    Raises:
        HookError: there is no grid, the combination is not in `CHOICES`, or there are too many bins.
    """
    given = {name for name, grid in grids.items() if grid is not None}
    for names in CHOICES:
        if given == set(names):
            axes = tuple(Axis(name, *grid) for name in names if (grid := grids[name]) is not None)
            n_bins = prod(axis.n_bins for axis in axes)
            if n_bins > MAX_BINS:
                found = ", ".join(map(str, axes))
                raise HookError(f"grids {found}: {n_bins} bins in all, expected at most {MAX_BINS}; give fewer bins")
            return axes
    possible = ", ".join(" and ".join(names) for names in CHOICES)
    found = " and ".join(sorted(given)) or "none"
    raise HookError(f"grids of {found}: expected grids of {possible}, each as NAME LOW HIGH BINS")


def basis(axis: Axis, s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the four nonzero cubic B-splines at each s, as in the compiled bias.

    Arguments:
        axis: axis with one basis function at each of its n_bins + 1 edges, mirrored at the outermost.
        s: values of the variable, [n]; values outside the grid are moved to its edge.

    Returns:
        Indices of the coefficients, [n, 4], and values of the splines, [n, 4].
    """
    u = (np.clip(s, axis.low, axis.high) - axis.low) / axis.width
    cell = np.clip(u.astype(int), 0, axis.n_bins - 1)
    t = u - cell
    values = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1) / 6
    knots = np.abs(cell[..., None] - 1 + np.arange(4))
    return np.where(knots > axis.n_bins, 2 * axis.n_bins - knots, knots), values
