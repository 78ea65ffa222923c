"""Summary of a dataset in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from nnpal.data.check_geometry import largest_of_each
from nnpal.data.columns import Columns
from nnpal.data.hashes import content_hash
from nnpal.data.labels import NAMES


def summarize(frames: Sequence[Atoms]) -> dict[str, Any]:
    """Return counts, formulas, tags and the ranges of labels, ready for JSON.

    Energies are in eV/atom, forces (the largest norm in a configuration) in eV/Å, pressures in eV/Å³.

    Arguments:
        frames: configurations, with or without labels.
    """
    columns = Columns.of(frames)
    columns.require_consistent()
    has = columns.has
    forces = largest_of_each(columns, np.linalg.norm(columns.forces, axis=1))
    return {
        "configurations": len(columns),
        "atoms": int(columns.sizes.sum()),
        "atoms_per_configuration": [int(columns.sizes.min()), int(columns.sizes.max())],
        "elements": sorted(chemical_symbols[number] for number in np.unique(columns.numbers)),
        "formulas": dict(_formulas(columns).most_common()),
        "tags": dict(Counter(tag or "" for tag in columns.tags).most_common()),
        "periodic": dict(Counter("".join("pf"[not p] for p in pbc) for pbc in columns.pbc.tolist()).most_common()),
        "labeled": {name: int(has[name].sum()) for name in NAMES},
        "energy_ev_per_atom": _range((columns.energies / columns.sizes)[has["energy"]]),
        "largest_force_ev_per_angstrom": _range(forces[has["forces"]]),
        "pressure_ev_per_angstrom3": _range(-columns.stresses[has["stress"], :3].mean(axis=1)),
        "content_hash": content_hash(columns),
    }


def _formulas(columns: Columns) -> Counter[str]:
    by_numbers = Counter(columns.numbers[start:end].tobytes() for start, end in pairwise(columns.starts.tolist()))
    formulas: Counter[str] = Counter()
    for numbers, count in by_numbers.items():
        formulas[Atoms(np.frombuffer(numbers, dtype=np.int64)).get_chemical_formula()] += count
    return formulas


def _range(values: NDArray[np.float64]) -> dict[str, float] | None:
    """Return the smallest, mean and largest value."""
    if not len(values):
        return None
    return {"min": float(np.min(values)), "mean": float(np.mean(values)), "max": float(np.max(values))}
