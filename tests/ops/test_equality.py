"""What users see of the fused operations against TorchANI: energies, forces, virials, uncertainties; training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.geometry.neighbor_graph import Graph, atoms_graph, edge_forces
from nnpal.model.aev import AEVS
from nnpal.model.build import build_aev_computer, build_member
from nnpal.model.description import NetworkDescription
from nnpal.model.fused_module import FusedModule
from nnpal.model.torchani_module import EnsembleModule
from nnpal.training.data import TrainingData, build_training_data
from nnpal.training.loss import Errors
from nnpal.training.settings import LossSettings
from ops_structures import DTYPES, SYMBOLS, Structure, assert_near, place_atoms, structures
from torchani_reference import Reference
from training_errors import errors_of_members, loss_of

# float32: as for the operations themselves. The reference is in float64, from the very numbers that float32 has.
TOLERANCE = {"single": 2e-5, "double": 1e-10}
SCALE = 27.2
LOSS = LossSettings(force_weight=0.3, stress_weight=0.2)


def rounded(tensor: Tensor, precision: str) -> Tensor:
    return tensor.to(DTYPES[precision]).double()


def reference(module: EnsembleModule, graph: Graph, *, create_graph: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return members' energies [M, n], their forces [M, n, 3], and the virial [3, 3], by displacements and a strain."""
    moved = torch.zeros(graph.n_local, 3, dtype=torch.float64, requires_grad=True)
    strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    center, neighbor = graph.edge_index
    vectors = (graph.edge_vec + moved[neighbor] - moved[center]) @ (torch.eye(3, dtype=torch.float64) + strain)
    energies = module(graph.species, graph.n_local, graph.edge_index, vectors)
    keep = {"create_graph": create_graph, "retain_graph": True, "materialize_grads": True}
    if not energies.requires_grad:  # no edges
        energies = energies + 0 * moved.sum()
    forces = [-torch.autograd.grad(own.sum(), moved, **keep)[0] for own in energies]
    (slope,) = torch.autograd.grad(energies.mean(0).sum(), strain, **keep)
    return energies, torch.stack(forces), -slope


def by_torchani(structure: Structure, graph: Graph, members: list[ANINetworks]) -> Reference:
    energies, forces, virial = reference(structure.reference(members, SCALE).double(), graph)
    return Reference(energies.detach().numpy(), forces.numpy(), virial.numpy())


def by_fused(structure: Structure, graph: Graph, members: list[ANINetworks], precision: str) -> Reference:
    """The sums are in float64, as in the pair style and the calculator."""
    computer = build_aev_computer(structure.description)
    module = FusedModule(computer, members, torch.zeros(structure.n_elements), SCALE).to(DTYPES[precision])
    vectors = graph.edge_vec.to(DTYPES[precision])
    energies, gradients = module.energies_and_gradients(graph.species, graph.n_local, graph.edge_index, vectors, True)
    of_mean, *of_members = gradients.double()
    forces = torch.stack([edge_forces(graph, own) for own in of_members])
    assert_near(forces.mean(0), edge_forces(graph, of_mean), TOLERANCE[precision])
    return Reference(energies.double().numpy(), forces.numpy(), -(graph.edge_vec.T @ of_mean).numpy())


@pytest.mark.parametrize("precision", DTYPES)
@settings(deadline=None, max_examples=30, derandomize=True)
@given(structure=structures, n_members=st.integers(1, 4))
def test_energies_forces_virial_and_uncertainties(structure: Structure, n_members: int, precision: str) -> None:
    species, n_local, edge_index, edge_vec = structure.sorted(structure.inputs(torch.float64))
    graph = Graph(species, n_local, edge_index, rounded(edge_vec.detach(), precision))
    members = structure.members(n_members)
    expected = by_torchani(structure, graph, members)
    found = by_fused(structure, graph, members, precision)
    for name in ("atomic_energies", "forces", "virial", "uq_energy", "uq_force", "member_energies", "member_forces"):
        one, other = (torch.from_numpy(np.asarray(getattr(answer, name))) for answer in (found, expected))
        assert_near(one, other, TOLERANCE[precision])


def labeled(n_elements: int, sizes: list[int], volume: float, seed: int) -> list[Atoms]:
    """A periodic configuration, an open one, and so on in turn; labels are random, a stress where there is a cell."""
    rng = np.random.default_rng(seed)
    frames = []
    for number, n_atoms in enumerate(sizes):
        periodic = number % 2 == 0
        positions, cell = place_atoms(rng, n_atoms, volume, periodic=periodic)
        symbols = rng.choice(SYMBOLS[:n_elements], len(positions))
        atoms = Atoms(symbols, positions, cell=cell if periodic else None, pbc=periodic)
        stress = {"stress": rng.normal(size=6)} if periodic else {}
        labels = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3)), **stress}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        frames.append(atoms)
    return frames


def errors_by_torchani(
    description: NetworkDescription, network: ANINetworks, frames: list[Atoms], data: TrainingData, precision: str
) -> Errors:
    """Predictions of TorchANI's terms and networks, differentiated twice by autograd, minus the data's labels."""
    module = EnsembleModule(build_aev_computer(description), [network], torch.zeros(len(description.symbols)), 1.0)
    energies, forces, virials = [], [], []
    for atoms in frames:
        graph = atoms_graph(atoms, description.symbols, description.aev.radial_cutoff, model="test")
        graph = replace(graph, edge_vec=rounded(graph.edge_vec, precision))
        energy, force, virial = reference(module.double(), graph, create_graph=True)
        energies.append(energy.sum())
        forces.append(force[0])
        virials.append(-virial)
    assert data.virials is not None
    return Errors(
        torch.stack(energies) - data.energies.double(),
        torch.cat(forces) - data.forces.double(),
        torch.tensor([len(atoms) for atoms in frames]),
        torch.stack(virials) - data.virials.double(),
    )


@pytest.mark.parametrize("features", ["stored", "recomputed"])
@pytest.mark.parametrize("precision", DTYPES)
@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    aev=st.sampled_from(sorted(AEVS)),
    n_elements=st.integers(1, 3),
    sizes=st.lists(st.integers(1, 10), min_size=1, max_size=3),
    volume=st.floats(8.0, 60.0),
    seed=st.integers(0, 10_000),
)
def test_training_gradients(
    aev: str, n_elements: int, sizes: list[int], volume: float, seed: int, precision: str, features: str
) -> None:
    """Of a loss of energies, forces and stresses in all weights and biases."""
    dtype = DTYPES[precision]
    frames = labeled(n_elements, sizes, volume, seed)
    present = sorted({symbol for atoms in frames for symbol in atoms.symbols})
    description = NetworkDescription(tuple(present), hidden=(12, 8), aev=AEVS[aev])
    data = build_training_data(frames, description, dtype=dtype, stress=True, features=features)
    network = build_member(description, seed).to(dtype)
    (errors,) = errors_of_members([network], data, [np.arange(len(frames))], training=True)
    found = torch.autograd.grad(loss_of(errors, LOSS), list(network.parameters()), materialize_grads=True)
    network.double()
    of_torchani = errors_by_torchani(description, network, frames, data, precision)
    expected = torch.autograd.grad(loss_of(of_torchani, LOSS), list(network.parameters()), materialize_grads=True)
    whole, other = (torch.cat([own.double().flatten() for own in all_of_them]) for all_of_them in (found, expected))
    assert_near(whole, other, TOLERANCE[precision])
