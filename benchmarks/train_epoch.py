"""Time an epoch of training on forces, in one run with the same networks in TorchANI and with the networks alone.

    python benchmarks/train_epoch.py [--quick] [--output benchmarks/results/train_epoch.json]

Configurations of 32 Ni atoms, thermal at random densities, with energies and forces; batches of 64; one member of
224-192-160; float32; one core. Contenders, A B C A B C ...:

- nnpal, stored: `nnpal train` as it is, AEVs and their derivatives computed once for all epochs
- nnpal, recomputed: `nnpal train` where these do not fit into memory, AEVs and their products at every update; both by
  nnpal's compiled operations
- TorchANI: its AEVs and networks on batches merged into one graph, neighbours given, torch's double backward
- networks alone: forward, gradient in the AEVs, and the parameter gradients of both

Before anything is timed, losses and parameter gradients of the three that train must agree.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchani.nn import ANINetworks

import nickel
from nnpal.export.module import EnsembleModule
from nnpal.graph import merge_graphs
from nnpal.networks import NetworkDescription, build_aev_computer, build_member
from nnpal.training import Errors, LossSettings, TrainingData, build_training_data, energy_force_loss
from nnpal.training.epoch import loss_of
from nnpal.training.features import GraphFeatures
from nnpal.training.member import in_parts
from nnpal.training.prediction import errors_of_members, one_member
from record import write_record

N_DATA = 3500  # as in the paper's timing
BATCH = 64
STRAIN, DISPLACEMENT = 0.05, 0.15  # linear strain of the cells, and Å of each coordinate
AIM = 1.35  # times the networks alone
LOSS = LossSettings()
DESCRIPTION = NetworkDescription(("Ni",), hidden=nickel.HIDDEN)
Batch = Callable[[np.ndarray], Tensor]
"""Of the indices of configurations: their loss, with the parameters' gradients in place."""


