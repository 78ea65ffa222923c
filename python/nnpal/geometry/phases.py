"""Build crystals, and identify the crystal phase of a configuration."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols

from nnpal.geometry.neighbor_graph import neighbor_graph

IDEAL = (8.0 / 3.0) ** 0.5
"""c/a of close-packed spheres."""
PHASES = ("fcc", "bcc", "hcp")
SEARCH = 2.0
"""Cutoff of the neighbor search in units of (volume per atom)^(1/3): about 33 neighbors."""

_TWELVE = {"fcc": Counter({(4, 2, 1): 12}), "hcp": Counter({(4, 2, 1): 6, (4, 2, 2): 6})}
_FOURTEEN = {"bcc": Counter({(6, 6, 6): 8, (4, 4, 4): 6})}


def crystal(phase: str, element: str, bond: float, c_over_a: float | None = None) -> Atoms:
    """Build a perfect crystal: 32 atoms of fcc, 54 of bcc, 48 of hcp (in an orthogonal box), as in Jung et al.

    Arguments:
        phase: ``fcc``, ``bcc`` or ``hcp``.
        element: chemical symbol.
        bond: nearest-neighbor distance, Å; for hcp that within the basal plane.
        c_over_a: c/a of hcp; by default the ideal one.

    Raises:
        ValueError: an unknown phase or element, a bond that is not positive, or ``c_over_a`` for a cubic crystal.
    """
    if phase not in PHASES:
        raise ValueError(f"crystal: phase is {phase!r}, expected one of {', '.join(PHASES)}")
    if element not in chemical_symbols[1:]:
        raise ValueError(f"crystal: element is {element!r}, expected a chemical symbol")
    if not bond > 0.0:
        raise ValueError(f"crystal: bond is {bond} Å, expected more than 0")
    if c_over_a is not None and phase != "hcp":
        raise ValueError(f"crystal: c_over_a is {c_over_a} for {phase}, expected for hcp only")
    if phase == "fcc":
        return bulk(element, "fcc", a=bond * 2**0.5, cubic=True) * (2, 2, 2)
    if phase == "bcc":
        return bulk(element, "bcc", a=bond * 2 / 3**0.5, cubic=True) * (3, 3, 3)
    return bulk(element, "hcp", a=bond, c=bond * (c_over_a or IDEAL), orthorhombic=True) * (3, 2, 2)


def shortest_distance(atoms: Atoms) -> float:
    """Return the shortest distance between atoms or their images, Å."""
    cutoff = 1.5 * _spacing(atoms)  # nearest neighbors lie within 1.13 in every packing
    while not len(vectors := _vectors(atoms, cutoff)[1]):
        cutoff *= 2.0
    return float(np.linalg.norm(vectors, axis=1).min())


def find_phase(atoms: Atoms) -> str:
    """Return ``fcc``, ``bcc`` or ``hcp`` if all atoms have this local structure, else ``other``.

    Uses adaptive common neighbor analysis (A. Stukowski, Model. Simul. Mater. Sci. Eng. 20, 045021 (2012),
    doi:10.1088/0965-0393/20/4/045021): for each of the 12 or 14 nearest neighbors, the number of neighbors that it
    shares with the atom, the number of bonds among these, and the length of their longest chain.
    """
    center, vectors = _vectors(atoms, SEARCH * _spacing(atoms))
    found = {_phase_of_atom(vectors[center == atom]) for atom in range(len(atoms))}
    return found.pop() if len(found) == 1 else "other"


def _spacing(atoms: Atoms) -> float:
    return float(atoms.get_volume() / len(atoms)) ** (1.0 / 3.0)


def _vectors(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    graph = neighbor_graph(atoms.positions, atoms.cell[:], atoms.pbc, np.zeros(len(atoms), int), cutoff)
    return graph.edge_index[0].numpy(), graph.edge_vec.numpy()


def _phase_of_atom(vectors: np.ndarray) -> str:
    distances = np.linalg.norm(vectors, axis=1)
    order = np.argsort(distances, kind="stable")
    vectors, distances = vectors[order], distances[order]
    if len(vectors) < 14:
        return "other"
    # the bond cutoff is halfway between the outer of these shells, at `last`, and the next one, at sqrt(2) of it
    for kinds, n_neighbors, last in (
        (_TWELVE, 12, distances[:12].mean()),
        (_FOURTEEN, 14, (8 * distances[:8].mean() * 2 / 3**0.5 + 6 * distances[8:14].mean()) / 14),
    ):
        signature = _signature(vectors[:n_neighbors], 0.5 * (1 + 2**0.5) * last)
        for phase, expected in kinds.items():
            if signature == expected:
                return phase
    return "other"


def _signature(vectors: np.ndarray, cutoff: float) -> Counter[tuple[int, int, int]]:
    """Count (common neighbors, bonds among them, longest chain of bonds) over the neighbors."""
    bonded = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1) < cutoff
    np.fill_diagonal(bonded, False)
    found: Counter[tuple[int, int, int]] = Counter()
    for row in bonded:
        common = np.flatnonzero(row)
        bonds = [(a, b) for a, b in combinations(common.tolist(), 2) if bonded[a, b]]
        found[len(common), len(bonds), _longest_chain(bonds)] += 1
    return found


def _longest_chain(bonds: list[tuple[int, int]]) -> int:
    """Return the number of bonds in the largest set of connected bonds."""
    left, longest = list(bonds), 0
    while left:
        reached, size = set(left[0]), 0
        while touching := [bond for bond in left if reached & set(bond)]:
            size += len(touching)
            reached.update(*touching)
            left = [bond for bond in left if bond not in touching]
        longest = max(longest, size)
    return longest
