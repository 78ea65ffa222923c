"""Metals out of distribution: eight kinds of one element, eight of Ni-Nb; outside_sets.py labels them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.cluster import Icosahedron

from nnpal.oracle.protocol import Oracle
from training_sets import SEED, VOLUMES, OracleCalculator, crystal, dynamics, labeled

VACUUM = 10.0  # Å, on either side of a slab or cluster: periodic images are beyond any cutoff
FRAMES, EVERY, REST, MELT_REST = 3, 40, 160, 500  # configurations per trajectory, steps of 2 fs between and before them
EXPANSION = 1.5e-5  # 1/K, linear
STRAIN, ALLOY_STRAIN = 0.05, 0.12
MELT_VOLUME = 1.15  # relative to the crystal
ICOSAHEDRON = 3  # shells, 55 atoms
MELT = "melt"

Kinds = Iterator[tuple[str, list[Atoms]]]
Start = Callable[[np.random.Generator, int], Atoms]
"""Function that returns a start structure; the number selects a variant, such as the surface of a slab."""


@dataclass(frozen=True)
class Metal:
    """An element: fcc lattice constant, Å; temperatures of its crystals and of its melt (`hot`), K."""

    symbol: str
    constant: float
    temperatures: Sequence[float]
    hot: float


NICKEL = Metal("Ni", 3.52, (300.0, 600.0, 900.0, 1200.0, 1500.0), 4000.0)
ALUMINIUM = Metal("Al", 4.05, (150.0, 300.0, 450.0, 600.0, 800.0), 2500.0)
ALLOY_TEMPERATURES, ALLOY_HOT = (300.0, 600.0, 900.0, 1200.0, 1500.0), 5000.0


def strained(atoms: Atoms, rng: np.random.Generator, largest: float) -> Atoms:
    """Return the structure under a random symmetric strain, each component within ±`largest`."""
    strain = rng.uniform(-largest, largest, (3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    return atoms


def with_vacancies(atoms: Atoms, rng: np.random.Generator, number: int) -> Atoms:
    del atoms[rng.choice(len(atoms), number, replace=False)]
    return atoms


def slab(symbol: str, constant: float, which: int) -> Atoms:
    """Return a slab with surfaces 100, 111 or 110."""
    build, size = [(fcc100, (2, 2, 7)), (fcc111, (2, 2, 6)), (fcc110, (2, 2, 8))][which % 3]
    atoms: Atoms = build(symbol, size, a=constant, vacuum=VACUUM)
    atoms.pbc = True
    return atoms


def cluster(symbol: str, constant: float) -> Atoms:
    atoms = Icosahedron(symbol, ICOSAHEDRON, latticeconstant=constant)
    atoms.center(vacuum=VACUUM)
    atoms.pbc = True
    return atoms


def kinds_of(metal: Metal) -> dict[str, Start]:
    symbol, a = metal.symbol, metal.constant

    def fcc() -> Atoms:
        return bulk(symbol, "fcc", a=a, cubic=True).repeat(2)

    return {
        "fcc": lambda rng, k: fcc(),
        "strain": lambda rng, k: strained(fcc(), rng, STRAIN),
        "vacancies": lambda rng, k: with_vacancies(fcc(), rng, 1 + k % 3),
        "slabs": lambda rng, k: slab(symbol, a, k),
        "cluster": lambda rng, k: cluster(symbol, a),
        "hcp": lambda rng, k: hcp(symbol, a),
        "bcc": lambda rng, k: bulk(symbol, "bcc", a=a / 2 ** (1 / 3), cubic=True).repeat((3, 3, 2)),
        MELT: lambda rng, k: fcc(),
    }


def alloy(build: Callable[[float], Atoms], rng: np.random.Generator) -> Atoms:
    """Return the structure of `build` with a random fraction of Nb on random sites and the fcc constant for it."""
    share = rng.uniform(0.1, 0.9)
    atoms = build(fcc_constant(share))
    atoms.symbols[:] = "Ni"
    atoms.symbols[rng.permutation(len(atoms))[: round(share * len(atoms))]] = "Nb"
    return atoms


def fcc_constant(share: float) -> float:
    """Return the fcc lattice constant, Å, for a fraction of Nb, from the mean atomic volume of the elements."""
    return float((4 * (share * VOLUMES["Nb"] + (1 - share) * VOLUMES["Ni"])) ** (1 / 3))


def ordered(which: int) -> Atoms:
    """Return Ni3Nb or Nb3Ni in L1_2, or NiNb in L1_0; no training set contains ordered fcc alloys."""
    symbols = [["Nb", "Ni", "Ni", "Ni"], ["Ni", "Nb", "Nb", "Nb"], ["Ni", "Nb", "Nb", "Ni"]][which % 3]
    atoms = bulk("Ni", "fcc", a=fcc_constant(symbols.count("Nb") / 4), cubic=True)
    atoms.symbols[:] = symbols
    return atoms.repeat(2)


def rock_salt() -> Atoms:
    volume = 4 * (VOLUMES["Ni"] + VOLUMES["Nb"])
    return bulk("NiNb", "rocksalt", a=volume ** (1 / 3), cubic=True).repeat((2, 2, 1))


def hcp(symbol: str, constant: float) -> Atoms:
    """Return an ideal hcp crystal with the nearest-neighbor distance of fcc of this lattice constant, Å."""
    return bulk(symbol, "hcp", a=constant / 2**0.5, c=constant * (4 / 3) ** 0.5).repeat((3, 3, 2))


def alloy_kinds() -> dict[str, Start]:
    return {
        "ordered": lambda rng, k: ordered(k),
        "rock_salt": lambda rng, k: rock_salt(),
        "strain": lambda rng, k: strained(crystal(rng), rng, ALLOY_STRAIN),
        "vacancies": lambda rng, k: with_vacancies(crystal(rng), rng, 1 + k % 3),
        "slabs": lambda rng, k: alloy(lambda a: slab("Ni", a, k), rng),
        "cluster": lambda rng, k: alloy(lambda a: cluster("Ni", a), rng),
        "hcp": lambda rng, k: alloy(lambda a: hcp("Ni", a), rng),
        MELT: lambda rng, k: crystal(rng),
    }


def outside(kinds: dict[str, Start], temperatures: Sequence[float], hot: float, oracle: Oracle, quick: bool) -> Kinds:
    """Yield the name and labeled configurations of each kind, from a short trajectory at each temperature."""
    oracle.prepare()
    for number, (name, start) in enumerate(kinds.items()):
        frames = []
        for k, kelvin in enumerate(temperatures[:1] if quick else temperatures):
            rng = np.random.default_rng([SEED, number, k])
            atoms = start(rng, k)
            length = MELT_VOLUME ** (1 / 3) if name == MELT else 1 + EXPANSION * kelvin
            atoms.set_cell(atoms.cell * length, scale_atoms=True)
            atoms.calc = OracleCalculator(oracle)
            kelvin, rest = (hot, MELT_REST) if name == MELT else (kelvin, REST)
            run = dynamics(atoms, rng, kelvin=kelvin, fs=2.0, friction=0.02, rest=20 if quick else rest, every=EVERY)
            frames += [next(run) for _ in range(FRAMES)]
        yield name, labeled(frames, oracle)
