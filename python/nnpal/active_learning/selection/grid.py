"""The baseline that needs no model: one configuration for each occupied cell of a grid in (O, H)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

DELTAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 3.0)
"""ΔO of Table S3 of the supplementary text of Jung et al. on data distillation."""


@dataclass(frozen=True)
class Level:
    """What one grid of a chain selected: a row of Table S3.

    Attributes:
        delta_O: width of the cells in O.
        selected: indices into the whole series, ascending, int64.
        deselected: those that the level before had still selected, ascending, int64.
    """

    delta_O: float
    selected: np.ndarray
    deselected: np.ndarray

    @property
    def total(self) -> int:
        """Configurations that the level chose from."""
        return len(self.selected) + len(self.deselected)


def occupied_cells(
    order: ArrayLike, enthalpy: ArrayLike | None, delta_O: float, delta_H: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Select the first configuration in each occupied cell (floor(O/ΔO), floor(H/ΔH)).

    Cells begin at O = 0 and H = 0, so that the grids of different series are the same.

    Arguments:
        order: O, no unit, [n_frames].
        enthalpy: H of the whole configuration, eV, [n_frames]; may be None where ``delta_H`` is.
        delta_O: ΔO.
        delta_H: ΔH, eV; None: cells in O alone.

    Returns:
        Indices of the selected and of the others, each ascending, int64.

    Raises:
        ValueError: widths that are not finite and positive, values that are not finite, or shapes that do not fit.
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
    """Apply :func:`occupied_cells` from the finest grid to the coarsest, each to what the one before selected.

    So the total of a level is what the finer one selected, as in Table S3. Training begins with what the last level
    selected; active learning goes back through what each level deselected, from the last to the first.

    ΔH is not published; it is the same at all levels here. The published counts need one: over the published range of
    O, -5 to 108, there are 5,650 cells of ΔO = 0.02, but 17,900 configurations were selected there. The sampling
    itself had 60 grid points over 130 eV of H, 2.17 eV for 108 atoms.

    Arguments:
        order, enthalpy, delta_H: see :func:`occupied_cells`.
        deltas: ΔO of each level, ascending.

    Raises:
        ValueError: ``deltas`` that do not ascend; see also :func:`occupied_cells`.
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
    """Return floor(value / width) of each value, as floats: whole numbers of any size."""
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"occupied_cells: {name} has shape {given.shape}, expected [n_frames]")
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"occupied_cells: {width_name} = {width}, expected a finite number above 0")
    if len(wrong := np.flatnonzero(~np.isfinite(given))):
        raise ValueError(f"occupied_cells: {name}[{wrong[0]}] = {given[wrong[0]]}, expected finite; remove failed ones")
    return np.floor(given / width)
