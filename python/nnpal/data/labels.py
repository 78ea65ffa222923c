"""Labels of a configuration: energy, forces and stress; conversion of virials to stresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))  # ASE's order: xx yy zz yz xz xy
LAMMPS_ORDER = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # xx yy zz xy xz yz
NAMES = ("energy", "forces", "stress")


def attach(
    atoms: Atoms,
    *,
    energy: float | None = None,
    forces: NDArray[np.float64] | None = None,
    stress: NDArray[np.float64] | None = None,
) -> None:
    """Attach a SinglePointCalculator with these labels to ``atoms``, or none if there are no labels.

    Arguments:
        atoms: one configuration, changed in place.
        energy: eV.
        forces: eV/Å, [n_atoms, 3].
        stress: eV/Å³, Voigt, ASE's sign, [6].
    """
    given = {"energy": energy, "forces": forces, "stress": stress}
    results = {name: value for name, value in given.items() if value is not None}
    atoms.calc = SinglePointCalculator(atoms, **results) if results else None


def labels_of(atoms: Atoms, what: str = "configuration") -> dict[str, Any]:
    """Return the stored labels of ``atoms``: `energy` (float), `forces` [n_atoms, 3] and `stress` (Voigt, [6]).

    Nothing is calculated.

    Arguments:
        atoms: one configuration.
        what: name of the configuration in the message.

    Raises:
        ValueError: atoms or cell have changed since the labels were attached, or a label has the wrong shape.
    """
    if atoms.calc is None:
        return {}
    found = {name: atoms.calc.results.get(name) for name in NAMES}
    labels: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    if not labels:
        return {}
    if _changed(atoms.calc.atoms, atoms):
        raise ValueError(f"{what}: atoms or cell have changed since it was labeled; label it again")
    if "energy" in labels:
        labels["energy"] = float(labels["energy"])
    if "forces" in labels:
        labels["forces"] = np.asarray(labels["forces"], dtype=float)
        if labels["forces"].shape != (len(atoms), 3):
            raise ValueError(f"{what}: forces are {labels['forces'].shape}, expected ({len(atoms)}, 3)")
    if "stress" in labels:
        labels["stress"] = to_voigt(labels["stress"], f"{what}: stress")
    return labels


def with_zero_forces(results: Mapping[str, Any], n_atoms: int) -> dict[str, Any]:
    """Return labels, with zero forces added for a single atom that has an energy but no forces.

    Its energy does not depend on its position, periodic or not: the force is exactly 0, and many codes do not write it.
    """
    if n_atoms == 1 and results.get("energy") is not None and results.get("forces") is None:
        return {**results, "forces": np.zeros((1, 3))}
    return dict(results)


def to_voigt(values: Any, what: str, order: tuple[tuple[int, int], ...] = VOIGT) -> NDArray[np.float64]:
    """Return a symmetric tensor as ASE's Voigt vector, [6].

    Arguments:
        values: [3, 3], [9] or, in ``order``, [6].

    Raises:
        ValueError: another shape, or a matrix that is not symmetric.
    """
    tensor = np.asarray(values, dtype=float)
    if tensor.shape == (6,):
        matrix = np.empty((3, 3))
        for value, (i, j) in zip(tensor, order, strict=True):
            matrix[i, j] = matrix[j, i] = value
    elif tensor.size == 9:
        matrix = tensor.reshape(3, 3)
        # Tolerates the rounding of printed digits only
        largest = np.abs(matrix[np.isfinite(matrix)]).max(initial=0.0)
        if not np.allclose(matrix, matrix.T, rtol=1e-5, atol=1e-6 * largest, equal_nan=True):
            raise ValueError(f"{what} is {matrix.tolist()}, expected a symmetric matrix")
    else:
        raise ValueError(f"{what} has {tensor.size} components, expected 9 or 6")
    return np.array([matrix[i, j] for i, j in VOIGT])


def stress_of_virial(virial: NDArray[np.float64], atoms: Atoms, what: str) -> NDArray[np.float64]:
    """Return σ = -W/V, eV/Å³, of the virial W = Σ r_i ⊗ F_i = -dE/dε, eV (LAMMPS's sign: it pushes outwards).

    Arguments:
        virial: W, eV, [3, 3].
        atoms: the configuration, which gives the volume.
        what: name of the configuration in the message.

    Raises:
        ValueError: the cell has no volume.
    """
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    if not volume > 0:
        raise ValueError(f"{what}: has a virial but its cell no volume, so that it has no stress")
    return -np.asarray(virial, dtype=float) / volume


def _changed(before: Atoms | None, now: Atoms) -> bool:
    if before is None:
        return False
    pairs = (
        (before.numbers, now.numbers),
        (before.positions, now.positions),
        (before.cell.array, now.cell.array),
        (before.pbc, now.pbc),
    )
    return not all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)
