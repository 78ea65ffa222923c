"""Alkanes out of the distribution of the butane set; outside_sets.py labels them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.io import read
from ase.optimize import BFGS

import nnpal.demo
from nnpal.oracle.calculator_oracle import CalculatorOracle
from training_sets import BONDS, ELECTRONS, LONGEST, SEED, TEMPERATURES, OracleCalculator, dynamics, labeled

FRAMES, EVERY, REST = 4, 40, 300  # configurations per trajectory, steps of 0.5 fs between them and before the first
HOT = 2500.0  # K
FARTHEST = 6.0  # Å, longest C-C distance; training data end at LONGEST
C_H = (1.4, 3.5)  # Å, range of stretched C-H distances
C_C_LENGTH, C_H_LENGTH = 1.53, 1.09  # Å
RELAXED, RELAX_STEPS = 0.05, 200  # eV/Å

Change = Callable[[Atoms, np.random.Generator], Atoms]


def moved(frame: Atoms, bond: tuple[int, int], part: tuple[int, ...], length: float) -> Atoms:
    """Return a copy with `part`, on the side of the bond's first atom, moved along the bond to reach the length."""
    one, other = bond
    copy = frame.copy()
    between = copy.positions[one] - copy.positions[other]
    now = np.linalg.norm(between)
    copy.positions[list(part)] += between / now * (length - now)
    return copy


def far(frame: Atoms, rng: np.random.Generator) -> Atoms:
    bond = list(BONDS)[rng.integers(len(BONDS))]
    return moved(frame, bond, BONDS[bond], rng.uniform(LONGEST, FARTHEST))


def both(frame: Atoms, rng: np.random.Generator) -> Atoms:
    """Return a copy with both C-C bonds stretched, so that the molecule separates into three parts.

    The end bond is first, because the end moves with the longer part.
    """
    for bond, part in BONDS.items():
        frame = moved(frame, bond, part, rng.uniform(2.0, LONGEST))
    return frame


def hydrogen_off(frame: Atoms, rng: np.random.Generator) -> Atoms:
    hydrogen = int(rng.choice(np.flatnonzero(frame.numbers == 1)))
    carbons = np.flatnonzero(frame.numbers == 6)
    carbon = int(carbons[np.argmin(frame.get_distances(hydrogen, carbons))])
    return moved(frame, (hydrogen, carbon), (hydrogen,), rng.uniform(*C_H))


def pentane() -> Atoms:
    """Return butane with a terminal hydrogen replaced by a methyl group, not yet relaxed."""
    atoms = molecule("trans-butane")
    carbons = np.flatnonzero(atoms.numbers == 6)
    end = int(carbons[np.argmax(atoms.get_all_distances()[np.ix_(carbons, carbons)].sum(0))])
    hydrogen = int(np.argmin(np.where(atoms.numbers == 1, atoms.get_all_distances()[end], np.inf)))
    along = atoms.positions[hydrogen] - atoms.positions[end]
    along /= np.linalg.norm(along)
    carbon = atoms.positions[end] + C_C_LENGTH * along
    del atoms[hydrogen]
    side = np.cross(along, [0.3, 0.5, 0.8])
    side /= np.linalg.norm(side)
    third = np.cross(along, side)
    angles = 2 * np.pi / 3 * np.arange(3)
    directions = along / 3 + np.sqrt(8) / 3 * (np.outer(np.cos(angles), side) + np.outer(np.sin(angles), third))
    atoms += Atoms("CH3", [carbon, *(carbon + C_H_LENGTH * directions)])
    return atoms


MOLECULES: dict[str, Callable[[], Atoms]] = {
    "ethane": lambda: molecule("C2H6"),
    "propane": lambda: molecule("C3H8"),
    "isobutane": lambda: molecule("isobutane"),
    "pentane": pentane,
}
CHANGES: dict[str, Change] = {"far": far, "both_bonds": both, "hydrogen_off": hydrogen_off}


def trajectory(start: Atoms, oracle: Any, kelvin: float, seed: list[int], quick: bool) -> list[Atoms]:
    atoms, rng = start.copy(), np.random.default_rng(seed)
    atoms.calc = OracleCalculator(oracle)
    run = dynamics(atoms, rng, kelvin=kelvin, fs=0.5, friction=0.02, rest=20 if quick else REST, every=EVERY)
    return [next(run) for _ in range(FRAMES)]


def relaxed(start: Atoms, oracle: Any) -> Atoms:
    start.calc = OracleCalculator(oracle)
    BFGS(start, logfile=None).run(RELAXED, RELAX_STEPS)
    return start


def outside_butane(quick: bool) -> Iterator[tuple[str, list[Atoms]]]:
    """Yield the name and the configurations of each kind: broken bonds, hot dynamics, other alkanes."""
    oracle = CalculatorOracle(options={"method": "GFN2-xTB", "electronic_temperature": ELECTRONS, "verbosity": 0})
    oracle.prepare()
    temperatures = TEMPERATURES[:1] if quick else TEMPERATURES
    start: Any = read(Path(nnpal.demo.__file__).parent / "butane.xyz")
    runs = [trajectory(start, oracle, kelvin, [SEED, 100, k], quick) for k, kelvin in enumerate(temperatures)]
    thermal = [frame for run in runs for frame in run]
    for number, (name, change) in enumerate(CHANGES.items()):
        rng = np.random.default_rng([SEED, 200, number])
        yield name, labeled([change(frame, rng) for frame in thermal], oracle)
    hot = [trajectory(start, oracle, HOT, [SEED, 300, k], quick) for k in range(len(temperatures))]
    yield "hot", labeled([frame for run in hot for frame in run], oracle)
    for number, (name, build) in enumerate(MOLECULES.items()):
        own = relaxed(build(), oracle)
        runs = [trajectory(own, oracle, kelvin, [SEED, 400, number, k], quick) for k, kelvin in enumerate(temperatures)]
        yield name, labeled([frame for run in runs for frame in run], oracle)
