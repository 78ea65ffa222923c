"""Choice of label keys, once for a whole file, in formats with free key names; conversion to eV and Å."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.error import DatasetError
from nnpal.data.finding import Finding, report
from nnpal.data.keys import Keys, require_everywhere
from nnpal.data.labels import LAMMPS_ORDER, VOIGT, attach
from nnpal.data.stresses import stress_of
from nnpal.data.units import Units
from nnpal.geometry.electrons import electrons_of, put

Held = Mapping[str, Any]  # possible labels of a frame, by name
USUAL = {"energy": ("energy",), "forces": ("forces",), "stress": ("stress",), "virial": ("virial", "virials")}
FREE_ENERGY = "free_energy"  # ASE's name of the energy that is consistent with the forces


def choose(
    path: object,
    held: Sequence[Collection[str]],
    keys: Keys,
    labeled: bool | None,
    usual: Mapping[str, Sequence[str]] = USUAL,
    *,
    sizes: Sequence[int] = (),
) -> dict[str, tuple[str, ...]]:
    """Return the keys of each label in this file: one for energy, one for forces, all for stress and virial.

    Names in ``keys`` take precedence; then REF_ names if any frame has one; then the usual names. REF_ and usual names
    are never mixed, because REF_energy and plain forces may come from different calculators. Each frame may store its
    stress or virial under any of the returned names, see :func:`nnpal.data.stresses.stress_of`.

    The usual energy is the free energy if every frame has one: with smeared occupations, forces are its derivatives,
    not those of the energy extrapolated to zero width, which ASE calls energy.

    Arguments:
        held: possible labels of each frame, by name.
        labeled: True requires energy and forces in every frame, False reads no labels, None reads those present.
        usual: names of each label in this format, without REF_.
        sizes: numbers of atoms of the frames; one atom needs no forces, see :func:`nnpal.data.labels.with_zero_forces`.

    Raises:
        DatasetError: a frame lacks a required label.
    """
    if labeled is False:
        return {}
    every = {name for one in held for name in one}
    prefix = "REF_" if any(name.startswith("REF_") for name in every) else ""
    names: dict[str, tuple[str, ...]] = {}
    single = [size == 1 for size in sizes] or [False] * len(held)
    for label in ("energy", "forces"):
        asked = getattr(keys, label)
        found = [prefix + name for name in usual[label] if prefix + name in every]
        if label == "energy" and held and all(prefix + FREE_ENERGY in one for one in held):
            found.insert(0, prefix + FREE_ENERGY)
        name = asked or (found[0] if found else prefix + usual[label][0])
        if labeled or asked:
            spared = single if label == "forces" and labeled else [False] * len(held)
            present = [name in one or one_atom for one, one_atom in zip(held, spared, strict=True)]
            require_everywhere(path, name, present, held)
        if name in every:
            names[label] = (name,)
    asked_stress = {label: getattr(keys, label) for label in ("stress", "virial") if getattr(keys, label) is not None}
    for label, name in asked_stress.items():
        if name and name not in every:
            require_everywhere(path, name, [False] * len(held), held)
        if name:
            names[label] = (name,)
    if not asked_stress:
        for label in ("stress", "virial"):
            names[label] = tuple(prefix + name for name in usual[label] if prefix + name in every)
    return names


def converted(
    what: str,
    index: int,
    structure: Atoms,
    held: Held,
    names: Mapping[str, Sequence[str]],
    units: Units,
    keys: Keys,
    *,
    six: tuple[tuple[int, int], ...] | None = VOIGT,
    faults: list[Finding] | None = None,
) -> Atoms:
    """Return atoms, cell, charge, spin and labels in eV and Å, and nothing else of ``structure``.

    Arguments:
        what: file and frame, for messages.
        index: index of the frame in the file.
        names: keys of the labels in ``held``, see :func:`choose`.
        six: order of six components if ``keys`` gives none; None if the format defines none.
        faults: list to which faults of the stress are appended, and the stress is left out; None raises an error.

    Raises:
        DatasetError: charges or spins that contradict each other, a label of the wrong shape or type, six components in
            an unknown order, or, without ``faults``, a stress that contradicts a virial or that the cell does not
            allow.
    """
    atoms = Atoms(
        structure.numbers,
        positions=structure.positions * units.to_angstrom,
        cell=structure.cell.array * units.to_angstrom,
        pbc=structure.pbc,
    )
    try:
        put(atoms, electrons_of(structure, held, what))
    except ValueError as error:
        raise DatasetError(str(error)) from error
    order = {"lammps": LAMMPS_ORDER, "ase": VOIGT}.get(keys.order or "", six)
    labels: dict[str, Any] = {}
    try:
        for label in ("energy", "forces"):
            for name in names.get(label, ()):
                if held.get(name) is not None:
                    labels[label] = _label(label, name, held[name], atoms, units)
        labels["stress"], fault = stress_of(index, held, names, atoms, units, order)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{what}: {error}") from error
    if fault is not None:
        report(what, fault, faults)
    attach(atoms, **labels)
    return atoms


def _label(label: str, name: str, value: Any, atoms: Atoms, units: Units) -> Any:
    if label == "energy":
        if np.size(value) != 1:
            raise ValueError(f"{name} has {np.size(value)} values, expected one")
        return float(_real(name, value).item()) * units.to_ev
    values = _real(name, value)
    if values.shape != (len(atoms), 3):
        raise ValueError(f"{name} have shape {values.shape}, expected ({len(atoms)}, 3)")
    return values * units.to_ev_per_angstrom


def _real(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {str(value)[:40]!r}, expected numbers") from error
