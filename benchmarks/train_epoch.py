"""Compare an epoch of training on forces with TorchANI and with the networks' matrix products alone, in one run.

    python benchmarks/train_epoch.py [--quick] [--batch 16] [--output benchmarks/results/train_epoch.json]
    python benchmarks/train_epoch.py --device cuda --atoms 108 --configurations 20000

Thermal Ni configurations at random densities, with energies and forces; networks of 224-192-160; float32. On a CPU: one
member on one core in batches of 16, CPU time; on a GPU: five members in one batched pass, as in `nnpal train`, in
batches of 64 each, wall time. Every member is trained on all configurations, in its own order. Contenders, A B C A B C
...:

- nnpal, stored: as `nnpal train`, with AEVs and their derivatives computed once for all epochs; skipped if these do not
  fit into memory
- nnpal, recomputed: AEVs and products with their derivatives at every update; both by nnpal's compiled operations
- TorchANI: its AEVs and networks on batches merged into one graph, neighbors given, torch's double backward, one
  member after another
- networks alone: forward, gradient with respect to the AEVs, and the parameter gradients of both by double backward
- products alone: the matrix products that any update needs, by torch, with random factors: forward, backward to the
  AEVs, along the derivative of the loss with respect to that gradient, backward again, and two for the weights of each
  layer

All members, also those of TorchANI and of networks alone, have the default optimizer of `nnpal train`; the products
have none. Stored features are also timed with AdamW, which shows the cost of the default optimizer.
Before anything is timed, losses and parameter gradients of the trainers must agree. With `--device cuda` and no usable
GPU, the script prints the reason and ends.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchani.nn import ANINetworks

import gpu
import nickel
from nnpal.model.build import build_aev_computer, build_member
from nnpal.model.description import NetworkDescription
from nnpal.model.torchani_module import EnsembleModule
from nnpal.training import Errors, LossSettings, TrainingData, TrainingSettings, build_training_data, energy_force_loss
from nnpal.training.features import GraphFeatures, StoredFeatures, stored_bytes
from nnpal.training.forward_pass import one_member, side_by_side
from nnpal.training.member import in_parts
from nnpal.training.optimizers import build_optimizers
from nnpal.training.rows import Rows, upload
from nnpal.training.update import learn
from record import write_record

N_DATA, N_ATOMS = 3500, 32  # as in the paper's timing
BATCH = {"cpu": 16, "cuda": 64}
STRAIN, DISPLACEMENT = 0.05, 0.15  # linear strain of cells; standard deviation of each coordinate, Å
AIM = 1.8  # epoch / products alone, on a CPU
# Larger set of the data-distillation paper: configurations, atoms, seconds per epoch on its GPU, and the target
LARGER = {"n_configurations": 20000, "atoms": 108, "seconds_there": 41.0, "aim_seconds": 2.0}
MEMBERS = {"cpu": 1, "cuda": nickel.N_MEMBERS}
ATOMS = {4 * n**3: n for n in range(1, 6)}  # atoms of a configuration -> cubic cells along each edge
GIGABYTE = 1e9
LOSS = LossSettings()
DESCRIPTION = NetworkDescription(("Ni",), hidden=nickel.HIDDEN)
Networks = Sequence[ANINetworks]
Indices = Sequence[np.ndarray]
"""Indices of the configurations in the batch of each member."""
Batch = Callable[[Indices], Tensor]
"""Function that returns the losses of members, [n_members], and sets the gradients of parameters."""
STORED, RECOMPUTED, TORCHANI, ALONE = "nnpal, stored", "nnpal, recomputed", "TorchANI", "networks alone"
ADAMW = "nnpal, stored, by AdamW"
PRODUCTS = "products alone"


def configurations(n_data: int, n_atoms: int) -> list[Atoms]:
    """Return thermal crystals with random numbers as labels, which do not affect the speed."""
    rng = np.random.default_rng(0)
    crystal = bulk("Ni", a=nickel.LATTICE, cubic=True).repeat(ATOMS[n_atoms])
    frames = []
    for _ in range(n_data):
        atoms = crystal.copy()
        atoms.set_cell(atoms.cell * (1 + rng.uniform(-STRAIN, STRAIN)), scale_atoms=True)
        atoms.positions += rng.normal(0, DISPLACEMENT, atoms.positions.shape)
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=rng.normal(size=(len(atoms), 3)))
        frames.append(atoms)
    return frames


def ours(networks: Networks, data: TrainingData) -> Batch:
    def batch(indices: Indices) -> Tensor:
        return learn(networks, data, indices, LOSS)[2]

    return batch


def torchani(networks: Networks, data: TrainingData) -> Batch:
    """Return the reference: energies from edge vectors, forces by autograd, with a graph for the second backward."""
    assert isinstance(data.features, GraphFeatures)
    graphs, device = data.features.graphs, data.features.graphs.device
    computer = build_aev_computer(DESCRIPTION)
    models = [EnsembleModule(computer, [network], torch.zeros(1), 1.0).to(device) for network in networks]

    def loss_of_member(model: EnsembleModule, indices: np.ndarray) -> Tensor:
        rows = Rows.of(indices, data.sizes, device)
        graph = graphs.batch(rows)
        edge_vec = graph.edge_vec.requires_grad_(True)
        atomic = model(graph.species, graph.n_local, graph.edge_index, edge_vec)[0]
        (gradient,) = torch.autograd.grad(atomic.sum(), edge_vec, create_graph=True)
        center, neighbor = graph.edge_index
        forces = gradient.new_zeros(len(atomic), 3).index_add(0, center, gradient).index_add(0, neighbor, -gradient)
        energies = atomic.new_zeros(len(indices)).index_add(0, rows.configuration_of_atom, atomic)
        energy, force = energies - data.energies[rows.configurations], forces - data.forces[rows.atoms]
        errors = Errors(energy, force, rows.sizes)
        loss = energy_force_loss(errors, LOSS.force_weight)
        loss.backward()
        return loss.detach()

    return lambda indices: torch.stack([loss_of_member(*each) for each in zip(models, indices, strict=True)])


def networks_alone(networks: Networks, aev: Tensor, n_atoms: int) -> Batch:
    def batch(indices: Indices) -> Tensor:
        rows = upload((np.concatenate(indices)[:, None] * n_atoms + np.arange(n_atoms)).ravel(), aev.device)
        species = torch.zeros(len(rows), dtype=torch.int64)
        atoms = [len(own) * n_atoms for own in indices]
        energies = one_member(networks[0]) if len(networks) == 1 else side_by_side(networks, atoms)
        leaf = aev.index_select(0, rows).requires_grad_(True)
        atomic = energies(species, leaf)
        (gradient,) = torch.autograd.grad(atomic.sum(), leaf, create_graph=True)
        each = zip(atomic.split(atoms), gradient.split(atoms), strict=True)
        losses = torch.stack([energy.square().mean() + slope.square().mean() for energy, slope in each])
        losses.sum().backward()
        return losses.detach()

    return batch


def products_alone(n_networks: int, n_atoms: int, device: torch.device) -> Batch:
    """Return the matrix products of an update alone; several networks are batched as in their update."""
    generator = torch.Generator().manual_seed(0)
    sizes = (nickel.AEV_LENGTH, *nickel.HIDDEN)

    def numbers(*shape: int) -> Tensor:
        lead = () if n_networks == 1 else (n_networks,)
        return torch.randn(*lead, *shape, generator=generator).to(device)

    weights = [numbers(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    kept: dict[int, list[Tensor]] = {}

    def batch(indices: Indices) -> Tensor:
        n_rows = max(len(own) for own in indices) * n_atoms
        if n_rows not in kept:
            kept[n_rows] = [numbers(n_rows, size) for size in sizes]
        values = kept[n_rows]
        for _ in range(2):  # values and directional derivatives
            for value, weight in zip(values[:-1], weights, strict=True):
                value @ weight.mT
        for first in (0, 1):  # to the AEVs, and to the first layer's output
            for value, weight in list(zip(values[1:], weights, strict=True))[first:]:
                value @ weight
        for value, below in zip(values[1:], values[:-1], strict=True):
            for _ in range(2):  # for values and directional derivatives
                value.mT @ below
        return torch.zeros(n_networks)

    return batch


@dataclass
class Contender:
    """Members in training, each with its own optimizer, as in `nnpal train`."""

    networks: Networks
    batch: Batch
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        self.optimizers = [own for network in self.networks for own in build_optimizers(network, self.training)]

    def epoch(self, batches: Sequence[Indices], device: torch.device) -> float:
        """Run updates and return their CPU seconds, or on a GPU their wall time."""
        clock = time.perf_counter if device.type == "cuda" else time.process_time
        begin = clock()
        for indices in batches:
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            self.batch(indices)
            for optimizer in self.optimizers:
                optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock() - begin


def require_equal(contenders: dict[str, Contender], indices: Indices) -> None:
    """Stop unless the losses and gradients of all members agree within float32 precision."""
    found = {}
    for name, contender in contenders.items():
        for network in contender.networks:
            network.zero_grad()
        losses = contender.batch(indices)
        gradients = [torch.cat([p.grad.flatten() for p in own.parameters()]) for own in contender.networks]
        found[name] = (losses, gradients)
    losses, gradients = found[TORCHANI]
    for name, (own_losses, own_gradients) in found.items():
        pairs = zip(own_gradients, gradients, strict=True)
        apart = [float((own - other).norm() / other.norm()) for own, other in pairs]
        if not (bool(((own_losses / losses - 1).abs() <= 1e-4).all()) and max(apart) <= 1e-3):
            raise SystemExit(f"{name} and TorchANI do not agree: losses {own_losses} and {losses}, gradients {apart}")


def all_aevs(data: TrainingData) -> Tensor:
    """Return the AEVs of all configurations' atoms."""
    if isinstance(data.features, StoredFeatures):
        return data.features.aev
    assert isinstance(data.features, GraphFeatures)
    return torch.cat([data.features.batch(part).aev.detach() for part in in_parts(np.arange(len(data)), 64)])


