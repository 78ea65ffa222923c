"""SchNet against its formulas written out, its derivatives, its invariances, and on parts of a graph."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.schnet import SchNet, SchNetDescription, build_schnet
from schnet_cases import SMALL, chain, cluster_graph, energies_and_gradient, network

ROUNDING = 1e-12
"""Of energies near 1 eV: sums of some hundred terms of double precision in another order."""


def written_out(member: SchNet, positions: np.ndarray, species: np.ndarray) -> np.ndarray:
    """Return the energies of all atoms by the formulas of doi:10.1063/1.5019779, atom by atom and pair by pair."""
    weights = {name: parameter.detach().numpy() for name, parameter in member.named_parameters()}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0.0)

    def ssp(x: np.ndarray) -> np.ndarray:
        return np.log(0.5 * np.exp(x) + 0.5)

    centers = np.linspace(0.0, SMALL.cutoff, SMALL.gaussians)
    gamma = 0.5 / (centers[1] - centers[0]) ** 2
    x = [weights["embedding.weight"][element] for element in species]
    for t in range(SMALL.interactions):
        name, updated = f"interactions.{t}", []
        for i in range(len(x)):
            received = np.zeros(SMALL.features)
            for j in range(len(x)):
                r = float(np.linalg.norm(positions[j] - positions[i]))
                if j != i and r < SMALL.cutoff:
                    filters = linear(f"{name}.filters.0", np.exp(-gamma * (r - centers) ** 2))
                    filters = linear(f"{name}.filters.2", ssp(filters))
                    cutoff = 0.5 * (1 + np.cos(np.pi * r / SMALL.cutoff))
                    received += linear(f"{name}.neighbors", x[j]) * filters * cutoff
            updated.append(x[i] + linear(f"{name}.update.2", ssp(linear(f"{name}.update.0", received))))
        x = updated
    return np.array([linear("head.2", ssp(linear("head.0", own)))[0] for own in x])


def test_energies_are_those_of_the_formulas() -> None:
    member, (positions, species) = network(), chain()
    energies, _ = energies_and_gradient(member, cluster_graph(positions, species))
    assert energies.std() > 0.01, "atoms that are all alike tell nothing"
    np.testing.assert_allclose(energies, written_out(member, positions, species), rtol=0, atol=ROUNDING)


def test_slopes_and_their_slopes_are_those_of_the_energy() -> None:
    """First derivatives in edge vectors and, for training by forces, second ones in vectors and weights."""
    member, graph = network(), cluster_graph(*chain(6))
    edge_vec = graph.edge_vec.clone().requires_grad_(True)
    weight = member.interactions[0].filters[0].weight

    def energy(vectors: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        inputs = (graph.species, graph.n_local, graph.edge_index, vectors)
        return torch.func.functional_call(member, {"interactions.0.filters.0.weight": first}, inputs).sum()

    assert torch.autograd.gradcheck(energy, (edge_vec, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(energy, (edge_vec, weight), fast_mode=True)


@pytest.mark.parametrize("n_local", [1, 2, 23])
def test_centers_need_no_more_than_the_edges_within_their_reach(n_local: int) -> None:
    """Energies and gradients of some centers: all edges, or those of atoms within interactions - 1 neighbor steps."""
    member, whole = network(), cluster_graph(*chain())
    edge_vec = whole.edge_vec.clone().requires_grad_(True)
    energies = member(whole.species, whole.n_local, whole.edge_index, edge_vec)[:n_local]
    (gradient,) = torch.autograd.grad(energies.sum(), edge_vec)
    reached = torch.arange(len(whole.species)) < n_local
    for _ in range(SMALL.interactions - 1):
        reached[whole.edge_index[1, reached[whole.edge_index[0]]]] = True
    kept = reached[whole.edge_index[0]]
    assert n_local == 23 or not reached.all()
    assert n_local == 23 or not reached.equal(reached.sort(descending=True).values), "atoms that are left out come last"
    part = Graph(whole.species, n_local, whole.edge_index[:, kept], whole.edge_vec[kept])
    for own in (part, dataclasses.replace(whole, n_local=n_local)):
        found, slope = energies_and_gradient(member, own)
        torch.testing.assert_close(found, energies.detach(), rtol=0, atol=ROUNDING)
        expected = gradient[kept] if own is part else gradient
        torch.testing.assert_close(slope, expected, rtol=0, atol=ROUNDING)
    assert not gradient[~kept].any()


def test_one_interaction_takes_edges_of_centers_alone() -> None:
    one = dataclasses.replace(SMALL, interactions=1)
    member, whole = network(description=one), cluster_graph(*chain())
    of_centers = whole.edge_index[0] < 3
    part = Graph(whole.species, 3, whole.edge_index[:, of_centers], whole.edge_vec[of_centers])
    found, _ = energies_and_gradient(member, part)
    torch.testing.assert_close(found, energies_and_gradient(member, whole)[0][:3], rtol=0, atol=ROUNDING)


def test_rotations_reflections_and_the_order_of_atoms_change_nothing() -> None:
    member, (positions, species) = network(), chain()
    energies, _ = energies_and_gradient(member, cluster_graph(positions, species))
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    for turned in (rotation, -rotation):
        found, _ = energies_and_gradient(member, cluster_graph(positions @ turned.T + 5.0, species))
        np.testing.assert_allclose(found, energies, rtol=0, atol=ROUNDING)
    order = np.random.default_rng(1).permutation(len(species))
    found, _ = energies_and_gradient(member, cluster_graph(positions[order], species[order]))
    np.testing.assert_allclose(found, energies[order], rtol=0, atol=ROUNDING)


def test_a_scripted_network_is_the_same() -> None:
    member = network()
    scripted = torch.jit.script(member)
    for graph in (cluster_graph(*chain()), dataclasses.replace(cluster_graph(*chain()), n_local=2)):
        for found, expected in zip(
            energies_and_gradient(scripted, graph), energies_and_gradient(member, graph), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_atoms_without_neighbors(dtype: torch.dtype) -> None:
    """An atom alone has an energy of its element, whatever other atoms there are, and no slope."""
    member = network().to(dtype)
    graph = cluster_graph(np.array([[0.0, 0, 0], [9.0, 0, 0], [18.0, 0, 0]]), np.array([0, 1, 0]))
    assert graph.edge_index.shape == (2, 0)
    empty = dataclasses.replace(graph, edge_vec=graph.edge_vec.to(dtype))
    for own in (member, torch.jit.script(member)):
        energies, gradient = energies_and_gradient(own, empty)
        assert energies.dtype == dtype
        torch.testing.assert_close(energies[0], energies[2])
        assert (energies[0] - energies[1]).abs() > 0.01
        assert gradient.shape == (0, 3)
        torch.testing.assert_close(energies_and_gradient(own, dataclasses.replace(empty, n_local=1))[0], energies[:1])


def test_a_pair_ends_at_the_cutoff_with_its_slope() -> None:
    """The cutoff function and its first derivative are 0 there: energies differ by the square of the distance to it."""
    member, edge = network(), torch.tensor([[0, 1], [1, 0]])
    apart, _ = energies_and_gradient(member, cluster_graph(np.array([[0.0, 0, 0], [9.0, 0, 0]]), np.array([0, 1])))

    def pair(distance: float) -> tuple[torch.Tensor, torch.Tensor]:
        vector = torch.tensor([[distance, 0.0, 0.0], [-distance, 0.0, 0.0]], dtype=torch.float64)
        return energies_and_gradient(member, Graph(torch.tensor([0, 1]), 2, edge, vector))

    near, nearer = ((pair(SMALL.cutoff - d)[0] - apart).abs().max() for d in (1e-4, 1e-2))
    assert 0 < near < 1e-3 * nearer
    assert pair(SMALL.cutoff - 1e-4)[1].abs().max() < 1e-2 * pair(SMALL.cutoff - 1e-1)[1].abs().max()


def test_weights_are_those_of_the_seed_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = build_schnet(SMALL, 5), build_schnet(SMALL, 5), build_schnet(SMALL, 6)
    assert torch.equal(torch.get_rng_state(), before), "torch's own generator is left alone"
    weights = [torch.cat([p.detach().flatten() for p in m.parameters()]) for m in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not any(p.any() for name, p in one.named_parameters() if name.endswith("bias"))


def test_weights_have_the_width_of_glorot() -> None:
    """Uniform within ±√(6 / (n_in + n_out)): 4,096 numbers come within 1 % of the bound, their variance within 10 %."""
    first = build_schnet(SchNetDescription(("H", "C", "O")), 0).interactions[1].filters[2].weight.detach()
    bound = (6 / 128) ** 0.5
    assert 0.99 * bound < first.abs().max() <= bound
    assert float(first.var()) == pytest.approx(bound**2 / 3, rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbols": ("H", "H")}, "symbols are"),
        ({"symbols": ()}, "symbols are"),
        ({"features": 1}, "features is 1, expected a whole number from 2 up"),
        ({"interactions": 0}, "interactions is 0, expected a whole number from 1 up"),
        ({"interactions": 2.0}, r"interactions is 2\.0"),
        ({"gaussians": 1}, "gaussians is 1, expected a whole number from 2 up"),
        ({"cutoff": 0.0}, r"cutoff is 0\.0, expected a length above 0"),
        ({"cutoff": float("inf")}, "cutoff is inf"),
    ],
)
def test_descriptions_out_of_range(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **change)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same() -> None:
    """Double precision; sums over edges have no fixed order there: 1e-11 of energies near 1 eV."""
    member, whole = network(), cluster_graph(*chain())
    scripted = torch.jit.script(network().cuda())
    for graph in (whole, dataclasses.replace(whole, n_local=2)):
        moved = Graph(graph.species.cuda(), graph.n_local, graph.edge_index.cuda(), graph.edge_vec.cuda())
        for found, expected in zip(
            energies_and_gradient(scripted, moved), energies_and_gradient(member, graph), strict=True
        ):
            torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-11)
