"""Make the four datasets that time_to_accuracy.py trains on, each with a training and a held-out part.

    python benchmarks/training_sets.py FOLDER [--sets ni32 al ninb butane] [--quick]

- ni32: 2,004 published configurations of 32 Ni atoms (github.com/gsjung0419/TorchANITutorials); a random fifth held out
- al: solid and liquid Al of `nnpal demo aluminum`, 32 atoms; held-out trajectories are at other conditions
- ninb: Ni-Nb of 16 or 32 atoms by an embedded-atom potential: random compositions on fcc, bcc and B2, strained and
  displaced, and melts; every fifth crystal and every fifth melt held out
- butane: n-butane by GFN2-xTB: dynamics at 300 to 1500 K, and C-C bonds stretched until they break; every fifth
  trajectory held out, with the structures stretched from it

The first needs a file of that repository, the third a Finnis-Sinclair table of Ni and Nb. Neither is distributed with
nnpal; a set whose file is missing is skipped with a message. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.io import read
from ase.md.langevin import Langevin

import nnpal.demo
from nnpal.data import Units, attach, read_frames, write_dataset
from nnpal.data.convert import convert_files
from nnpal.data.divide import divide
from nnpal.data.keys import Keys
from nnpal.demo import sampling_plan
from nnpal.demo.settings import DemoSettings
from nnpal.oracle.calculator_oracle import CalculatorOracle
from nnpal.oracle.lammps_oracle import LammpsOracle
from nnpal.oracle.protocol import Oracle

SHARED = Path(__file__).resolve().parents[2] / "shared"
NI32, NI_NB = SHARED / "data" / "ni32_distilled_train.h5", SHARED / "potentials" / "NiNb.eam.fs"
HELD_OUT = 5  # every fifth independent group
SEED = 20261129
N_CRYSTALS, N_MELTS, MELT_FRAMES = 960, 20, 12
N_TRAJECTORIES, MD_FRAMES, N_STRETCHED = 25, 40, 20
TEMPERATURES = (300.0, 600.0, 900.0, 1200.0, 1500.0)  # K, for butane
MELTS = (1800.0, 3000.0)  # K
VOLUMES = {"Ni": 10.9, "Nb": 18.0}  # Å³ per atom in the crystals of the elements
ELECTRONS = 5000.0  # K, electronic temperature as in the demo, so that broken bonds converge
BONDS = {
    (0, 1): (0, 4, 6, 7),
    (1, 2): (0, 1, 4, 6, 7, 10, 11),
}
"""C-C bonds of butane.xyz, and the atoms on the side of the first atom of each."""
LONGEST = 4.0  # Å, longest stretched bond

Parts = tuple[list[Atoms], list[Atoms]]
"""Training and held-out configurations."""


class OracleCalculator(Calculator):
    """ASE calculator that evaluates an oracle, for dynamics."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  as in ASE

    def __init__(self, oracle: Oracle) -> None:
        super().__init__()
        self.oracle = oracle

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        found = self.oracle.compute(self.atoms)
        self.results = {"energy": found.energy, "forces": found.forces}


def labeled(frames: Sequence[Atoms], oracle: Oracle) -> list[Atoms]:
    """Return copies with the labels of the oracle and nothing else."""
    result = []
    for frame in frames:
        copy = Atoms(frame.numbers, frame.get_positions(), cell=frame.cell, pbc=frame.pbc)
        found = oracle.compute(copy)
        attach(copy, energy=found.energy, forces=found.forces, stress=found.stress)
        result.append(copy)
    return result


def dynamics(atoms: Atoms, rng: Any, *, kelvin: float, fs: float, friction: float, rest: int, every: int) -> Iterator:
    """Yield a configuration after each `every` steps of Langevin dynamics, from `rest` steps on."""
    scale = np.sqrt(atoms.get_masses()[:, None] * units.kB * kelvin)
    atoms.set_momenta(scale * rng.standard_normal((len(atoms), 3)))
    run = Langevin(atoms, fs * units.fs, temperature_K=kelvin, friction=friction / units.fs, rng=rng, fixcm=False)
    run.run(rest)
    while True:
        run.run(every)
        yield atoms.copy()


def apart(groups: Sequence[list[Atoms]]) -> Parts:
    """Split independent groups; every fifth is held out."""
    parts: Parts = ([], [])
    for number, group in enumerate(groups):
        parts[number % HELD_OUT == HELD_OUT - 1].extend(group)
    return parts


def aluminum(quick: bool) -> Parts:
    """Return the training data of the demo and its held-out solid and liquid, without its clusters, another phase."""
    settings = DemoSettings()
    if quick:
        few = {"n_frames": 3, "n_equilibrate": 100}
        names = ("solid_schedule", "liquid_schedule", "held_out_schedule")
        settings = replace(settings, **{name: replace(getattr(settings, name), **few) for name in names})
    parts: dict[str, list[Atoms]] = {"train": [], "held_out": []}
    for trajectory in sampling_plan.plan(settings):
        if trajectory.role in parts and trajectory.phase != "cluster":
            parts[trajectory.role].extend(sampling_plan.run(trajectory, settings))
    return parts["train"], parts["held_out"]


