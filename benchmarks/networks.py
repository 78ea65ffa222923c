"""Compare types of network, energies and members' forces: SchNet files and an ANI file with the fused kernel.

    python benchmarks/networks.py [--quick] [--output benchmarks/results/networks.json]

CPU time of one thread for `LoadedModel.energies_and_gradients`, which the pair style, the calculator and `nnpal
evaluate` call, without the neighbor list. 108 Ni atoms with thermal displacements, and a box of n-butane; float32.
Contenders run one after another in every round; ratios to ANI, of µs per atom, are medians of the rounds' ratios.
Before anything is timed, the gradients of each SchNet file must agree with its networks in double precision.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from ase import Atoms
from ase.build import molecule
from rich.console import Console
from rich.table import Table

import nickel
from nnpal.geometry.neighbor_graph import Graph, atoms_graph
from nnpal.model import LoadedModel, export_ensemble, load_model
from nnpal.model.aev import AEVS
from nnpal.model.build import build_member, build_model
from nnpal.model.description import HIDDEN, NetworkDescription
from nnpal.model.schnet import SchNetDescription, build_schnet, export_schnet
from record import write_record

N_MEMBERS = 5
ANI = f"ANI, fused, {N_MEMBERS} members"
SIZES = {"SchNet 64, 3, 32": (64, 3, 32), "SchNet 128, 3, 50": (128, 3, 50)}
"""Features, interactions, Gaussians; cutoff 5 Å."""
TOLERANCE = 1e-4
"""Fraction of the largest gradient: single precision, as between kernels."""


def systems() -> dict[str, Atoms]:
    positions, edges = nickel.positions_and_edges(108)
    butane = molecule("trans-butane")
    butane.set_cell([5.5, 5.5, 5.5])  # 0.58 g/cm³, the density of the liquid
    butane.pbc = True
    box = butane * (2, 2, 2)
    box.rattle(0.03, seed=1)
    return {"108 Ni": Atoms("Ni108", positions, cell=edges, pbc=True), f"{len(box)} atoms of n-butane": box}


def ani_file(symbols: tuple[str, ...], folder: Path) -> Path:
    """Export an ensemble: of default size for a metal, of ANI-2x's size for molecules."""
    description = (
        NetworkDescription(symbols, hidden=nickel.HIDDEN)
        if symbols == ("Ni",)
        else NetworkDescription(symbols, hidden=HIDDEN["ani2x"], aev=AEVS["ani2x"])
    )
    members = [build_member(description, seed) for seed in range(N_MEMBERS)]
    model = build_model(description, members, [0.0] * len(symbols))
    return export_ensemble(model, folder / "ani.nnp.pt", dtype=torch.float32)


def schnet_file(symbols: tuple[str, ...], size: tuple[int, int, int], graph: Graph, folder: Path) -> Path:
    """Export one member and compare the gradients of the file with those of the network."""
    description = SchNetDescription(symbols, *size)
    network = build_schnet(description, 1)
    path = export_schnet(description, [network], folder / "schnet.nnp.pt", self_energies=[0.0] * len(symbols))
    edge_vec = graph.edge_vec.clone().requires_grad_(True)
    energies = network.double()(graph.species, graph.n_local, graph.edge_index, edge_vec)
    (expected,) = torch.autograd.grad(energies.sum(), edge_vec)
    _, found = load_model(path).energies_and_gradients(graph, of_members=False)
    difference = float((found[0] - expected).abs().max() / expected.abs().max())
    if not difference < TOLERANCE:
        raise SystemExit(f"{description}: the file's gradients differ by {difference:.2g} of the largest")
    return path


def contenders(atoms: Atoms, folder: Path) -> dict[str, tuple[LoadedModel, Graph]]:
    symbols = tuple(sorted(set(atoms.symbols), key=["H", "C", "Ni"].index))
    ani = load_model(ani_file(symbols, folder))
    found = {ANI: (ani, atoms_graph(atoms, symbols, ani.metadata.cutoff, model="benchmark"))}
    for name, size in SIZES.items():
        graph = atoms_graph(atoms, symbols, SchNetDescription.cutoff, model="benchmark")
        found[f"{name}, a member"] = (load_model(schnet_file(symbols, size, graph, folder)), graph)
    return found


def measure(models: Mapping[str, tuple[LoadedModel, Graph]], n_rounds: int) -> dict[str, list[float]]:
    """Return µs per atom for each round, after warm-up calls."""
    found: dict[str, list[float]] = {name: [] for name in models}
    for round_ in range(-3, n_rounds):
        for name, (model, graph) in models.items():
            begin = time.process_time()
            model.energies_and_gradients(graph, of_members=True)
            if round_ >= 0:
                found[name].append((time.process_time() - begin) / graph.n_local * 1e6)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, to try the script")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "networks.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("", "edges per atom", "µs per atom", f"ratio to {ANI}")
    content: dict[str, dict[str, object]] = {}
    for system, atoms in systems().items():
        with tempfile.TemporaryDirectory() as name:
            models = contenders(atoms, Path(name))
            seconds = measure(models, 1 if arguments.quick else arguments.rounds)
        content[system] = {}
        for contender, own in seconds.items():
            ratio = statistics.median(a / b for a, b in zip(own, seconds[ANI], strict=True))
            edges = models[contender][1].edge_index.shape[1] / len(atoms)
            content[system][contender] = {"edges_per_atom": edges, "us_per_atom": own, "over_ani": ratio}
            table.add_row(f"{system}: {contender}", f"{edges:.1f}", f"{statistics.median(own):.1f}", f"{ratio:.2f}")
    Console(width=110).print(table)
    write_record(arguments.output, "networks", ("nnpal", "torch", "torchani"), {"systems": content})


if __name__ == "__main__":
    main()
