"""Break the time of a step of pair_style nnp down into its parts, timed one after another in one run.

    python benchmarks/profile_step.py [--quick] [--output benchmarks/results/profile_step.json]

864 nickel atoms, 5 members, one core, in tiles of 256 centers as in the pair style. Every round times the whole step
in `lmp`, whose timers separate the pair style from neighbor lists and the rest, and then in torch, on tiles of the same
crystal:

- ensemble: `ensemble_gradients`, everything from edges to their gradients; also with the gradients of each member
- aev, aev_vjp: the AEVs, forward and backward
- products: the networks' matrix products by torch, for all atoms at once

Before anything is timed, the ensemble's energy, forces and uq_force must agree with the pair style, and its gradients
with those of AEVs, TorchANI's networks and the backward pass in sequence. Products have random factors, so there is
nothing to compare.

All parts use the best instruction set except `amx`, which the operations of torch do not use.

The rest of the ensemble is the networks; the rest of the pair style is building tiles and summing forces, minus the
sorting of edges by the torch operation, which the pair style does not need. Results, also differences, are medians over
the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import lmp_timing
import nickel
import torch_timing
from agreement import Evaluation, require_agreement
from nnpal import _core
from nnpal.geometry.neighbor_graph import neighbor_graph
from nnpal.model.build import build_aev_computer, build_member
from nnpal.model.description import NetworkDescription
from nnpal.model.fused_module import FusedModule
from nnpal.model.terms import aev_terms
from record import write_record

N_ATOMS, STEPS = 864, 40
TILE = 256  # centers, as in src/core/model/core_model.cpp
SECONDS = 1.0
# Relative to energy and largest force, uncertainty, gradient: float32 sums of some hundred terms in different orders
AGREEMENT = 1e-5
Arguments = tuple[Tensor, int, Tensor, Tensor]


@dataclass(frozen=True)
class Tile:
    """A tile of centers.

    Attributes:
        arguments: species, number of centers, edges and edge vectors (Å); each edge has its own neighbor atom, as in
            the pair style.
        atoms: center and neighbor of each edge in the crystal, [2, n_edges].
    """

    arguments: Arguments
    atoms: Tensor


def tiles() -> list[Tile]:
    """Return the tiles of the crystal."""
    positions, edges = nickel.positions_and_edges(N_ATOMS)
    cutoff = float(build_aev_computer(NetworkDescription(("Ni",))).radial.cutoff)
    graph = neighbor_graph(positions, np.diag(edges), True, np.zeros(N_ATOMS, dtype=np.int64), cutoff)
    result = []
    for first in range(0, N_ATOMS, TILE):
        n = min(TILE, N_ATOMS - first)
        own = (graph.edge_index[0] >= first) & (graph.edge_index[0] < first + n)
        n_edges = int(own.sum())
        index = torch.stack((graph.edge_index[0, own] - first, torch.arange(n, n + n_edges)))
        arguments = (torch.zeros(n + n_edges, dtype=torch.int64), n, index, graph.edge_vec[own].float())
        result.append(Tile(arguments, graph.edge_index[:, own]))
    return result


class Parts:
    """Parts of a step that are timed in torch; each call evaluates all atoms."""

    def __init__(self) -> None:
        description = NetworkDescription(("Ni",), hidden=nickel.HIDDEN)
        computer = build_aev_computer(description)
        self.members = [build_member(description, seed) for seed in range(nickel.N_MEMBERS)]
        module = FusedModule(computer, self.members, torch.zeros(1, dtype=torch.float64), 1.0)
        self.module = module.float().requires_grad_(False)
        self.terms = aev_terms(computer)
        self.tiles = tiles()
        self.gradients = [torch.ones(tile.arguments[1], self.terms.n_features) for tile in self.tiles]

    def ensemble(self, of_members: bool) -> list[tuple[Tensor, Tensor]]:
        return [self.module.energies_and_gradients(*tile.arguments, of_members) for tile in self.tiles]

    def aev(self) -> list[Tensor]:
        return [torch.ops.nnpal.aev(*tile.arguments, *self.terms) for tile in self.tiles]

    def vjp(self, gradients: list[Tensor]) -> list[Tensor]:
        pairs = zip(self.tiles, gradients, strict=True)
        return [torch.ops.nnpal.aev_vjp(gradient, *tile.arguments, *self.terms) for tile, gradient in pairs]

    def timers(self) -> dict[str, Callable[[], object]]:
        return {
            "ensemble": lambda: self.ensemble(False),
            "ensemble with members' gradients": lambda: self.ensemble(True),
            "aev": self.aev,
            "aev_vjp": lambda: self.vjp(self.gradients),
            "products": torch_timing.NetworkProducts(N_ATOMS),
        }

    def evaluate(self) -> Evaluation:
        """Return the results of the ensemble for the crystal."""
        found = self.ensemble(True)
        energies = torch.cat([energies for energies, _ in found], 1).double()
        forces = torch.zeros(1 + nickel.N_MEMBERS, N_ATOMS, 3, dtype=torch.float64)
        for tile, (_, gradients) in zip(self.tiles, found, strict=True):
            forces.index_add_(1, tile.atoms[0], gradients.double()).index_add_(1, tile.atoms[1], -gradients.double())
        spread = forces[1:].std(0, correction=0).square().sum(1).sqrt()
        uncertainties = {"uq_energy": energies.std(0, correction=0).numpy(), "uq_force": spread.numpy()}
        return Evaluation(float(energies.mean(0).sum()), forces[0].numpy(), uncertainties)

    def from_parts(self) -> list[Tensor]:
        """Return the gradients of the mean energy with respect to edge vectors, with TorchANI's networks."""
        gradients = []
        for aev in self.aev():
            leaf = aev.requires_grad_(True)
            species = torch.zeros(1, len(leaf), dtype=torch.int64)
            energy = sum(member(species, leaf[None]).sum() for member in self.members) / len(self.members)
            gradients.append(torch.autograd.grad(energy, leaf)[0])
        return self.vjp(gradients)


