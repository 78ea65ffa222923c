"""Models from a description: sizes, seeds, units."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torchani.aev import ANIAngular, ANIRadial
from torchani.units import HARTREE_TO_EV

from nnpal.model.aev import AEVS, AEVDescription
from nnpal.model.build import build_aev_computer, build_member, build_model
from nnpal.model.celu import ExactCELU
from nnpal.model.description import NetworkDescription
from nnpal.model.schnet import SchNetDescription
from nnpal.model.settings import NetworkSettings


def test_default_aev_is_that_of_the_seeds():
    aev = AEVDescription()
    computer = build_aev_computer(NetworkDescription(("Al",)))
    assert computer.out_dim == 54
    assert len(aev.radial_shifts) == 22
    assert aev.radial_shifts[14] == pytest.approx(1.06875 + 14 * 0.26875)
    assert aev.radial_shifts[15] == pytest.approx(5.10)
    assert aev.radial_shifts[21] == pytest.approx(6.72)
    assert aev.angular_shifts[-1] == pytest.approx(3.1625)
    assert aev.angular_sections == pytest.approx([math.pi / 8 + k * math.pi / 4 for k in range(4)])
    assert (computer.radial.cutoff, computer.angular.cutoff) == (6.9, 3.5)


@pytest.mark.parametrize(("n_elements", "length"), [(1, 54), (2, 2 * 22 + 3 * 32), (4, 4 * 22 + 10 * 32)])
def test_aev_length_of_several_elements(n_elements, length):
    description = NetworkDescription(("Al", "Ni", "Nb", "H")[:n_elements])
    assert build_aev_computer(description).out_dim == length


def test_member_has_the_layers_and_biases_asked_for():
    network = build_member(NetworkDescription(("Al",)), seed=0)["Al"]
    layers = [*network.layers, network.final_layer]
    assert [layer.in_features for layer in layers] == [54, 224, 192, 160]
    assert layers[-1].out_features == 1
    assert all(layer.bias is not None for layer in layers)
    without = build_member(NetworkDescription(("Al",), bias=False), seed=0)["Al"]
    assert all(layer.bias is None for layer in [*without.layers, without.final_layer])


def test_seed_fixes_the_weights_and_leaves_the_global_generator_alone():
    description = NetworkDescription(("Al", "Ni"), hidden=(8,))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (build_member(description, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not any(torch.equal(a, c) for a, _, c in pairs)
    layer = first["Ni"].layers[0]
    bound = layer.in_features**-0.5
    assert 0.9 * bound < layer.weight.abs().max() <= bound  # the largest of a thousand uniform numbers


def test_members_built_in_many_threads_are_those_of_one():
    description = NetworkDescription(("Al",), hidden=(64, 64))
    expected = [build_member(description, seed).state_dict() for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            members = pool.map(lambda seed: build_member(description, seed), range(8))
            for member, weights in zip(members, expected, strict=True):
                assert all(torch.equal(value, weights[name]) for name, value in member.state_dict().items())


def test_model_in_hartree_is_the_mean_of_members_in_ev():
    description = NetworkDescription(("H", "O"), hidden=(16, 8))
    members = [build_member(description, seed).double() for seed in (3, 4)]
    before = [parameter.clone() for member in members for parameter in member.parameters()]
    model = build_model(description, members, [-13.6, -2041.8]).double()

    positions = torch.tensor([[[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]], dtype=torch.float64)
    energy = model((torch.tensor([[8, 1, 1]]), positions)).energies.item() * HARTREE_TO_EV
    elements = torch.tensor([[1, 0, 0]])
    aev = build_aev_computer(description).double()(elements, positions)
    expected = sum(member(elements, aev).item() for member in members) / 2 + 2 * -13.6 - 2041.8
    # float64 through a sum of 2000 eV: 1e-16 * 2000 with room for a few operations
    assert energy == pytest.approx(expected, abs=1e-10)
    after = [parameter for member in members for parameter in member.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("symbols", [(), ("Al", "Al")])
def test_symbols_must_be_distinct_and_present(symbols):
    with pytest.raises(ValueError, match="each once"):
        NetworkDescription(symbols)


def test_model_needs_a_member():
    with pytest.raises(ValueError, match="members is empty"):
        build_model(NetworkDescription(("Al",)), [], [0.0])


@pytest.mark.parametrize(
    ("name", "radial", "angular"),
    [
        ("ani1x", ANIRadial.like_1x(), ANIAngular.like_1x()),
        ("ani2x", ANIRadial.like_2x(), ANIAngular.like_2x()),
    ],
)
def test_named_aevs_are_torchanis(name, radial, angular):
    computer = build_aev_computer(NetworkDescription(("H", "C"), aev=AEVS[name]))
    for ours, theirs in ((computer.radial, radial), (computer.angular, angular)):
        buffers = dict(theirs.named_buffers())
        assert {"eta", "shifts"} <= set(buffers)
        assert all(torch.equal(buffer, buffers[key]) for key, buffer in ours.named_buffers())
        assert (ours.cutoff, ours.num_feats) == (theirs.cutoff, theirs.num_feats)


def test_layers_by_element():
    settings = NetworkSettings(aev="ani2x", hidden="ani2x")
    network = build_member(settings.description(["C", "H"]), seed=0)
    assert list(network.atomics) == ["H", "C"]
    assert [layer.out_features for layer in network["H"].layers] == [256, 192, 160]
    assert [layer.out_features for layer in network["C"].layers] == [224, 192, 160]
    with pytest.raises(ValueError, match="no layers for \\['Al'\\]"):
        settings.description(["Al"])


def test_elements_of_the_section():
    assert NetworkSettings().description(["O", "H", "O"]).symbols == ("H", "O")
    assert NetworkSettings(elements=("O", "H")).description(["H"]).symbols == ("O", "H")
    with pytest.raises(ValueError, match="the data also contain \\['C'\\]"):
        NetworkSettings(elements=("O", "H")).description(["H", "C"])
    with pytest.raises(ValueError, match="Xx is not a chemical element"):
        NetworkSettings(elements=("Xx",))


def test_kinds_of_network():
    """Defaults of [network] are those of the descriptions, and its dump holds the keys of its kind alone."""
    assert NetworkSettings().description(["O", "H"]) == NetworkDescription(("H", "O"), aev=AEVS["ani2x-6.9"])
    assert NetworkSettings(kind="schnet").description(["O", "H"]) == SchNetDescription(("H", "O"))
    settings = NetworkSettings(kind="schnet", features=32, interactions=2, gaussians=16, cutoff=4.0)
    description = settings.description(["O", "H"])
    assert description == SchNetDescription(("H", "O"), 32, 2, 16, 4.0)
    assert (description.kind, NetworkSettings().description(["H"]).kind) == ("schnet", "ani")
    for given in (settings, NetworkSettings(hidden=(8,))):
        dumped = given.model_dump(mode="json")
        assert NetworkSettings.model_validate_json(json.dumps(dumped)) == given
    assert "hidden" not in settings.model_dump()
    # what runs of earlier versions have recorded
    assert set(NetworkSettings().model_dump()) == {"elements", "aev", "hidden", "activation", "bias"}
    with pytest.raises(ValueError, match="the data also contain \\['C'\\]"):
        NetworkSettings(kind="schnet", elements=("O", "H")).description(["H", "C"])
    with pytest.raises(ValueError, match=r"interactions\n.*less than or equal to 16"):
        NetworkSettings(kind="schnet", interactions=17)  # no model file would hold it


@pytest.mark.parametrize("alpha", [0.1, 0.3, 1.0, 2.7])
def test_celu_and_its_slopes_are_exact_in_double_precision(alpha):
    """Against 18 digits and more; 2e-16 are a rounding or two. torch's own slope is off by 4e-8 for 0.3."""
    x = torch.cat((torch.linspace(-4, 4, 4001, dtype=torch.float64), torch.tensor([-1e-12, 0.0, 1e-12]).double()))
    x.requires_grad_(True)
    wide = x.detach().numpy().astype(np.longdouble)
    power = np.exp(np.minimum(wide, 0) / np.longdouble(alpha))
    expected = (
        np.where(wide > 0, wide, np.longdouble(alpha) * np.expm1(np.minimum(wide, 0) / np.longdouble(alpha))),
        power,
        np.where(wide > 0, 0, power / np.longdouble(alpha)),
    )
    for celu in (ExactCELU(alpha), torch.jit.script(ExactCELU(alpha))):
        value = celu(x)
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), x)
        for found, wanted in zip((value, slope, curvature), expected, strict=True):
            error = np.abs(found.detach().numpy() - wanted)[wide != 0]  # at 0 there is no second derivative
            assert error.max() < 3e-16 * max(1.0, float(np.abs(wanted).max()))


def test_celu_of_single_precision_is_torchs():
    """To the last bit, so that trainings in single precision go on as they began."""
    found = torch.randn(10_000, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    expected = found.detach().clone().requires_grad_(True)
    ours, torchs = ExactCELU(0.1)(found), torch.nn.functional.celu(expected, 0.1)
    assert torch.equal(ours, torchs)
    assert torch.equal(torch.autograd.grad(ours.sum(), found)[0], torch.autograd.grad(torchs.sum(), expected)[0])


def test_members_with_celu_have_its_exact_slope():
    network = build_member(NetworkDescription(("H", "O"), hidden=(8, 8), activation="celu"), seed=0)["O"].double()
    assert isinstance(network.activation, ExactCELU)
    assert network.activation.alpha == 0.1  # TorchANI's
    assert not isinstance(build_member(NetworkDescription(("H",)), seed=0)["H"].activation, ExactCELU)
