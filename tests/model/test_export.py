"""Exported models against the TorchANI model called directly, and what the contract of forward() promises."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from torch import Tensor
from torchani.aev import AEVComputer
from torchani.arch import ANI
from torchani.nn import ANINetworks, ANISharedNetworks, Ensemble, SingleNN
from torchani.sae import SelfEnergy
from torchani.units import HARTREE_TO_EV

from ensembles import (
    SlowCELU,
    atomic_network,
    metal_aev_computer,
    one_element_ensemble,
    organic_ensemble,
    with_slow_celu,
)
from nnpal.geometry.neighbor_graph import Graph, merge_graphs, neighbor_graph
from nnpal.model import LoadedModel, export_ensemble, load_model

# float64 sums of some 1e3 terms of 1e3 eV (self-energies) in another order
DOUBLE = 1e-9
HCNO = ("H", "C", "N", "O")


def metal_bulk() -> Atoms:
    """Four atoms in a cell shorter than the cutoff."""
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.1, seed=2)
    return atoms


def molecule(*, periodic: bool) -> Atoms:
    """Sixteen atoms on a rattled grid of 1.6 Å; periodic: in a triclinic cell."""
    grid = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1, 2, 3], indexing="ij"), -1).reshape(-1, 3)
    positions = 1.6 * grid + np.random.default_rng(5).normal(0, 0.1, grid.shape)
    cell = [[5.5, 0, 0], [0.8, 5.2, 0], [-0.6, 0.9, 7.1]]
    return Atoms("HCNO" * 4, positions=positions, cell=cell, pbc=periodic)


def shared_networks() -> ANI:
    torch.manual_seed(3)
    computer = AEVComputer("ani2x", "ani2x", num_species=4)
    members = [
        ANISharedNetworks(
            atomic_network((computer.out_dim, 24), "celu", scale=1.0),
            {symbol: atomic_network((24, 12, 1), "celu", scale=0.5) for symbol in HCNO},
        )
        for _ in range(2)
    ]
    return ANI(HCNO, computer, Ensemble(members), SelfEnergy(HCNO, [-1.0, -2.0, -3.0, -4.0]))


def one_network_for_all() -> ANI:
    torch.manual_seed(4)
    computer = AEVComputer("ani2x", "ani2x", num_species=4)
    members = [SingleNN(HCNO, atomic_network((computer.out_dim + 10, 24, 4), "gelu", scale=0.5)) for _ in range(2)]
    return ANI(HCNO, computer, Ensemble(members), SelfEnergy(HCNO, [-1.0, -2.0, -3.0, -4.0]))


def without_ensemble() -> ANI:
    torch.manual_seed(5)
    computer = metal_aev_computer()
    networks = ANINetworks({"Al": atomic_network((computer.out_dim, 16, 1), "gelu", scale=0.5)})
    return ANI(("Al",), computer, networks, SelfEnergy(("Al",), [-242.0]))


@dataclass(frozen=True)
class Case:
    build: Callable[[], ANI]
    atoms: Atoms
    is_fused: bool = True  # whether the fused kernel covers it


CASES = {
    "one element, cell below the cutoff": Case(one_element_ensemble, metal_bulk()),
    "smooth cutoff": Case(lambda: one_element_ensemble(cutoff_fn="smooth"), metal_bulk()),
    "four elements, triclinic": Case(organic_ensemble, molecule(periodic=True)),
    "four elements, cluster": Case(organic_ensemble, molecule(periodic=False)),
    "CELU": Case(lambda: organic_ensemble(activation="celu"), molecule(periodic=False)),
    "shared layers": Case(shared_networks, molecule(periodic=True), is_fused=False),
    "one network for all": Case(one_network_for_all, molecule(periodic=False), is_fused=False),
    "no ensemble": Case(without_ensemble, metal_bulk()),
}


def torchani_energies_and_forces(model: ANI, atoms: Atoms) -> tuple[Tensor, Tensor]:
    """Return member energies of each atom [n_members, n_atoms] and forces of their mean, eV and Å, float64.

    One frame at a time: TorchANI gives all but the first frame of a periodic batch wrong.
    """
    model = with_slow_celu(model)
    positions = torch.tensor(atoms.positions[None], requires_grad=True)
    cell, pbc = (torch.tensor(atoms.cell[:]), torch.tensor(atoms.pbc)) if atoms.pbc.any() else (None, None)
    numbers = torch.tensor(atoms.numbers[None])
    is_ensemble = isinstance(model.neural_networks, Ensemble)
    result = model((numbers, positions), cell=cell, pbc=pbc, atomic=True, ensemble_values=is_ensemble)
    energies = HARTREE_TO_EV * result.energies.reshape(-1, len(atoms))
    (gradient,) = torch.autograd.grad(energies.mean(0).sum(), positions)
    return energies.detach(), -gradient[0]


def graph_of(loaded: LoadedModel, atoms: Atoms) -> Graph:
    species = [loaded.metadata.elements.index(symbol) for symbol in atoms.symbols]
    return neighbor_graph(atoms.positions, atoms.cell[:], atoms.pbc, species, loaded.metadata.cutoff)


def energies_of(loaded: LoadedModel, graph: Graph) -> Tensor:
    return loaded.module(graph.species, graph.n_local, graph.edge_index, graph.edge_vec.to(loaded.dtype))


def exported_energies_and_forces(loaded: LoadedModel, atoms: Atoms) -> tuple[Tensor, Tensor]:
    graph = graph_of(loaded, atoms)
    edge_vec = graph.edge_vec.to(loaded.dtype).requires_grad_(True)
    energies = loaded.module(graph.species, graph.n_local, graph.edge_index, edge_vec)
    (gradient,) = torch.autograd.grad(energies.mean(0).sum(), edge_vec)
    gradient = gradient.double()
    forces = torch.zeros((len(atoms), 3), dtype=torch.float64)
    forces.index_add_(0, graph.edge_index[0], gradient).index_add_(0, graph.edge_index[1], -gradient)
    return energies.detach().double() + loaded.self_energies[graph.species], forces


@pytest.mark.parametrize("kernel", ["fused", "torchani"])
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_torchani(name: str, kernel: str, tmp_path: Path) -> None:
    case = CASES[name]
    if kernel == "fused" and not case.is_fused:
        pytest.skip("not covered: see test_what_the_fused_kernel_does_not_cover")
    model = case.build()
    expected_energies, expected_forces = torchani_energies_and_forces(model, case.atoms)
    assert expected_forces.abs().max() > 0.02
    path = export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64, kernel=kernel)
    energies, forces = exported_energies_and_forces(load_model(path), case.atoms)
    torch.testing.assert_close(energies, expected_energies, rtol=0, atol=DOUBLE)
    torch.testing.assert_close(forces, expected_forces, rtol=0, atol=DOUBLE)

    # float32 holds 7 digits; sums over 1e2 to 1e3 terms and a network lose two of them
    single = load_model(path, dtype=torch.float32)
    energies, forces = exported_energies_and_forces(single, case.atoms)
    interaction = (expected_energies - single.self_energies[graph_of(single, case.atoms).species]).abs().max()
    torch.testing.assert_close(energies, expected_energies, rtol=0, atol=1e-5 * float(interaction))
    torch.testing.assert_close(forces, expected_forces, rtol=0, atol=1e-4 * float(expected_forces.abs().max()))


@pytest.mark.parametrize("kernel", ["fused", "torchani"])
def test_forces_of_celu_are_slopes_of_the_energy(kernel: str, tmp_path: Path) -> None:
    """Differences of fourth order leave 1e-9 eV/Å, mostly rounding; by torch's slope of CELU forces are off by 1e-8."""
    path = export_ensemble(
        organic_ensemble(activation="celu"), tmp_path / "model.pt", dtype=torch.float64, kernel=kernel
    )
    loaded, atoms, step = load_model(path), molecule(periodic=False), 1e-4
    _, forces = exported_energies_and_forces(loaded, atoms)
    for seed in range(3):
        direction = np.random.default_rng(seed).normal(size=(len(atoms), 3))
        direction /= np.linalg.norm(direction)
        slope = 0.0
        for k, weight in {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}.items():
            moved = atoms.copy()
            moved.positions += k * step * direction
            slope += weight / step * energies_of(loaded, graph_of(loaded, moved)).detach().mean(0).sum().item()
        assert slope == pytest.approx(-float((forces.numpy() * direction).sum()), abs=4e-9)


