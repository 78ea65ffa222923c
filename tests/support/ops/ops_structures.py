"""Random structures for tests of the operations, and TorchANI modules as references."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.geometry.neighbor_graph import Graph, neighbor_graph
from nnpal.model.aev import AEVS, AEVDescription
from nnpal.model.build import build_aev_computer, build_member
from nnpal.model.description import NetworkDescription
from nnpal.model.terms import AEVTerms, aev_terms
from nnpal.model.torchani_module import EnsembleModule

SYMBOLS = ("H", "C", "N", "O")
DTYPES = {"single": torch.float32, "double": torch.float64}


@dataclass(frozen=True)
class Structure:
    """A periodic structure or a cluster, with edges in another order than that of a neighbor search."""

    aev: AEVDescription
    n_elements: int
    graph: Graph

    @property
    def description(self) -> NetworkDescription:
        return NetworkDescription(SYMBOLS[: self.n_elements], hidden=(20, 12), aev=self.aev)

    @property
    def terms(self) -> AEVTerms:
        return aev_terms(build_aev_computer(self.description))

    def inputs(self, dtype: torch.dtype) -> tuple[Tensor, int, Tensor, Tensor]:
        graph = self.graph
        return graph.species, graph.n_local, graph.edge_index, graph.edge_vec.to(dtype).requires_grad_(True)

    def reference(self, members: list[ANINetworks], scale: float = 1.0) -> EnsembleModule:
        """Return TorchANI's AEVs and networks for edges, which must be sorted by center."""
        computer = build_aev_computer(self.description)
        return EnsembleModule(computer, list(members), torch.zeros(self.n_elements), scale)

    def sorted(self, inputs: tuple[Tensor, int, Tensor, Tensor]) -> tuple[Tensor, int, Tensor, Tensor]:
        """Return inputs with edges sorted by center, for the reference."""
        species, n_local, edge_index, edge_vec = inputs
        order = torch.argsort(edge_index[0], stable=True)
        return species, n_local, edge_index[:, order], edge_vec[order]

    def members(self, n: int, activation: str = "gelu") -> list[ANINetworks]:
        description = replace(self.description, activation=activation)
        return [build_member(description, seed) for seed in range(n)]


def make_structure(
    *,
    n_atoms: int,
    n_elements: int,
    volume: float,
    aev: str = "ani2x",
    cutoff_function: str = "cosine",
    periodic: bool = True,
    seed: int = 0,
    closest: float = 0.5,
) -> Structure:
    """Place atoms at random, none closer than ``closest`` (Å), ``volume`` Å³ per atom; fewer if they do not fit."""
    rng = np.random.default_rng(seed)
    positions, cell = place_atoms(rng, n_atoms, volume, periodic=periodic, closest=closest)
    species = rng.integers(0, n_elements, len(positions))
    description = replace(AEVS[aev], cutoff_function=cutoff_function)
    graph = neighbor_graph(positions, cell, periodic, species, description.radial_cutoff)
    order = torch.from_numpy(rng.permutation(len(graph.edge_vec)))
    graph = Graph(graph.species, graph.n_local, graph.edge_index[:, order], graph.edge_vec[order])
    return Structure(description, n_elements, graph)


def place_atoms(
    rng: np.random.Generator, n_atoms: int, volume: float, *, periodic: bool, closest: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and a triclinic cell, Å; see :func:`make_structure`."""
    edge = (max(n_atoms, 1) * volume) ** (1 / 3)
    cell = edge * np.array([[1, 0, 0], [0.2, 1, 0], [-0.1, 0.3, 1]])
    positions = np.zeros((0, 3))
    for candidate in rng.random((20 * n_atoms, 3)):
        shifts = candidate - positions
        shifts -= np.round(shifts) if periodic else 0
        if len(positions) < n_atoms and (np.linalg.norm(shifts @ cell, axis=1) > closest).all():
            positions = np.vstack((positions, candidate))
    return positions @ cell, cell


# From single atoms to the density of crystals, from elements of molecules to metals, every published AEV
structures = st.builds(
    make_structure,
    n_atoms=st.integers(0, 24),
    n_elements=st.integers(1, 4),
    volume=st.floats(6.0, 80.0),
    aev=st.sampled_from(sorted(AEVS)),
    cutoff_function=st.sampled_from(["cosine", "smooth"]),
    periodic=st.booleans(),
    seed=st.integers(0, 10_000),
)


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Require equality within ``tolerance``, relative to the largest magnitude, or to 1 if that is smaller."""
    assert found.shape == expected.shape
    if expected.numel():
        scale = max(1.0, float(expected.detach().abs().max()))
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * scale)