def configurations(n_data: int) -> list[Atoms]:
    """Return thermal crystals; labels are random numbers, for the arithmetic does not know."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(n_data):
        atoms = bulk("Ni", a=nickel.LATTICE, cubic=True) * (2, 2, 2)
        atoms.set_cell(atoms.cell * (1 + rng.uniform(-STRAIN, STRAIN)), scale_atoms=True)
        atoms.positions += rng.normal(0, DISPLACEMENT, atoms.positions.shape)
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=rng.normal(size=(len(atoms), 3)))
        frames.append(atoms)
    return frames


def ours(network: ANINetworks, data: TrainingData) -> Batch:
    def batch(indices: np.ndarray) -> Tensor:
        (errors,) = errors_of_members([network], data, [indices], training=True)
        loss = loss_of(errors, LOSS)
        loss.backward()
        return loss.detach()

    return batch


def torchani(network: ANINetworks, data: TrainingData) -> Batch:
    """Return the plain way: energies from edge vectors, forces by autograd, its graph kept for the second backward."""
    assert isinstance(data.features, GraphFeatures)
    graphs = data.features.graphs
    model = EnsembleModule(build_aev_computer(DESCRIPTION), [network], torch.zeros(1), 1.0)

    def batch(indices: np.ndarray) -> Tensor:
        graph, frame_of_atom = merge_graphs([graphs[i] for i in indices])
        edge_vec = graph.edge_vec.detach().requires_grad_(True)
        atomic = model(graph.species, graph.n_local, graph.edge_index, edge_vec)[0]
        (gradient,) = torch.autograd.grad(atomic.sum(), edge_vec, create_graph=True)
        centre, neighbour = graph.edge_index
        forces = gradient.new_zeros(len(atomic), 3).index_add(0, centre, gradient).index_add(0, neighbour, -gradient)
        energies = atomic.new_zeros(len(indices)).index_add(0, frame_of_atom, atomic)
        errors = Errors(
            energies - data.energies[indices], forces - data.force_rows(indices), torch.from_numpy(data.sizes[indices])
        )
        loss = energy_force_loss(errors, LOSS.force_weight)
        loss.backward()
        return loss.detach()

    return batch


def networks_alone(network: ANINetworks, aev: Tensor, n_atoms: int) -> Batch:
    energies = one_member(network)

    def batch(indices: np.ndarray) -> Tensor:
        rows = (indices[:, None] * n_atoms + np.arange(n_atoms)).ravel()
        leaf = aev[rows].requires_grad_(True)
        atomic = energies(torch.zeros(len(rows), dtype=torch.int64), leaf)
        (gradient,) = torch.autograd.grad(atomic.sum(), leaf, create_graph=True)
        loss = atomic.square().mean() + gradient.square().mean()
        loss.backward()
        return loss.detach()

    return batch


def epoch(network: ANINetworks, optimizer: torch.optim.Optimizer, batch: Batch, batches: Sequence[np.ndarray]) -> float:
    """Return the seconds of one pass over the data, updates included."""
    begin = time.perf_counter()
    for indices in batches:
        optimizer.zero_grad()
        batch(indices)
        optimizer.step()
    return time.perf_counter() - begin


def require_equal(batches: dict[str, tuple[ANINetworks, Batch]], indices: np.ndarray) -> None:
    """Stop unless losses and gradients agree to what float32 leaves."""
    found = {}
    for name, (network, batch) in batches.items():
        network.zero_grad()
        found[name] = (batch(indices).item(), torch.cat([p.grad.flatten() for p in network.parameters()]))
    loss, gradient = found["TorchANI"]
    for name, (own_loss, own) in found.items():
        if abs(own_loss / loss - 1) > 1e-4 or (own - gradient).norm() / gradient.norm() > 1e-3:
            raise SystemExit(f"{name} and TorchANI do not agree: losses {own_loss} and {loss}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "train_epoch.json")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, one round")
    arguments = parser.parse_args()
    n_data, n_rounds = (N_DATA // 10, 1) if arguments.quick else (N_DATA, 5)
    torch.set_num_threads(1)
    frames = configurations(n_data)
    begin = time.perf_counter()
    stored = build_training_data(frames, DESCRIPTION, features="stored")
    seconds_features = time.perf_counter() - begin
    begin = time.perf_counter()
    graphs = build_training_data(frames, DESCRIPTION, features="recomputed")
    seconds_graphs = time.perf_counter() - begin

    networks = {name: build_member(DESCRIPTION, 1) for name in ("stored", "recomputed", "TorchANI", "networks")}
    contenders: dict[str, tuple[ANINetworks, Batch]] = {
        "nnpal, stored": (networks["stored"], ours(networks["stored"], stored)),
        "nnpal, recomputed": (networks["recomputed"], ours(networks["recomputed"], graphs)),
        "TorchANI": (networks["TorchANI"], torchani(networks["TorchANI"], graphs)),
    }
    require_equal(contenders, np.arange(min(BATCH, n_data)))
    alone = networks_alone(networks["networks"], stored.features.aev, len(frames[0]))
    contenders["networks alone"] = (networks["networks"], alone)
    optimizers = {name: torch.optim.AdamW(network.parameters()) for name, (network, _) in contenders.items()}

    rng = np.random.default_rng(1)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(n_rounds + 1):  # the first warms up
        batches = in_parts(rng.permutation(n_data), BATCH)
        for name, (network, batch) in contenders.items():
            own = epoch(network, optimizers[name], batch, batches[: len(batches) if round_ else 4])
            if round_:
                seconds[name].append(own)
    report(seconds, seconds_features, seconds_graphs, n_data, arguments.output)


def report(
    seconds: dict[str, list[float]], seconds_features: float, seconds_graphs: float, n_data: int, output: Path
) -> None:
    """Print medians and ratios, and write them."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    limit = seconds["networks alone"]
    ratios = {name: statistics.median(np.divide(values, limit).tolist()) for name, values in seconds.items()}
    table = Table(title=f"seconds per epoch of {n_data} configurations of 32 Ni atoms, one core")
    for column in ("", "median", "times the networks alone", "lowest", "highest"):
        table.add_column(column, justify="right")
    for name, values in seconds.items():
        row = (medians[name], ratios[name], min(values), max(values))
        table.add_row(name, *(f"{value:.2f}" for value in row))
    console = Console()
    console.print(table)
    console.print(f"once for all epochs: neighbours {seconds_graphs:.1f} s, stored AEVs {seconds_features:.1f} s")
    for name in ("nnpal, stored", "nnpal, recomputed"):
        ratio = ratios[name]
        console.print(f"{name}: {ratio:.2f} times the networks alone (aim {AIM}), TorchANI {ratios['TorchANI']:.1f}")
    content = {
        "n_configurations": n_data,
        "atoms": 32,
        "batch": BATCH,
        "hidden": list(nickel.HIDDEN),
        "seconds": {name: {"median": medians[name], "all": values} for name, values in seconds.items()},
        "times_networks_alone": ratios,
        "aim": AIM,
        "seconds_once": {"neighbours": seconds_graphs, "stored features": seconds_features},
    }
    write_record(output, "train_epoch", ("nnpal", "torch", "torchani", "numpy"), content)
    console.print(f"Wrote {output}")


if __name__ == "__main__":
    main()
