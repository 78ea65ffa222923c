"""Compare the ensemble with other potentials in the same LAMMPS, each on the metal that it was fitted to.

    python benchmarks/own_metals.py [--quick] [--output benchmarks/results/own_metals.json]

Thermal crystals, with the skin and neighbor list rebuilds of `pair_step.py`; CPU time of one core. The other potentials
are single models without an uncertainty; the ensemble has five members, random weights, and uq_energy at every step.
Both take turns in every round; ratios are medians of the rounds' ratios. Lengths in Å.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ase.build import bulk
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
from nnpal.model import export_ensemble
from nnpal.model.build import build_member, build_model
from nnpal.model.description import NetworkDescription
from record import write_record

ENSEMBLE = "nnp + uq_energy"
STEPS = 40


@dataclass(frozen=True)
class Metal:
    """A crystal of `cells`³ cubic cells; lattice constant in Å, mass in g/mol."""

    symbol: str
    structure: str
    lattice: float
    mass: float
    cells: int

    def write_data(self, path: Path) -> int:
        """Write the crystal with thermal displacements; return the number of atoms."""
        atoms = bulk(self.symbol, self.structure, a=self.lattice, cubic=True).repeat(self.cells)
        atoms.rattle(nickel.DISPLACEMENT, seed=self.cells)
        edge = self.lattice * self.cells
        lines = [self.symbol, "", f"{len(atoms)} atoms", "1 atom types", ""]
        lines += [f"0 {edge:.17g} {axis}lo {axis}hi" for axis in "xyz"]
        lines += ["", "Masses", "", f"1 {self.mass}", "", "Atoms # atomic", ""]
        lines += [f"{i + 1} 1 " + " ".join(f"{x:.17g}" for x in own) for i, own in enumerate(atoms.positions % edge)]
        path.write_text("\n".join(lines) + "\n")
        return len(atoms)


NIOBIUM = Metal("Nb", "bcc", 3.30, 92.906, 8)
TANTALUM = Metal("Ta", "bcc", 3.30, 180.948, 8)
NICKEL = Metal("Ni", "fcc", nickel.LATTICE, nickel.MASS, 6)


@dataclass(frozen=True)
class Peer:
    name: str
    metal: Metal
    style: str
    files: tuple[str, ...]

    @property
    def lines(self) -> str:
        files = " ".join(str(lmp_timing.POTENTIALS / name) for name in self.files)
        return f"pair_style {self.style}\npair_coeff * * {files} {self.metal.symbol}\n"


PEERS = (
    Peer("UF3", NIOBIUM, "uf3 3", ("Nb.uf3",)),
    Peer("POD", TANTALUM, "pod", ("Ta_param.pod", "Ta_coeff.pod")),
    Peer("SNAP", NICKEL, "snap", ("Ni_Zuo_JPCA2020.snapcoeff", "Ni_Zuo_JPCA2020.snapparam")),
    Peer(
        "quadratic SNAP",
        NICKEL,
        "snap",
        ("Ni_Zuo_JPCA2020.quadratic.snapcoeff", "Ni_Zuo_JPCA2020.quadratic.snapparam"),
    ),
)


def export(metal: Metal, folder: Path) -> Path:
    """Write a model file of five members with random weights for the metal."""
    description = NetworkDescription((metal.symbol,), hidden=nickel.HIDDEN)
    members = [build_member(description, seed) for seed in range(nickel.N_MEMBERS)]
    model = build_model(description, members, [0.0])
    return export_ensemble(model, folder / f"{metal.symbol}.nnp.pt", dtype=torch.float32)


def measure(n_rounds: int, n_steps: int, folder: Path) -> list[dict[str, Any]]:
    """Return the CPU time of each potential and of the ensemble on its metal, µs per atom and step."""
    results: list[dict[str, Any]] = []
    for peer in PEERS:
        symbol = peer.metal.symbol
        n_atoms = peer.metal.write_data(folder / "data")
        uq = lmp_timing.fix_uq(lmp_timing.UQ_ENERGY)
        ensemble = f"pair_style nnp {export(peer.metal, folder)} device cpu\npair_coeff * * {symbol}\n{uq}"
        rounds = [
            {
                name: lmp_timing.cpu_of_steps(lmp_timing.start_of(lines), n_atoms, n_steps, folder)
                for name, lines in ((peer.name, peer.lines), (ENSEMBLE, ensemble))
            }
            for _ in range(n_rounds)
        ]
        results.append(
            {
                "potential": peer.name,
                "metal": symbol,
                "n_atoms": n_atoms,
                "microseconds_per_atom_and_step": {
                    name: statistics.median(r[name] for r in rounds) for name in rounds[0]
                },
                "ratio": statistics.median(r[ENSEMBLE] / r[peer.name] for r in rounds),
                "rounds": rounds,
            }
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round, to try the script")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "own_metals.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        n_rounds, n_steps = (1, 5) if arguments.quick else (arguments.rounds, STEPS)
        results = measure(n_rounds, n_steps, Path(name))
    table = Table("potential", "metal", "atoms", "µs per atom and step", ENSEMBLE, "ratio")
    for result in results:
        of = result["microseconds_per_atom_and_step"]
        times = [f"{of[name]:.1f}" for name in (result["potential"], ENSEMBLE)]
        table.add_row(result["potential"], result["metal"], str(result["n_atoms"]), *times, f"{result['ratio']:.2f}")
    Console(width=110).print(table)
    write_record(arguments.output, "own_metals", ("nnpal", "lammps"), {"results": results})


if __name__ == "__main__":
    main()