def timed_data(frames: list[Atoms], features: str, device: torch.device) -> tuple[TrainingData, float]:
    """Return training data on a device, and the seconds for building them."""
    begin = time.perf_counter()
    data = build_training_data(frames, DESCRIPTION, features=features).to(device)
    return data, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="default: results/train_epoch.json, or cuda_epoch.json on a GPU")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, one round")
    parser.add_argument("--device", choices=MEMBERS, default="cpu")
    parser.add_argument("--configurations", type=int, default=N_DATA)
    parser.add_argument("--atoms", type=int, choices=ATOMS, default=N_ATOMS, help="atoms of each configuration")
    parser.add_argument("--members", type=int, help="default: 1, or 5 on a GPU")
    parser.add_argument("--batch", type=int, help="configurations per batch of a member; default: 16, or 64 on a GPU")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stored-gigabytes", type=float, default=16, help="time stored features only up to this size")
    parser.add_argument("--without-torchani", action="store_true", help="compare with TorchANI, but do not time it")
    arguments = parser.parse_args()
    lacking = gpu.missing() if arguments.device == "cuda" else None
    if lacking is not None:
        print(f"train_epoch.py: nothing is timed: {lacking}")
        return
    n_data, n_rounds = arguments.configurations, arguments.rounds
    if arguments.quick:
        n_data, n_rounds = n_data // 10, 1
    n_members = arguments.members or MEMBERS[arguments.device]
    batch = arguments.batch or BATCH[arguments.device]
    device = torch.device(arguments.device)
    torch.set_num_threads(1)
    frames = configurations(n_data, arguments.atoms)
    graphs, seconds_graphs = timed_data(frames, "recomputed", device)
    once = {"neighbors": seconds_graphs}

    def members() -> Networks:
        return [build_member(DESCRIPTION, seed).to(device) for seed in range(1, 1 + n_members)]

    contenders: dict[str, Contender] = {}
    aevs = None
    n_bytes = stored_bytes(graphs.sizes, nickel.AEV_LENGTH, torch.float32, strain=False)
    if n_bytes <= arguments.stored_gigabytes * GIGABYTE:
        stored, once["stored features"] = timed_data(frames, "stored", device)
        networks = members()
        contenders[STORED] = Contender(networks, ours(networks, stored))
        networks = members()
        contenders[ADAMW] = Contender(networks, ours(networks, stored), TrainingSettings(optimizer="adamw"))
        aevs = all_aevs(stored)
    for name, make in ((RECOMPUTED, ours), (TORCHANI, torchani)):
        networks = members()
        contenders[name] = Contender(networks, make(networks, graphs))
    require_equal(contenders, [np.arange(m, min(batch + m, n_data)) for m in range(n_members)])
    if arguments.without_torchani:
        del contenders[TORCHANI]
    networks = members()
    alone = networks_alone(networks, all_aevs(graphs) if aevs is None else aevs, arguments.atoms)
    contenders[ALONE] = Contender(networks, alone)
    contenders[PRODUCTS] = Contender([], products_alone(n_members, arguments.atoms, device))

    rng = np.random.default_rng(1)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(n_rounds + 1):  # the first warms up
        batches = list(zip(*(in_parts(rng.permutation(n_data), batch) for _ in range(n_members)), strict=True))
        for name, contender in contenders.items():
            own = contender.epoch(batches[: len(batches) if round_ else 4], device)
            if round_:
                seconds[name].append(own)
    setting = {
        "n_configurations": n_data,
        "atoms": arguments.atoms,
        "device": arguments.device,
        "gpu": torch.cuda.get_device_name() if arguments.device == "cuda" else None,
        "members": n_members,
        "batch": batch,
        "updates": -(-n_data // batch),
        "clock": "wall" if arguments.device == "cuda" else "CPU",
        "hidden": list(nickel.HIDDEN),
        "seconds_once": once,
    }
    names = {"cpu": "train_epoch", "cuda": "cuda_epoch"}
    default = Path(__file__).parent / "results" / f"{names[arguments.device]}.json"
    report(seconds, setting, names[arguments.device], arguments.output or default)


def report(seconds: dict[str, list[float]], setting: dict[str, Any], benchmark: str, output: Path) -> None:
    """Print and write medians and ratios."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    to_networks, to_products = (
        {name: statistics.median(np.divide(values, seconds[limit]).tolist()) for name, values in seconds.items()}
        for limit in (ALONE, PRODUCTS)
    )
    table = Table(
        title="{clock} seconds per epoch of {n_configurations} configurations of {atoms} Ni atoms, batches of {batch}, "
        "{members} members, {device}".format(**setting)
    )
    for column in ("", "median", "ms per update", "ratio to products", "ratio to networks", "lowest", "highest"):
        table.add_column(column, justify="right")
    for name, values in seconds.items():
        update = 1e3 * medians[name] / setting["updates"]
        row = (medians[name], update, to_products[name], to_networks[name], min(values), max(values))
        table.add_row(name, *(f"{value:.2f}" for value in row))
    console = Console()
    console.print(table)
    console.print(
        "once for all epochs: " + ", ".join(f"{name} {s:.1f} s" for name, s in setting["seconds_once"].items())
    )
    content = {
        **setting,
        "seconds": {name: {"median": medians[name], "all": values} for name, values in seconds.items()},
        "times_networks_alone": to_networks,
        "times_products_alone": to_products,
        "aim": AIM if setting["device"] == "cpu" else None,
        "larger_set_of_the_second_seed": {**LARGER, "reached_seconds": reached(medians, setting)},
    }
    write_record(output, benchmark, ("nnpal", "torch", "torchani", "numpy"), content)
    if (seconds_reached := content["larger_set_of_the_second_seed"]["reached_seconds"]) is not None:
        console.print(f"set of the data-distillation paper: {seconds_reached:.2f} s, target {LARGER['aim_seconds']} s")
    console.print(f"Wrote {output}")


def reached(medians: dict[str, float], setting: dict[str, Any]) -> float | None:
    """Return nnpal's seconds per epoch, stored or recomputed, whichever is faster; None for other data sizes."""
    if any(setting[key] != LARGER[key] for key in ("n_configurations", "atoms")):
        return None
    return min(median for name, median in medians.items() if name in (STORED, RECOMPUTED))


if __name__ == "__main__":
    main()
