"""Say where a step of pair_style nnp spends its time, by timing its parts one after another in one run.

    python benchmarks/profile_step.py [--quick] [--output benchmarks/results/profile_step.json]

864 nickel atoms, 5 members, one core, in tiles of 256 centres as in the pair style. Every round times the whole step
in `lmp`, whose own timers tell the pair style from neighbour lists and the rest, and then in torch, on the same
crystal's tiles:

- ensemble: `ensemble_gradients`, everything between edges and their gradients; with the gradients of each member
- aev, aev_vjp: the AEVs and the way back from them
- products: the networks' matrix products by torch, of all atoms at once: the limit

What is left of the ensemble are the networks; what is left of the pair style is building tiles, converting numbers
and adding forces up. Figures are medians over the rounds, also those of the differences.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import lmp_timing
import nickel
import torch_timing
from nnpal.export.fused import FusedModule
from nnpal.graph import neighbor_graph
from nnpal.networks import NetworkDescription, build_aev_computer, build_member
from nnpal.networks.terms import aev_terms
from record import write_record

N_ATOMS, STEPS = 864, 40
TILE = 256  # centres: as in src/pair_nnp/model.cpp
SECONDS = 1.0
Tile = tuple[Tensor, int, Tensor, Tensor]


def tiles() -> list[Tile]:
    """Return the crystal's centres in tiles, each edge with an atom of its own as neighbour, as the pair style does."""
    positions, edges = nickel.positions_and_edges(N_ATOMS)
    cutoff = float(build_aev_computer(NetworkDescription(("Ni",))).radial.cutoff)
    graph = neighbor_graph(positions, np.diag(edges), True, np.zeros(N_ATOMS, dtype=np.int64), cutoff)
    result = []
    for first in range(0, N_ATOMS, TILE):
        n = min(TILE, N_ATOMS - first)
        own = (graph.edge_index[0] >= first) & (graph.edge_index[0] < first + n)
        n_edges = int(own.sum())
        index = torch.stack((graph.edge_index[0, own] - first, torch.arange(n, n + n_edges)))
        result.append((torch.zeros(n + n_edges, dtype=torch.int64), n, index, graph.edge_vec[own].float()))
    return result


def timers() -> dict[str, Callable[[], object]]:
    """Return what is timed in torch; each call is for all atoms."""
    description = NetworkDescription(("Ni",), hidden=nickel.HIDDEN)
    computer = build_aev_computer(description)
    members = [build_member(description, seed) for seed in range(nickel.N_MEMBERS)]
    module = FusedModule(computer, members, torch.zeros(1, dtype=torch.float64), 1.0).float().requires_grad_(False)
    terms = aev_terms(computer)
    all_tiles = tiles()
    gradients = [torch.ones(tile[1], terms.n_features) for tile in all_tiles]

    def ensemble(of_members: bool) -> None:
        for tile in all_tiles:
            module.energies_and_gradients(*tile, of_members)

    def aev() -> None:
        for tile in all_tiles:
            torch.ops.nnpal.aev(*tile, *terms)

    def vjp() -> None:
        for tile, gradient in zip(all_tiles, gradients, strict=True):
            torch.ops.nnpal.aev_vjp(gradient, *tile, *terms)

    return {
        "ensemble": lambda: ensemble(False),
        "ensemble with members' gradients": lambda: ensemble(True),
        "aev": aev,
        "aev_vjp": vjp,
        "products": torch_timing.NetworkProducts(N_ATOMS),
    }


def one_round(model: Path, in_torch: dict[str, Callable[[], object]], folder: Path) -> dict[str, float]:
    """Return µs per atom and step of every part."""
    run = lmp_timing.run_steps(lmp_timing.nnp(model), N_ATOMS, STEPS, 1, folder)
    parts = {name: 1e6 * seconds / STEPS / N_ATOMS for name, seconds in run.seconds_of.items()}
    found = {
        name: torch_timing.microseconds_per_call(function, SECONDS) / N_ATOMS for name, function in in_torch.items()
    }
    return {
        "step": run.microseconds,
        "neighbour lists": parts["Neigh"],
        "rest of LAMMPS": run.microseconds - parts["Pair"] - parts["Neigh"],
        "pair style": parts["Pair"],
        "tiles, conversions, sums": parts["Pair"] - found["ensemble"],
        **found,
        "networks": found["ensemble"] - found["aev"] - found["aev_vjp"],
        "uq_force on top": found["ensemble with members' gradients"] - found["ensemble"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, to see that it runs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "profile_step.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    in_torch = timers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = nickel.export(nickel.build_ensemble(), folder / "ni.nnp.pt")
        rounds = [one_round(model, in_torch, folder) for _ in range(1 if arguments.quick else arguments.rounds)]
    medians = {part: statistics.median(r[part] for r in rounds) for part in rounds[0]}
    table = Table(title=f"{N_ATOMS} atoms, {nickel.N_MEMBERS} members, one core")
    table.add_column("part")
    table.add_column("µs per atom and step", justify="right")
    for part, value in medians.items():
        table.add_row(part, f"{value:.2f}")
    Console().print(table)
    content = {
        "n_atoms": N_ATOMS,
        "model": {"members": nickel.N_MEMBERS, "hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
        "instruction_set": torch.ops.nnpal.instruction_sets()[0],
        "microseconds_per_atom_and_step": medians,
        "rounds": rounds,
    }
    write_record(arguments.output, "profile_step", ("nnpal", "torch", "lammps"), content)


if __name__ == "__main__":
    main()
