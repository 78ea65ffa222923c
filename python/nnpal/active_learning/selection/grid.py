"""Baseline without a model: select one configuration per occupied cell of a grid in (O, H)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

DELTAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 3.0)
"""ΔO in Table S3 of the data-distillation supplement of Jung et al."""


@dataclass(frozen=True)
class Level:
    """Selection by one grid of a chain: a row of Table S3.

    Attributes:
        delta_O: width of the cells in O.
        selected: indices of the selected configurations in the whole series, ascending, int64.
        deselected: indices that only the previous level selected, ascending, int64.
    """

    delta_O: float
    selected: np.ndarray
    deselected: np.ndarray

    @property
    def total(self) -> int:
        """Number of configurations available to the level."""
        return len(self.selected) + len(self.deselected)


def occupied_cells(
    order: ArrayLike, enthalpy: ArrayLike | None, delta_O: float, delta_H: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Select the first configuration in each occupied cell (floor(O/ΔO), floor(H/ΔH)).

    Cells start at O = 0 and H = 0, so grids are the same for all series.

    Arguments:
        order: O, dimensionless, [n_frames].
        enthalpy: H of the whole configuration, eV, [n_frames]; may be None if ``delta_H`` is.
        delta_O: width ΔO of the cells.
        delta_H: width ΔH of the cells, eV; None: cells in O only.

    Returns:
        Indices of the selected and of the others, each ascending, int64.

    Raises:
        ValueError: a width is not finite and positive, a value is not finite, or shapes do not match.
    """
    columns = [_cells("order", order, "delta_O", delta_O)]
    if delta_H is not None:
        if enthalpy is None:
            raise ValueError(f"occupied_cells: delta_H = {delta_H} without enthalpy, expected both or neither")
        columns.append(_cells("enthalpy", enthalpy, "delta_H", delta_H))
        if len(columns[0]) != len(columns[1]):
            n_order, n_enthalpy = map(len, columns)
            raise ValueError(
                f"occupied_cells: order has {n_order} values, enthalpy {n_enthalpy}, expected the same number"
            )
    cells = np.stack(columns, axis=1)
    first = np.unique(cells, axis=0, return_index=True)[1]
    chosen = np.zeros(len(cells), dtype=bool)
    chosen[first] = True
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def grid_chain(
    order: ArrayLike, enthalpy: ArrayLike | None, *, delta_H: float | None, deltas: Sequence[float] = DELTAS
) -> list[Level]:
    """Apply :func:`occupied_cells` from the finest to the coarsest grid, each to what the previous one selected.

    So the total of a level is the number selected by the finer one, as in Table S3. Training starts with the selection
    of the last level; active learning then goes through the deselected configurations, from the last level to the
    first.

    ΔH is not published; here it is the same at all levels. The published numbers need one: the published range of O, -5
    to 108, has 5,650 cells of ΔO = 0.02, but 17,900 configurations were selected. The sampling itself had 60 grid
    points over 130 eV of H, 2.17 eV for 108 atoms.

    Arguments:
        order, enthalpy, delta_H: see :func:`occupied_cells`.
        deltas: ΔO of each level, ascending.

    Raises:
        ValueError: ``deltas`` do not ascend; see also :func:`occupied_cells`.
    """
    if len(deltas) == 0 or any(b <= a for a, b in pairwise(deltas)):
        raise ValueError(f"grid_chain: deltas = {list(deltas)}, expected widths that ascend, the finest grid first")
    whole = np.asarray(order, dtype=np.float64)
    energies = None if enthalpy is None or delta_H is None else np.asarray(enthalpy, dtype=np.float64)
    # everything first, so that the first level checks shapes
    left: slice | np.ndarray = slice(None)
    levels = []
    for delta in deltas:
        parts = occupied_cells(whole[left], None if energies is None else energies[left], delta, delta_H)
        selected, deselected = (np.arange(len(whole))[left][part] for part in parts)
        levels.append(Level(float(delta), selected, deselected))
        left = selected
    return levels


def _cells(name: str, values: ArrayLike, width_name: str, width: float) -> np.ndarray:
    """Return floor(value / width) of each value, as floats, so that any size fits."""
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"occupied_cells: {name} has shape {given.shape}, expected [n_frames]")
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"occupied_cells: {width_name} = {width}, expected a finite number above 0")
    if len(wrong := np.flatnonzero(~np.isfinite(given))):
        raise ValueError(f"occupied_cells: {name}[{wrong[0]}] = {given[wrong[0]]}, expected finite; remove failed ones")
    return np.floor(given / width)
