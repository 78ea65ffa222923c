"""Which label is which in formats whose keys are free: one choice for a whole file, converted to eV and Å."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.error import DatasetError
from nnpal.data.keys import Keys, require_everywhere
from nnpal.data.labels import LAMMPS_ORDER, VOIGT, attach, stress_of_virial, to_voigt
from nnpal.data.units import Units

Held = Mapping[str, Any]  # what a frame holds that may be a label, by name
USUAL = {"energy": ("energy",), "forces": ("forces",), "stress": ("stress",), "virial": ("virial", "virials")}


def choose(
    path: object,
    held: Sequence[Held],
    keys: Keys,
    labelled: bool | None,
    usual: Mapping[str, Sequence[str]] = USUAL,
) -> dict[str, str]:
    """Return the name of each label in this file.

    Names given by ``keys`` hold; else REF_ names where any frame has one, else the usual ones: never some of both, for
    REF_energy and plain forces may come from different calculators.

    Args:
        held: for each frame.
        labelled: True asks for energy and forces in every frame, False for nothing, None for what there is.
        usual: names of each label in this format, without REF_.

    Raises:
        DatasetError: a frame lacks what was asked for.
    """
    if labelled is False:
        return {}
    every = {name for one in held for name in one}
    prefix = "REF_" if any(name.startswith("REF_") for name in every) else ""
    names = {}
    for label in ("energy", "forces"):
        asked = getattr(keys, label)
        found = [prefix + name for name in usual[label] if prefix + name in every]
        name = asked or (found[0] if found else prefix + usual[label][0])
        if labelled or asked:
            require_everywhere(path, name, [name in one for one in held], held)
        if name in every:
            names[label] = name
    asked_stress = {label: getattr(keys, label) for label in ("stress", "virial") if getattr(keys, label) is not None}
    for label, name in asked_stress.items():
        if name and name not in every:
            require_everywhere(path, name, [False] * len(held), held)
        if name:
            names[label] = name
    if not asked_stress:
        both = [(label, prefix + name) for label in ("stress", "virial") for name in usual[label]]
        names.update([pair for pair in both if pair[1] in every][:1])
    return names


def converted(
    what: str,
    structure: Atoms,
    held: Held,
    names: Mapping[str, str],
    units: Units,
    keys: Keys,
    *,
    six: tuple[tuple[int, int], ...] | None = VOIGT,
) -> Atoms:
    """Return atoms, cell and labels in eV and Å, and nothing else of ``structure``.

    Args:
        what: file and frame, for messages.
        names: of the labels in ``held``, see :func:`choose`.
        six: order of six components where ``keys`` gives none; None when the format has none.

    Raises:
        DatasetError: a label of the wrong shape or kind, or six components in an order that nobody stated.
    """
    atoms = Atoms(
        structure.numbers,
        positions=structure.positions * units.to_angstrom,
        cell=structure.cell.array * units.to_angstrom,
        pbc=structure.pbc,
    )
    order = {"lammps": LAMMPS_ORDER, "ase": VOIGT}.get(keys.order or "", six)
    labels: dict[str, Any] = {}
    for label, name in names.items():
        value = held.get(name)
        if value is None:
            continue
        try:
            labels.update(_label(label, name, value, atoms, units, order))
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{what}: {error}") from error
    attach(atoms, **labels)
    return atoms


def _label(
    label: str, name: str, value: Any, atoms: Atoms, units: Units, order: tuple[tuple[int, int], ...] | None
) -> dict[str, Any]:
    if label == "energy":
        if np.size(value) != 1:
            raise ValueError(f"{name} has {np.size(value)} values, expected one")
        return {"energy": float(np.asarray(value, dtype=float).item()) * units.to_ev}
    values = np.asarray(value, dtype=float)
    if label == "forces":
        if values.shape != (len(atoms), 3):
            raise ValueError(f"{name} have shape {values.shape}, expected ({len(atoms)}, 3)")
        return {"forces": values * units.to_ev_per_angstrom}
    if values.size == 6 and order is None:
        raise ValueError(
            f"{name} has six components in an order that the file does not state; give keys.order, `ase` (xx yy zz yz "
            "xz xy) or `lammps` (xx yy zz xy xz yz), or stress = '' to leave it out"
        )
    tensor = to_voigt(values, name, order or VOIGT)
    if label == "stress":
        return {"stress": tensor * units.to_ev_per_angstrom3}
    return {"stress": stress_of_virial(tensor * units.to_ev, atoms, name)}
