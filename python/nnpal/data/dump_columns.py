"""Read LAMMPS text dumps into columns: labels are chosen and converted for a whole file at once."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from nnpal.data.columns import Columns
from nnpal.data.keys import Keys
from nnpal.data.lammps_data import CHARGES_LEFT_OUT
from nnpal.data.lammps_dump import labels_in, units_of
from nnpal.data.plain_dump import parse_dump
from nnpal.data.units import Units
from nnpal.runtime.caution import caution


def read_dump_columns(
    path: str | os.PathLike[str],
    *,
    units: Units | None,
    symbols: Sequence[str] | None,
    keys: Keys,
    labeled: bool | None,
) -> Columns:
    """Read a dump as :func:`nnpal.data.lammps_dump.read_dump` does.

    Raises:
        DatasetError: no units, or missing labels.
        nnpal.data.plain_extxyz.NotPlainError: columns that change, or a fault that the other reader reports.
    """
    found = parse_dump(path, symbols, keys)
    own = units_of(path, found.units, units)
    if found.has_charges:
        caution(f"{path}: {CHARGES_LEFT_OUT}")
    n = len(found.sizes)
    names = labels_in(path, [found.held] * n, keys, labeled, found.sizes.tolist())
    has = {name: np.full(n, name in names) for name in ("energy", "forces")}
    energies, forces = np.zeros(n), np.zeros_like(found.positions)
    if "energy" in names and found.energies is not None:
        energies = found.energies * own.to_ev
    if "forces" in names and found.forces is not None:
        forces = found.forces * own.to_ev_per_angstrom
    return Columns(
        found.sizes,
        found.numbers,
        found.positions * own.to_angstrom,
        found.cells * own.to_angstrom,
        found.pbc,
        {**has, "stress": np.zeros(n, dtype=bool)},
        energies,
        forces,
        np.zeros((n, 6)),
        [None] * n,
        [None] * n,
    )