def check_agreement(model: Path, parts: Parts, folder: Path) -> dict[str, float]:
    """Require that the whole and its parts give the same results; return the differences.

    Raises:
        RuntimeError: results differ by more than rounding.
    """
    whole = lmp_timing.evaluate(lmp_timing.nnp(model, uncertainties=lmp_timing.UQ_BOTH), N_ATOMS, folder)
    found = require_agreement("pair_style nnp and the ensemble in torch", whole, parts.evaluate(), AGREEMENT)
    gradients = torch.cat([own[0] for _, own in parts.ensemble(False)])
    from_parts = torch.cat(parts.from_parts())
    difference = float((gradients - from_parts).abs().max() / from_parts.abs().max())
    if not difference <= AGREEMENT:
        raise RuntimeError(f"the ensemble's gradients and those of its parts differ by {difference} of the largest")
    return {**found, "of_the_largest_gradient": difference}


def one_round(model: Path, in_torch: dict[str, Callable[[], object]], folder: Path) -> dict[str, float]:
    """Return the time of every part, µs per atom and step."""
    run = lmp_timing.run_steps(lmp_timing.nnp(model), N_ATOMS, STEPS, 1, folder)
    parts = {name: 1e6 * seconds / STEPS / N_ATOMS for name, seconds in run.seconds_of.items()}
    found = {
        name: torch_timing.microseconds_per_call(function, SECONDS) / N_ATOMS for name, function in in_torch.items()
    }
    return {
        "step": run.microseconds,
        "neighbor lists": parts["Neigh"],
        "rest of LAMMPS": run.microseconds - parts["Pair"] - parts["Neigh"],
        "pair style": parts["Pair"],
        "tiles, conversions, sums": parts["Pair"] - found["ensemble"],
        **found,
        "networks": found["ensemble"] - found["aev"] - found["aev_vjp"],
        "uq_force on top": found["ensemble with members' gradients"] - found["ensemble"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, to try the script")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "profile_step.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    instruction_set = next(name for name in _core.instruction_sets() if name != "amx")
    _core.use_instruction_set(instruction_set)
    os.environ["NNPAL_INSTRUCTION_SET"] = instruction_set  # for lmp
    parts = Parts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = nickel.export(nickel.build_ensemble(), folder / "ni.nnp.pt")
        differences = check_agreement(model, parts, folder)
        in_torch = parts.timers()
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
        "instruction_set": instruction_set,
        "differences": differences,
        "microseconds_per_atom_and_step": medians,
        "rounds": rounds,
    }
    write_record(arguments.output, "profile_step", ("nnpal", "torch", "lammps"), content)


if __name__ == "__main__":
    main()
