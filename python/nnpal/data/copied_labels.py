"""Labels of one configuration that are attached to others.

ASE's extended XYZ writer writes the last results of a frame's calculator, so frames that share a calculator all get the
energy and forces of one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from ase import Atoms
from ase.cell import Cell
from numpy.typing import NDArray

from nnpal.data.check_geometry import largest_of_each
from nnpal.data.columns import Columns
from nnpal.data.finding import Finding
from nnpal.data.keys import listing
from nnpal.geometry.nearest_image import nearest_distances

SMALL_FORCE = 1e-4  # eV/Å; smaller ones, as in perfect crystals, do not identify a configuration
ALONG_FORCE = 1e-4  # Å; larger than the rounding error of coordinates printed with four decimals
SAME_ENERGY = 1e-5  # eV/atom
REPEATS = 3  # more different structures than this with the same energy are reported
SAME_DISTANCE = 1e-3  # Å
LOOKED_AT = 50  # configurations compared per group, to bound the time for many copies of one structure
ISOLATED = 6.0  # Å; an atom whose images are farther away is isolated
EXPECTED = "labels of exactly these atoms; compute or write each frame with its own calculator"


def copied_labels(columns: Columns, has: Mapping[str, NDArray[np.bool_]]) -> Iterator[Finding]:
    """Yield configurations whose labels must be those of another, and energies that repeat too often.

    Bitwise equal energies and forces F are an error if atoms have moved along F, F·Δr ≠ 0: the energy would have
    changed by -F·Δr. This is 0 for translated copies, for rotations, reflections and exchanges of atoms that leave F
    unchanged, and for fragments moved beyond each other's cutoff. With zero forces, an equal stress at a different
    volume is an error as well. Without forces and stress, repeated energies are counted, which gives a warning.

    The time is linear in the number of configurations.

    Arguments:
        columns: configurations.
        has: mask of the configurations that have a label, of finite numbers, by label.
    """
    with_energy = np.flatnonzero(has["energy"])
    _, inverse, counts = np.unique(columns.energies[with_energy], return_inverse=True, return_counts=True)
    if counts.max(initial=0) < 2:
        return
    repeated = counts[inverse.ravel()] > 1
    weak = largest_of_each(columns, np.abs(columns.forces).max(axis=1, initial=0.0)) <= SMALL_FORCE
    weak |= ~has["forces"]
    alike: dict[bytes, list[int]] = {}
    for index in map(int, with_energy[repeated]):
        second = "stress" if weak[index] else "forces"
        if has[second][index]:
            alike.setdefault(_key(columns, index, second), []).append(index)
    certain: set[int] = set()
    for group in alike.values():
        if len(group) > 1:
            own = columns.labels(group[0])
            for finding in _of_alike(columns, group, {name: own[name] for name in own if has[name][group[0]]}):
                certain.add(finding.index)
                yield finding
    if counts.max() > REPEATS:
        yield from _repeated(columns, with_energy[weak[with_energy]], certain)


def _repeated(columns: Columns, indices: NDArray[np.int64], certain: Set[int]) -> Iterator[Finding]:
    """Yield energies that repeat among configurations of the same atoms without forces."""
    by_energy: dict[bytes, dict[float, list[int]]] = {}
    for index in map(int, indices):
        if columns.sizes[index] > 1 or not _isolated(columns[index]):
            numbers = columns.numbers[columns.atoms_of(index)].tobytes()
            by_energy.setdefault(numbers, {}).setdefault(float(columns.energies[index]), []).append(index)
    for groups in by_energy.values():
        n_frames = sum(map(len, groups.values()))
        # With few printed digits energies repeat by chance, each about equally often
        by_chance = n_frames / len(groups) if len(groups) > 20 else 0.0
        for energy, group in groups.items():
            if len(group) > max(REPEATS, 4 * by_chance) and certain.isdisjoint(group) and _different(columns, group):
                value = (
                    f"exactly {energy!r} eV in {len(group)} configurations ({listing(group)}) of different structure"
                )
                yield Finding(group[0], "warning", "repeated energy", value, EXPECTED)


def _key(columns: Columns, index: int, second: str) -> bytes:
    own = columns.atoms_of(index)
    digest = hashlib.blake2b(second.encode(), digest_size=16)
    for part in (columns.numbers[own], columns.energies[index], columns.labels(index)[second] + 0.0):
        digest.update(part.tobytes())
    return digest.digest()


def _of_alike(frames: Sequence[Atoms], group: Sequence[int], labels: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield all of a group with equal labels if any differs from the first: the owner of the labels is unknown."""
    first = frames[group[0]]
    forces = labels.get("forces")
    if forces is not None and np.abs(forces).max(initial=0.0) > SMALL_FORCE:
        moves = [_moved(first, frames[index]) for index in group]
        changes = [-float((forces * move).sum()) for move in moves]
        # smaller changes than the printed digits of an energy are allowed: structures may be almost the same
        least = max(ALONG_FORCE * float(np.linalg.norm(forces)), SAME_ENERGY * len(first))
        how = [f"atoms up to {np.linalg.norm(move, axis=1).max():.3g} Å away" for move in moves]
        what = "energy and forces"
    else:
        volumes = [abs(float(np.linalg.det(frames[index].cell.array))) for index in group]
        changes = [float(np.mean(labels["stress"][:3])) * (volume - volumes[0]) for volume in volumes]
        least = SAME_ENERGY * len(first)
        how = [f"volumes {volumes[0]:.6g} and {volume:.6g} Å^3" for volume in volumes]
        what = "energy and stress"
    wrong = [k for k, change in enumerate(changes) if abs(change) > least]
    if not wrong:
        return
    for k, index in enumerate(group):
        other = k if k in wrong else wrong[0]
        partner = group[0] if k in wrong else group[other]
        value = (
            f"{what} of configuration {partner} to the last digit, with {how[other]}, by which the energy changes by "
            f"about {abs(changes[other]):.2g} eV"
        )
        yield Finding(index, "error", "copied labels", value, EXPECTED)


