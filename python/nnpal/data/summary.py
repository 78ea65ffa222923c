"""What a dataset holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.hashes import content_hash
from nnpal.data.labels import NAMES, labels_of


def summarize(frames: Sequence[Atoms]) -> dict[str, Any]:
    """Return counts, formulas, tags and ranges, ready for JSON; ranges are of labels where there are any.

    Energies are in eV/atom, forces (their largest norm in a configuration) in eV/Å, pressures in eV/Å³.
    """
    labels = [labels_of(frame, f"configuration {index}") for index, frame in enumerate(frames)]
    sizes = [len(frame) for frame in frames]
    per_atom = [one["energy"] / size for one, size in zip(labels, sizes, strict=True) if "energy" in one]
    forces = [float(np.linalg.norm(one["forces"], axis=1).max()) for one in labels if "forces" in one]
    pressures = [-float(one["stress"][:3].mean()) for one in labels if "stress" in one]
    return {
        "configurations": len(frames),
        "atoms": sum(sizes),
        "atoms_per_configuration": [min(sizes), max(sizes)],
        "elements": sorted({symbol for frame in frames for symbol in frame.symbols}),
        "formulas": dict(Counter(frame.get_chemical_formula() for frame in frames).most_common()),
        "tags": dict(Counter(str(frame.info.get("tag", "")) for frame in frames).most_common()),
        "periodic": dict(Counter("".join("pf"[not p] for p in frame.pbc) for frame in frames).most_common()),
        "labelled": {name: sum(name in one for one in labels) for name in NAMES},
        "energy_ev_per_atom": _range(per_atom),
        "largest_force_ev_per_angstrom": _range(forces),
        "pressure_ev_per_angstrom3": _range(pressures),
        "content_hash": content_hash(frames),
    }


def _range(values: Sequence[float]) -> dict[str, float] | None:
    """Return the least, mean and largest value."""
    if not values:
        return None
    return {"min": float(np.min(values)), "mean": float(np.mean(values)), "max": float(np.max(values))}