class CallsCELU(torch.nn.Module):
    """An activation of a user's own, inside which export does not see a module to replace."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.celu(x, 0.1)


def with_activation(activation: torch.nn.Module) -> ANI:
    model = one_element_ensemble()
    for member in model.neural_networks.members:
        member.atomics["Al"].activation = activation
    return model


def test_celu_of_any_alpha(tmp_path: Path) -> None:
    """For 0.3 torch's slope is off by 4e-8."""
    model = with_activation(torch.nn.CELU(0.3))
    slow = with_activation(SlowCELU(0.3))
    expected_energies, expected_forces = torchani_energies_and_forces(slow, metal_bulk())
    for kernel in ("fused", "torchani"):
        path = export_ensemble(model, tmp_path / f"{kernel}.pt", dtype=torch.float64, kernel=kernel)
        energies, forces = exported_energies_and_forces(load_model(path), metal_bulk())
        torch.testing.assert_close(energies, expected_energies, rtol=0, atol=DOUBLE)
        torch.testing.assert_close(forces, expected_forces, rtol=0, atol=DOUBLE)


def test_a_celu_that_export_cannot_make_exact(tmp_path: Path) -> None:
    model = with_activation(CallsCELU())
    with pytest.warns(UserWarning, match="calls torch's celu.*torch.nn.CELU"):
        export_ensemble(model, tmp_path / "model.pt", kernel="torchani")


