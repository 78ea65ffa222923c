"""Labeled configurations for tests of training."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.demo.eam import eam_potential
from nnpal.demo.trajectories import Schedule, sample_crystal, sample_liquid


def aluminum(n_frames: int = 20) -> list[Atoms]:
    """Return configurations of 32 Al atoms by the embedded-atom potential: ``n_frames`` solid, as many liquid."""
    common = {"potential": eam_potential(), "pressure": 0.0, "schedule": Schedule(n_frames, 20, 500)}
    solid = sample_crystal("Al", 4.05, 2, temperature=600.0, seed=1, **common)
    return solid + sample_liquid("Al", 4.05, 2, temperature=1500.0, seed=2, n_melt=500, **common)


def two_element_frames() -> list[Atoms]:
    """Return a skewed periodic cell shorter than the cutoff, and a cluster with an isolated atom; random labels."""
    rng = np.random.default_rng(3)
    periodic = Atoms(
        "Al3Ni2", rng.uniform(0, 4.5, (5, 3)), cell=[[4.6, 0, 0], [1.0, 4.8, 0], [0.4, -0.7, 5.0]], pbc=True
    )
    grid = np.array([[0, 0, 0], [2.4, 0, 0], [0, 2.5, 0.3], [2.3, 2.2, 0.9], [30.0, 0, 0], [2.2, 0.1, 2.4]])
    cluster = Atoms("NiAl2NiAl2", grid + rng.normal(0, 0.1, (6, 3)))
    for atoms in (periodic, cluster):
        stress = {"stress": rng.normal(size=6)} if atoms.pbc.any() else {}
        labels = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3)), **stress}
        atoms.calc = SinglePointCalculator(atoms, **labels)
    return [periodic, cluster]


def relabeled(atoms: Atoms, **labels: object) -> Atoms:
    """Return a copy with other labels."""
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, **{**atoms.calc.results, **labels})
    return copy
