"""SchNet against torch-geometric's with the same weights; runs where that package is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from ase.build import molecule

from nnpal.geometry.neighbor_graph import atoms_graph
from nnpal.model.schnet import SchNetDescription
from schnet_cases import network

pytest.importorskip("torch_geometric", reason="pip install torch-geometric")
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch-geometric on import

DESCRIPTION = SchNetDescription(("H", "C", "O"), features=32, interactions=3, gaussians=20, cutoff=3.0)
NAMES = {
    "lin1": "head.0",
    "lin2": "head.2",
    "mlp.0": "filters.0",
    "mlp.2": "filters.2",
    "conv.lin1": "neighbors",
    "conv.lin2": "update.0",
    "lin": "update.2",
}


@pytest.fixture
def _double() -> Iterator[None]:
    """Make the other's constants, the Gaussians' centers and ln 2, double precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("_double")
def test_energies_and_forces_are_those_of_torch_geometric() -> None:
    """Double precision throughout: 1e-10 of numbers near 1 eV and 1 eV/Å."""
    from torch_geometric.nn.models import SchNet

    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=2)
    graph = atoms_graph(atoms, DESCRIPTION.symbols, DESCRIPTION.cutoff, model="test")
    center, neighbor = graph.edge_index

    def edges(positions: torch.Tensor, _batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.stack((neighbor, center)), (positions[neighbor] - positions[center]).norm(dim=-1)

    member = network(description=DESCRIPTION)
    other = SchNet(
        hidden_channels=DESCRIPTION.features,
        num_filters=DESCRIPTION.features,
        num_interactions=DESCRIPTION.interactions,
        num_gaussians=DESCRIPTION.gaussians,
        cutoff=DESCRIPTION.cutoff,
        interaction_graph=edges,
    )
    ours = member.state_dict()
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            if name == "embedding.weight":
                parameter[torch.tensor([1, 6, 8])] = ours[name]
                continue
            block, _, part = name.rpartition(".")
            prefix = ".".join(block.split(".")[:2]) + "." if block.startswith("interactions.") else ""
            parameter.copy_(ours[f"{prefix}{NAMES[block.removeprefix(prefix)]}.{part}"])

    found_at, expected_at = (torch.tensor(atoms.positions, requires_grad=True) for _ in range(2))
    found = member(graph.species, graph.n_local, graph.edge_index, found_at[neighbor] - found_at[center]).sum()
    expected = other(torch.tensor(atoms.numbers), expected_at).sum()
    assert float((found - expected).detach().abs()) < 1e-10
    slopes = [torch.autograd.grad(energy, at)[0] for energy, at in ((found, found_at), (expected, expected_at))]
    assert slopes[1].abs().max() > 0.01
    assert float((slopes[0] - slopes[1]).abs().max()) < 1e-10