def crystal(rng: np.random.Generator) -> Atoms:
    """Return Ni-Nb of random composition on a strained lattice with random displacements."""
    lattice = rng.choice(["fcc", "bcc", "B2"])
    atoms = bulk("Ni", "fcc" if lattice == "fcc" else "bcc", a=1.0, cubic=True)
    atoms = atoms.repeat(2 if lattice == "fcc" else (2, 2, rng.choice([2, 4])))
    n_nb = rng.integers(0, len(atoms) + 1)
    order = rng.permutation(len(atoms))
    if lattice == "B2":  # Nb fills one sublattice before the other
        order = np.concatenate((order[order % 2 == 0], order[order % 2 == 1]))
    atoms.symbols[order[:n_nb]] = "Nb"
    volume = sum(VOLUMES[symbol] for symbol in atoms.symbols)
    atoms.set_cell(atoms.cell * (volume / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    strain = rng.uniform(-0.05, 0.05, (3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    atoms.positions += rng.normal(0, rng.uniform(0.05, 0.2), atoms.positions.shape)
    return atoms


def nickel_niobium(potential: Path, quick: bool) -> Parts:
    oracle = LammpsOracle(["pair_style eam/fs", f'pair_coeff * * "{potential}" Ni Nb'], ["Ni", "Nb"])
    oracle.prepare()
    rng = np.random.default_rng(SEED)
    groups = [[crystal(rng)] for _ in range(N_CRYSTALS // (40 if quick else 1))]
    for _ in range(5 if quick else N_MELTS):
        melt = crystal(rng)
        melt.calc = OracleCalculator(oracle)
        run = dynamics(melt, rng, kelvin=rng.uniform(*MELTS), fs=2.0, friction=0.02, rest=300, every=25)
        groups.append([next(run) for _ in range(MELT_FRAMES)])
    return apart([labeled(group, oracle) for group in groups])


def stretched(frame: Atoms, rng: np.random.Generator) -> Atoms:
    """Return a copy of butane with the part on one side of a C-C bond moved along the bond."""
    (one, other), moved = list(BONDS.items())[rng.integers(len(BONDS))]
    copy = frame.copy()
    bond = copy.positions[one] - copy.positions[other]
    length = np.linalg.norm(bond)
    copy.positions[list(moved)] += bond / length * (rng.uniform(length, LONGEST) - length)
    return copy


def butane(quick: bool) -> Parts:
    oracle = CalculatorOracle(options={"method": "GFN2-xTB", "electronic_temperature": ELECTRONS, "verbosity": 0})
    oracle.prepare()
    start: Any = read(Path(nnpal.demo.__file__).parent / "butane.xyz")
    groups = []
    for number in range(HELD_OUT if quick else N_TRAJECTORIES):
        rng = np.random.default_rng([SEED, number])
        atoms = start.copy()
        atoms.calc = OracleCalculator(oracle)
        kelvin = TEMPERATURES[number // HELD_OUT]
        run = dynamics(atoms, rng, kelvin=kelvin, fs=0.5, friction=0.02, rest=20 if quick else 300, every=25)
        thermal = [next(run) for _ in range(2 if quick else MD_FRAMES)]
        chosen = rng.choice(len(thermal), len(thermal) * N_STRETCHED // MD_FRAMES, replace=False)
        groups.append(labeled([*thermal, *(stretched(thermal[k], rng) for k in chosen)], oracle))
    return apart(groups)


def published_nickel(source: Path, folder: Path) -> None:
    """Convert and split the published configurations, as docs/training.md does."""
    whole = folder / "ni32.h5"
    hartree = Units("hartree", "Å")
    convert_files([source], whole, units=hartree, symbols=["C=Ni"], keys=Keys(order="lammps"))
    divide(whole, folder / "ni32_train.h5", folder / "ni32_test.h5", fraction=0.2, seed=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for NAME_train.h5 and NAME_test.h5")
    parser.add_argument("--sets", nargs="+", choices=("ni32", "al", "ninb", "butane"))
    parser.add_argument("--ni32", type=Path, default=NI32, help="ni32_distilled_train.h5 of TorchANITutorials")
    parser.add_argument("--potential", type=Path, default=NI_NB, help="Finnis-Sinclair table of Ni and Nb")
    parser.add_argument("--quick", action="store_true", help="a handful of configurations, to try the script")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    needed = {"ni32": arguments.ni32, "ninb": arguments.potential}
    quick = arguments.quick
    makers: dict[str, Callable[[], Parts]] = {"al": lambda: aluminum(quick), "butane": lambda: butane(quick)}
    makers["ninb"] = lambda: nickel_niobium(arguments.potential.resolve(), quick)
    for name in arguments.sets or ("ni32", "al", "ninb", "butane"):
        if name in needed and not needed[name].is_file():
            print(f"training_sets.py: {name} is skipped: no file {needed[name]}", file=sys.stderr)
            continue
        paths = [arguments.folder / f"{name}_{part}.h5" for part in ("train", "test")]
        if name == "ni32":
            published_nickel(arguments.ni32, arguments.folder)
        else:
            origin = {"made_by": "benchmarks/training_sets.py", "set": name, "seed": SEED, "quick": quick}
            for path, frames in zip(paths, makers[name](), strict=True):
                write_dataset(path, frames, provenance=origin)
        counts = " and ".join(f"{len(read_frames(path))} in {path}" for path in paths)
        print(f"{name}: {counts}", flush=True)


if __name__ == "__main__":
    main()
