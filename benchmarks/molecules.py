"""Compare networks of the ANI-2x architecture on molecules and water: kernel fused and TorchANI eager.

    python benchmarks/molecules.py [--quick] [--output benchmarks/results/molecules.json]

Seven elements, 8 members, random weights, single precision, one thread: water, aspirin, boxes of water. CPU time of
`CoreModel.energies_and_gradients`, which `NNPCalculator` calls, and of TorchANI's energy and forces in Python with
given pairs; neither includes a neighbor search.
Contenders run one after another in every round; ratios are medians of the rounds' ratios. Before anything is timed,
energies and forces of both must agree.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from rich.console import Console
from rich.table import Table
from torchani.arch import ANI
from torchani.units import HARTREE_TO_EV

from agreement import Evaluation, require_agreement
from nnpal.geometry.edges import Edges, atoms_edges, forces_of_edges
from nnpal.model import export_ensemble
from nnpal.model.aev import AEVS
from nnpal.model.build import build_member, build_model
from nnpal.model.core_model import CoreModel, load_core_model
from nnpal.model.description import HIDDEN, NetworkDescription
from record import write_record
from torch_timing import pairs_of_torchani
from torchani_terms import water

SYMBOLS = ("H", "C", "N", "O", "F", "S", "Cl")
N_MEMBERS = 8
FUSED, EAGER = "nnpal, fused", "TorchANI eager"
AIMS = {3: None, 21: 0.25, 192: 0.17, 2700: 0.17}
"""Number of atoms, and the target for the ratio of times, nnpal / TorchANI."""
AGREEMENT = 1e-4
ASPIRIN = Atoms(
    "C9H8O4",
    [
        (-0.0857, 0.6088, 0.4403),
        (-0.7927, -0.5515, 0.1244),
        (-0.7288, 1.8464, 0.4133),
        (-2.1426, -0.4741, -0.2184),
        (-2.0787, 1.9238, 0.0706),
        (-2.7855, 0.7636, -0.2453),
        (-0.1409, -1.8536, 0.1477),
        (2.1094, 0.6715, -0.3113),
        (3.5305, 0.5996, 0.1635),
        (-0.1851, 2.7545, 0.6593),
        (-2.7247, -1.3605, -0.4564),
        (-2.5797, 2.8872, 0.0506),
        (-3.8374, 0.8238, -0.5090),
        (3.7290, 1.4184, 0.8593),
        (4.2045, 0.6969, -0.6924),
        (3.7105, -0.3659, 0.6426),
        (-0.2555, -3.5916, -0.7337),
        (1.2333, 0.5540, 0.7792),
        (-0.6952, -2.7148, -0.7502),
        (0.7958, -2.1843, 0.8685),
        (1.7813, 0.8105, -1.4821),
    ],
)
"""Approximate geometry, Å."""


def systems() -> dict[int, Atoms]:
    one = water(1)
    one.set_pbc(False)
    layers = water(10)
    molecules = np.arange(len(layers)).reshape(-1, 3)
    kept = molecules[np.arange(len(molecules)) % 10 < 9].ravel()  # the last index of the grid runs along z
    lower = layers[kept]
    lower.set_cell(layers.cell * np.array([[1.0], [1.0], [0.9]]))
    found = {3: one, 21: ASPIRIN, 192: water(4), 2700: lower}
    assert all(len(atoms) == n for n, atoms in found.items())
    return found


class Eager:
    """TorchANI's model with given pairs."""

    def __init__(self, model: ANI, atoms: Atoms) -> None:
        self.model = model
        self.numbers = torch.from_numpy(atoms.numbers.astype(np.int64))[None]
        self.positions = torch.tensor(atoms.positions[None], dtype=torch.float32, requires_grad=True)
        periodic = bool(atoms.pbc.any())
        self.pairs, self.shifts = pairs_of_torchani(atoms.positions, atoms.cell[:], periodic, float(model.cutoff))

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.model.compute_from_external_neighbors(self.numbers, self.positions, self.pairs, self.shifts)
        energy = found.energies.sum()
        return energy, torch.autograd.grad(energy, self.positions)[0]

    def evaluate(self) -> Evaluation:
        energy, gradient = self()
        return Evaluation(energy.item() * HARTREE_TO_EV, -gradient[0].numpy() * HARTREE_TO_EV, {})


class Fused:
    """The same model in a file written by nnpal."""

    def __init__(self, model: CoreModel, edges: Edges) -> None:
        self.model, self.edges = model, edges

    def __call__(self) -> object:
        return self.model.energies_and_gradients(self.edges, of_members=False)

    def evaluate(self) -> Evaluation:
        energies, gradients = self.model.energies_and_gradients(self.edges, of_members=False)
        return Evaluation(float(energies.mean(0).sum()), forces_of_edges(self.edges, gradients[0]), {})


def contenders(folder: Path) -> dict[int, dict[str, Callable[[], object]]]:
    """Return both contenders for each system; require that they agree."""
    description = NetworkDescription(SYMBOLS, hidden=HIDDEN["ani2x"], aev=AEVS["ani2x"])
    members = [build_member(description, seed) for seed in range(N_MEMBERS)]
    eager = build_model(description, members, [0.0] * len(SYMBOLS)).requires_grad_(False)
    fused = load_core_model(export_ensemble(eager, folder / "ani2x.nnp.pt", dtype=torch.float32))
    assert fused is not None
    found: dict[int, dict[str, Callable[[], object]]] = {}
    for n_atoms, atoms in systems().items():
        edges = atoms_edges(atoms, SYMBOLS, fused.metadata.cutoff, model="benchmark")
        own, peer = Fused(fused, edges), Eager(eager, atoms)
        require_agreement(f"{FUSED} and {EAGER}, {n_atoms} atoms", own.evaluate(), peer.evaluate(), AGREEMENT)
        found[n_atoms] = {FUSED: own, EAGER: peer}
    return found


def milliseconds(call: Callable[[], object], seconds: float) -> float:
    """Return the mean CPU time of a call, ms."""
    n, begin = 0, time.process_time()
    while n < 2 or time.process_time() - begin < seconds:
        call()
        n += 1
    return 1e3 * (time.process_time() - begin) / n


def measure(calls: dict[str, Callable[[], object]], n_rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(n_rounds):
        for name, call in calls.items():
            found[name].append(milliseconds(call, 0.1))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, to try the script")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "molecules.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("atoms", f"{FUSED}, ms", f"{EAGER}, ms", "ratio", "aim")
    content: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as name:
        for n_atoms, calls in contenders(Path(name)).items():
            rounds = measure(calls, 1 if arguments.quick else arguments.rounds)
            ratio = statistics.median(a / b for a, b in zip(rounds[FUSED], rounds[EAGER], strict=True))
            content[str(n_atoms)] = {"milliseconds": rounds, "ratio": ratio, "aim": AIMS[n_atoms]}
            shown = [f"{statistics.median(rounds[one]):.2f}" for one in (FUSED, EAGER)]
            table.add_row(str(n_atoms), *shown, f"{ratio:.3f}", str(AIMS[n_atoms]))
    Console(width=110).print(table)
    write_record(
        arguments.output, "molecules", ("nnpal", "torch", "torchani"), {"members": N_MEMBERS, "systems": content}
    )


if __name__ == "__main__":
    main()
