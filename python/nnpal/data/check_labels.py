"""Faults of labels, for single configurations and in comparison with others of the same composition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnpal.data.check_geometry import Finite, largest_of_each
from nnpal.data.columns import Columns
from nnpal.data.finding import Finding
from nnpal.data.stresses import large_stress, no_stress

LARGEST_ENERGY = 1e7  # eV/atom; all-electron energies of the heaviest atoms are 1.5e6


def force_faults(columns: Columns, finite: Finite, max_force: float, net_force: float) -> Iterator[Finding]:
    """Yield forces larger than ``max_force`` and mean forces larger than ``net_force``, eV/Å."""
    there = finite.having("forces")
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.linalg.norm(columns.forces, axis=1)
        for index in np.flatnonzero(there & (largest_of_each(columns, sizes) > max_force)):
            own = sizes[columns.atoms_of(int(index))]
            atom = int(own.argmax())
            value = f"{own[atom]:.4g} eV/Å on atom {atom}"
            yield Finding(int(index), "error", "force", value, f"{max_force:g} eV/Å at most")
        sums = np.zeros((len(columns), 3))
        filled = columns.sizes > 0
        sums[filled] = np.add.reduceat(columns.forces, columns.starts[:-1][filled]) if filled.any() else 0
        nets = np.linalg.norm(sums / np.maximum(columns.sizes, 1)[:, None], axis=1)
    for index in np.flatnonzero(there & (nets > net_force)):
        value = f"{nets[index]:.4g} eV/Å for each atom"
        yield Finding(int(index), "warning", "net force", value, f"0, {net_force:g} at most")


def stress_faults(columns: Columns, finite: Finite, max_stress: float) -> Iterator[Finding]:
    """Yield stresses that the cell does not allow, and those with a component above ``max_stress``, eV/Å³."""
    with np.errstate(invalid="ignore"):
        large = finite.having("stress") & (np.abs(columns.stresses).max(axis=1, initial=0.0) > max_stress)
    suspects = np.union1d(columns.impossible_stresses(), np.flatnonzero(large))
    for index in map(int, suspects[columns.sizes[suspects] > 0]):
        fault = no_stress(index, columns[index])
        if fault is None and finite.parts["stress"][index]:
            fault = large_stress(index, columns.stresses[index], max_stress)
        if fault is not None:
            yield fault


def energy_faults(
    columns: Columns, finite: Finite, spread: float, lowest: float | None, highest: float | None
) -> Iterator[Finding]:
    """Yield energies per atom outside limits or farther than ``spread`` from their composition's median, eV/atom."""
    indices = np.flatnonzero(finite.having("energy"))
    energies = columns.energies / np.maximum(columns.sizes, 1)
    least = -LARGEST_ENERGY if lowest is None else lowest
    most = LARGEST_ENERGY if highest is None else highest
    for index in indices[~((energies[indices] >= least) & (energies[indices] <= most))]:
        value = f"{energies[index]:.6g} eV/atom"
        shown = [-np.inf if lowest is None else lowest, np.inf if highest is None else highest]
        if abs(energies[index]) > LARGEST_ENERGY:
            shown = [max(shown[0], -LARGEST_ENERGY), min(shown[1], LARGEST_ENERGY)]
        yield Finding(int(index), "error", "energy", value, f"{shown[0]:g} to {shown[1]:g} eV/atom")
    for group in _compositions(columns, indices):
        own = energies[group]
        median = float(np.median(own))
        with np.errstate(over="ignore"):
            far = np.abs(own - median) > spread
        for index in group[far]:
            expected = f"{median:.6g} ± {spread:g}, the median of this composition"
            yield Finding(int(index), "error", "energy", f"{energies[index]:.6g} eV/atom", expected)


def _compositions(columns: Columns, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the indices of configurations of each composition, by proportions of elements."""
    known: dict[bytes, tuple[tuple[int, int], ...]] = {}
    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for index in indices.tolist():
        own = columns.numbers[columns.atoms_of(index)]
        key = own.tobytes()
        if key not in known:
            numbers, counts = np.unique(own, return_counts=True)
            divisor = int(np.gcd.reduce(counts))
            known[key] = tuple(zip(numbers.tolist(), (counts // divisor).tolist(), strict=True))
        groups.setdefault(known[key], []).append(index)
    yield from map(np.array, groups.values())