def _moved(first: Atoms, other: Atoms) -> np.ndarray:
    """Return displacements of atoms, Å, [n_atoms, 3], up to cell vectors and a common translation."""
    parts = []
    for frame in (first, other):
        parts.append(_nearest(frame.positions - frame.positions[0], frame))
    moved = _nearest(parts[1] - parts[0], first)
    return np.asarray(moved - moved.mean(axis=0))


def _nearest(vectors: np.ndarray, frame: Atoms) -> np.ndarray:
    """Return the nearest images of vectors along periodic directions."""
    if not frame.pbc.any():
        return vectors
    cell = Cell(frame.cell.array * frame.pbc[:, None]).complete().array
    scaled = np.linalg.solve(cell.T, vectors.T).T
    return np.asarray(vectors - (np.round(scaled) * frame.pbc) @ cell)


def _isolated(frame: Atoms) -> bool:
    """Return whether there is one atom without nearby images: its energy does not depend on its position."""
    return len(frame) == 1 and bool((frame.cell.lengths()[frame.pbc] > ISOLATED).all())


def _different(frames: Sequence[Atoms], group: Sequence[int]) -> bool:
    """Return whether more than ``REPEATS`` structures differ in their distances, ignoring rotations and exchanges."""
    seen: list[np.ndarray] = []
    for index in group[:LOOKED_AT]:
        frame = frames[index]
        every = range(len(frame))
        distances = nearest_distances(frame, every, every)
        volume = abs(np.linalg.det(frame.cell.array)) if frame.pbc.all() else 0.0
        own = np.append(np.sort(distances, axis=None), volume ** (1 / 3))
        if not any(np.allclose(own, other, rtol=0, atol=SAME_DISTANCE) for other in seen):
            seen.append(own)
        if len(seen) > REPEATS:
            return True
    return False