def test_celu_of_negative_alpha(tmp_path: Path) -> None:
    """torch takes it, the fused kernel does not."""
    with pytest.warns(UserWarning, match=r"CELU with alpha -0\.5, which is not positive"):
        path = export_ensemble(with_activation(torch.nn.CELU(-0.5)), tmp_path / "model.pt")
    assert load_model(path).metadata.kernel == "torchani"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("shared layers", "its networks are ANISharedNetworks"), ("one network for all", "its networks are SingleNN")],
)
def test_what_the_fused_kernel_does_not_cover(name: str, reason: str, tmp_path: Path) -> None:
    """It is written with TorchANI's modules, and one warning says so."""
    with pytest.warns(UserWarning, match=reason) as said:
        path = export_ensemble(CASES[name].build(), tmp_path / "model.pt")
    assert sum("the fused one does not support it" in str(one.message) for one in said) == 1
    assert load_model(path).metadata.kernel == "torchani"


@pytest.fixture(scope="module", params=["fused", "torchani"])
def organic(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path = tmp_path_factory.mktemp("organic") / "model.pt"
    return load_model(export_ensemble(organic_ensemble(), path, dtype=torch.float64, kernel=request.param))


@pytest.fixture(scope="module")
def metal(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path = tmp_path_factory.mktemp("metal") / "model.pt"
    return load_model(export_ensemble(one_element_ensemble(), path, dtype=torch.float64))


def test_centers_alone_have_energies(organic: LoadedModel) -> None:
    """The first centers with their edges, other atoms as neighbors only: what one MPI rank evaluates."""
    whole = graph_of(organic, molecule(periodic=True))
    kept = whole.edge_index[0] < 5
    part = Graph(whole.species, 5, whole.edge_index[:, kept], whole.edge_vec[kept])
    torch.testing.assert_close(energies_of(organic, part), energies_of(organic, whole)[:, :5], rtol=0, atol=1e-12)


def test_images_as_atoms_of_their_own(organic: LoadedModel) -> None:
    """Periodic images as ghosts, their gradient brought home: what LAMMPS does."""
    atoms = molecule(periodic=True)
    n_atoms = len(atoms)
    expected_energies, expected_forces = exported_energies_and_forces(organic, atoms)
    around = [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
    around.sort(key=lambda shift: shift != (0, 0, 0))  # the atoms themselves first
    images = np.concatenate([atoms.positions + np.array(shift) @ atoms.cell[:] for shift in around])
    centers = graph_of(organic, atoms).species
    cluster = neighbor_graph(images, np.zeros((3, 3)), False, centers.repeat(27), organic.metadata.cutoff)
    kept = cluster.edge_index[0] < n_atoms
    (center, neighbor), edge_vec = cluster.edge_index[:, kept], cluster.edge_vec[kept].requires_grad_(True)
    energies = organic.module(cluster.species, n_atoms, cluster.edge_index[:, kept], edge_vec)
    (gradient,) = torch.autograd.grad(energies.mean(0).sum(), edge_vec)
    forces = torch.zeros((n_atoms, 3), dtype=torch.float64)
    forces.index_add_(0, center, gradient).index_add_(0, neighbor % n_atoms, -gradient)
    assert (neighbor >= n_atoms).sum() > n_atoms
    torch.testing.assert_close(energies + organic.self_energies[centers], expected_energies, rtol=0, atol=DOUBLE)
    torch.testing.assert_close(forces, expected_forces, rtol=0, atol=DOUBLE)


def test_no_centers_among_atoms(organic: LoadedModel) -> None:
    """An empty subdomain that has ghosts."""
    no_edges = torch.zeros((2, 0), dtype=torch.int64), torch.zeros((0, 3), dtype=torch.float64)
    assert organic.module(torch.tensor([0, 1, 2]), 0, *no_edges).shape == (4, 0)


def test_a_neighbor_may_stand_twice_in_the_atoms(organic: LoadedModel) -> None:
    """Every edge with a neighbor of its own: what a tile of the pair style looks like."""
    whole = graph_of(organic, molecule(periodic=True))
    center, neighbor = whole.edge_index
    species = torch.cat((whole.species, whole.species[neighbor]))
    own = torch.stack((center, whole.n_local + torch.arange(len(center))))
    tile = Graph(species, whole.n_local, own, whole.edge_vec)
    torch.testing.assert_close(energies_of(organic, tile), energies_of(organic, whole), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_atoms", [0, 1, 2])
def test_small_neighborhoods(metal: LoadedModel, n_atoms: int) -> None:
    """No atom, one without neighbors, two with one each: the energy of an empty AEV is the network's at 0."""
    atoms = Atoms(f"Al{n_atoms}" if n_atoms else "", positions=2.5 * np.eye(3)[:n_atoms], pbc=False)
    graph = graph_of(metal, atoms)
    edge_vec = graph.edge_vec.requires_grad_(True)
    energies = metal.module(graph.species, graph.n_local, graph.edge_index, edge_vec)
    assert energies.shape == (3, n_atoms)
    (gradient,) = torch.autograd.grad(energies.sum(), edge_vec, allow_unused=True)
    assert gradient is None or bool(gradient.isfinite().all())
    if n_atoms:
        expected, _ = torchani_energies_and_forces(one_element_ensemble(), atoms)
        torch.testing.assert_close(energies + metal.self_energies, expected, rtol=0, atol=DOUBLE)


def test_merged_frames_do_not_see_each_other(organic: LoadedModel) -> None:
    graphs = [graph_of(organic, molecule(periodic=periodic)) for periodic in (True, False)]
    merged, _ = merge_graphs(graphs)
    expected = torch.cat([energies_of(organic, graph) for graph in graphs], 1)
    torch.testing.assert_close(energies_of(organic, merged), expected, rtol=0, atol=1e-12)


def test_invariances(organic: LoadedModel) -> None:
    atoms = molecule(periodic=False)
    energies, forces = exported_energies_and_forces(organic, atoms)
    turned = atoms.copy()
    turned.rotate(37.0, (1, 2, -1))
    turned.translate((3.0, -2.0, 1.0))
    rotation = Atoms("H", positions=[[1.0, 0, 0]])
    axes = []
    for axis in np.eye(3):
        rotation.positions = [axis]
        rotation.rotate(37.0, (1, 2, -1))
        axes.append(rotation.positions[0].copy())
    turned_energies, turned_forces = exported_energies_and_forces(organic, turned)
    torch.testing.assert_close(turned_energies, energies, rtol=0, atol=DOUBLE)
    torch.testing.assert_close(turned_forces, forces @ torch.tensor(np.array(axes)), rtol=0, atol=DOUBLE)

    order = np.random.default_rng(0).permutation(len(atoms))
    shuffled_energies, shuffled_forces = exported_energies_and_forces(organic, atoms[order])
    torch.testing.assert_close(shuffled_energies, energies[:, order], rtol=0, atol=DOUBLE)
    torch.testing.assert_close(shuffled_forces, forces[order], rtol=0, atol=DOUBLE)


def test_first_and_second_derivatives(organic: LoadedModel) -> None:
    """By finite differences of torch's own checks; the second ones are what training on forces needs."""
    atoms = Atoms("HCNO", positions=[[0, 0, 0], [1.1, 0.1, 0], [0.2, 1.2, 0.1], [0.9, 1.0, 1.1]], pbc=False)
    graph = graph_of(organic, atoms)

    def energy(edge_vec: Tensor) -> Tensor:
        return organic.module(graph.species, graph.n_local, graph.edge_index, edge_vec)

    edge_vec = graph.edge_vec.requires_grad_(True)
    assert torch.autograd.gradcheck(energy, edge_vec, eps=1e-6, atol=1e-5)
    if organic.metadata.kernel == "fused":
        with pytest.raises(RuntimeError, match="first derivatives only"):
            torch.autograd.grad(energy(edge_vec).sum(), edge_vec, create_graph=True)
        return
    assert torch.autograd.gradgradcheck(energy, edge_vec, eps=1e-6, atol=1e-3, rtol=1e-4)


def test_frozen_with_fewer_members(organic: LoadedModel, tmp_path: Path) -> None:
    """What the pair style does at load."""
    path = export_ensemble(organic_ensemble(), tmp_path / "model.pt", dtype=torch.float64)
    fewer = load_model(path, members=2)
    graph = graph_of(organic, molecule(periodic=True))
    edge_vec = graph.edge_vec.requires_grad_(True)
    expected = energies_of(organic, graph)[:2]
    (expected_gradient,) = torch.autograd.grad(expected.sum(), edge_vec)
    torch.testing.assert_close(energies_of(fewer, graph), expected, rtol=0, atol=1e-12)
    frozen = torch.jit.freeze(fewer.module)
    for _ in range(3):  # the profiling executor changes its graph after the first calls
        energies = frozen(graph.species, graph.n_local, graph.edge_index, edge_vec)
        torch.testing.assert_close(energies, expected, rtol=0, atol=1e-12)
        (gradient,) = torch.autograd.grad(energies.sum(), edge_vec)
        torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=DOUBLE)


def test_active_members_alone_are_exported(tmp_path: Path) -> None:
    model = organic_ensemble()
    model.set_active_members([3, 1])
    loaded = load_model(export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64))
    assert loaded.metadata.n_members == 2
    atoms = molecule(periodic=False)
    all_members, _ = torchani_energies_and_forces(organic_ensemble(), atoms)
    energies, _ = exported_energies_and_forces(loaded, atoms)
    torch.testing.assert_close(energies, all_members[[3, 1]], rtol=0, atol=DOUBLE)


def test_weights_of_float64_rounded_to_float32(tmp_path: Path) -> None:
    """Training in float64 gives weights that float32 cannot hold; the file must still pass its check in float64.

    The file's weights are the rounded ones: its energies, near 10 eV, differ from the model's by some 1e-7 of them.
    """
    model = one_element_ensemble().double()
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1e-3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    path = export_ensemble(model, tmp_path / "model.pt", dtype=torch.float32)
    expected, _ = torchani_energies_and_forces(model, metal_bulk())
    energies, _ = exported_energies_and_forces(load_model(path, dtype=torch.float64), metal_bulk())
    assert 1e-9 < (energies - expected).abs().max() < 1e-5


def test_energy_unit_and_self_energies(tmp_path: Path) -> None:
    atoms = metal_bulk()
    model = one_element_ensemble()
    expected, _ = torchani_energies_and_forces(model, atoms)
    in_ev = load_model(export_ensemble(model, tmp_path / "ev.pt", energy_unit="eV", dtype=torch.float64))
    energies, _ = exported_energies_and_forces(in_ev, atoms)
    torch.testing.assert_close(energies, expected / HARTREE_TO_EV, rtol=0, atol=DOUBLE)

    model.set_enabled("energy_shifter", False)
    bare = load_model(export_ensemble(model, tmp_path / "bare.pt", dtype=torch.float64))
    assert not bare.self_energies.any()
    energies, _ = exported_energies_and_forces(bare, atoms)
    torch.testing.assert_close(energies, expected + 38.0 * HARTREE_TO_EV, rtol=0, atol=DOUBLE)


def test_self_energies_stay_in_float64(tmp_path: Path) -> None:
    """In float32 they would be off by up to 6e-5 eV; a product in float64 is off by 1e-13 at most."""
    path = export_ensemble(one_element_ensemble(), tmp_path / "model.pt", dtype=torch.float32)
    for dtype in (torch.float32, torch.float64):
        loaded = load_model(path, dtype=dtype)
        assert loaded.dtype == dtype
        assert loaded.self_energies.dtype == torch.float64
        assert loaded.self_energies.item() == pytest.approx(-38.0 * HARTREE_TO_EV, abs=1e-12)
        assert loaded.module.weights.dtype == dtype
        assert not any(parameter.requires_grad for parameter in loaded.module.parameters())


def test_the_model_given_is_left_alone(tmp_path: Path) -> None:
    model = organic_ensemble()
    before = copy.deepcopy(model.state_dict())
    export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64)
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.training
