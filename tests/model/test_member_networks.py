"""Members read back from model files and TorchANI models: the same functions, in eV, whole or of some elements."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from torchani.nn import AtomicNetwork
from torchani.units import HARTREE_TO_EV

from ensembles import one_element_ensemble, organic_ensemble, published_ensemble
from nnpal.geometry.neighbor_graph import atoms_graph
from nnpal.model import export_ensemble
from nnpal.model.build import build_aev_computer, build_model
from nnpal.model.description import HIDDEN
from nnpal.model.member_networks import NotMembersError, networks_of_model, read_networks
from nnpal.model.torchani_module import EnsembleModule

ETHANOL_LIKE = Atoms("COHHCH", np.random.default_rng(5).uniform(0, 4, (6, 3)))


def energies(members, atoms):
    """Return the members' energies of atoms, eV, by TorchANI's modules in double precision."""
    description = members.description
    nothing = torch.zeros(len(description.symbols), dtype=torch.float64)
    module = EnsembleModule(build_aev_computer(description), list(members.networks), nothing, 1.0).double()
    graph = atoms_graph(atoms, description.symbols, description.aev.radial_cutoff, model="test")
    with torch.no_grad():
        return module(graph.species, graph.n_local, graph.edge_index, graph.edge_vec.double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", ["fused", "torchani"])
@pytest.mark.parametrize("activation", ["gelu", "celu"])
def test_a_model_file_gives_back_every_weight(tmp_path, activation, kernel, dtype):
    model = organic_ensemble(("H", "C", "O"), 2, activation=activation).to(dtype)
    path = export_ensemble(model, tmp_path / "model.nnp.pt", kernel=kernel, dtype=dtype)
    found, expected = read_networks(path), networks_of_model(model)
    assert found.description == expected.description
    assert found.description.hidden == {"H": (24, 16), "C": (32, 16), "O": (40, 16)}
    assert len(found.networks) == 2
    for one, other in zip(found.networks, expected.networks, strict=True):
        assert all(map(torch.equal, one.parameters(), other.parameters()))


def test_networks_of_a_model_give_its_energies_in_ev():
    model = organic_ensemble(("H", "C", "O"), 2).double()
    found = networks_of_model(model)
    index = torch.tensor([[("H", "C", "O").index(symbol) for symbol in ETHANOL_LIKE.get_chemical_symbols()]])
    with torch.no_grad():
        aev = model.aev_computer(index, torch.tensor(ETHANOL_LIKE.positions)[None])
        expected = torch.stack([member(index, aev, atomic=True)[0] for member in model.neural_networks.members])
    # rounding of sums in float64
    assert torch.allclose(energies(found, ETHANOL_LIKE), HARTREE_TO_EV * expected, rtol=1e-11, atol=1e-11)


def test_the_published_architecture_is_known():
    found = networks_of_model(published_ensemble("ANI2x"))
    assert len(found.networks) == 8
    assert found.description.symbols == ("H", "C", "N", "O", "S", "F", "Cl")
    assert found.description.hidden == HIDDEN["ani2x"]
    assert (found.description.activation, found.description.bias) == ("celu", True)
    assert all(parameter.requires_grad for parameter in found.networks[0].parameters())


@pytest.mark.parametrize("symbols", [("O", "H", "C"), ("C", "O", "H")])
def test_fewer_elements_in_another_order_leave_energies_as_they_are(symbols):
    whole = networks_of_model(organic_ensemble(("H", "C", "N", "O"), 2))
    some = whole.of_elements(symbols)
    assert some.description.symbols == symbols
    assert some.description.hidden == {symbol: whole.description.hidden_of(symbol) for symbol in symbols}
    before, after = energies(whole, ETHANOL_LIKE), energies(some, ETHANOL_LIKE)
    assert before.abs().max() > 1e-2
    assert torch.allclose(before, after, rtol=1e-11, atol=1e-11)


def test_an_element_without_a_network_is_named():
    with pytest.raises(ValueError, match=r"networks for \['H', 'C'\], none for \['Si'\]"):
        networks_of_model(organic_ensemble(("H", "C"), 1)).of_elements(("H", "Si"))


def test_networks_without_biases_stay_without():
    model = organic_ensemble(("H", "C"), 1)
    for symbol, network in model.neural_networks.members[0].atomics.items():
        layers = (network.layers[0].in_features, network.layers[0].out_features, 16, 1)
        model.neural_networks.members[0].atomics[symbol] = AtomicNetwork(layers, activation="gelu", bias=False)
    found = networks_of_model(model)
    assert not found.description.bias
    assert build_model(found.description, found.networks, [0.0, 0.0])


def test_a_file_of_biasless_networks_is_read_as_such(tmp_path):
    model = organic_ensemble(("H",), 1)
    network = model.neural_networks.members[0].atomics["H"]
    layers = (network.layers[0].in_features, 8, 1)
    model.neural_networks.members[0].atomics["H"] = AtomicNetwork(layers, activation="gelu", bias=False)
    for kernel in ("fused", "torchani"):
        found = read_networks(export_ensemble(model, tmp_path / f"{kernel}.pt", kernel=kernel))
        assert (found.description.bias, found.description.hidden) == (False, (8,))


class Softplus(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.softplus(x)


@pytest.mark.parametrize("change", ["activation", "alpha"])
def test_networks_that_nnpal_does_not_train_are_refused(tmp_path, change):
    model = one_element_ensemble("Al", 1)
    own = Softplus() if change == "activation" else torch.nn.CELU(0.5)
    model.neural_networks.members[0].atomics["Al"].activation = own
    expected = "Softplus" if change == "activation" else r"CELU has alpha 0\.5, expected 0\.1"
    with pytest.raises(NotMembersError, match=expected):
        networks_of_model(model)
    path = export_ensemble(model, tmp_path / "m.nnp.pt", kernel="torchani")
    with pytest.raises(NotMembersError, match=rf"m\.nnp\.pt: its networks \(kernel 'torchani'\).*{expected}"):
        read_networks(path)
