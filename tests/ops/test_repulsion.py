"""torch.ops.nnpal.repulsion against TorchANI's RepulsionXTB, and its derivative."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchani.potentials import RepulsionXTB
from torchani.units import ANGSTROM_TO_BOHR

from nnpal.model.ops import load_ops
from nnpal.model.repulsion import FusedRepulsion, Repulsion
from ops_structures import DTYPES, Structure, make_structure
from ops_twins import assert_repulsion_agrees, assert_room_gets_no_repulsion, cpu

load_ops()
SYMBOLS = ("H", "C", "N", "O")
SCALE = 27.2
RADIAL_CUTOFF = 5.1
POTENTIALS = {
    "smooth": RepulsionXTB(SYMBOLS, cutoff=5.2, cutoff_fn="smooth"),
    "cosine": RepulsionXTB(SYMBOLS, cutoff=4.0, cutoff_fn="cosine"),
    "none": RepulsionXTB(SYMBOLS),
    "exponents of one's own": RepulsionXTB(SYMBOLS, krep=1.7, krep_hydrogen=0.9, cutoff=3.0),
}
# float32: exponents near 10, whose rounding counts tenfold
RELATIVE = {"single": 2e-6, "double": 1e-12}


def case() -> Structure:
    return make_structure(n_atoms=24, n_elements=4, volume=9.0, seed=5, closest=0.8)


def largest(values: Tensor) -> float:
    return float(values.detach().abs().max())


def both(name: str, dtype: torch.dtype) -> tuple[torch.nn.Module, torch.nn.Module]:
    return tuple(kind(POTENTIALS[name], RADIAL_CUTOFF, SCALE).to(dtype) for kind in (FusedRepulsion, Repulsion))


@pytest.mark.parametrize("name", POTENTIALS)
def test_pairs_are_those_of_torchani(name: str) -> None:
    """Two atoms at every distance up to the cutoff, an edge in each direction; beyond it there is nothing."""
    fused, in_torch = both(name, torch.float64)
    numbers = torch.tensor([[1, 1], [1, 6], [8, 7], [6, 6]])
    species = torch.tensor([[0, 0], [0, 1], [3, 2], [1, 1]])
    edge_index = torch.tensor([[0, 1], [1, 0]])
    for r in (0.3, 0.74, 1.1, 2.0, 2.999, 3.9, 5.0, 5.15, 7.0):
        positions = torch.tensor([[[0.0, 0.0, 0.0], [0.6 * r, 0.0, 0.8 * r]]], dtype=torch.float64)
        vec = (positions[0, 1] - positions[0, 0]) * torch.tensor([[1.0], [-1.0]])
        for z, s in zip(numbers, species, strict=True):
            expected = SCALE * POTENTIALS[name].double()(z[None], positions) if r < fused.cutoff else torch.zeros(1)
            for module in (fused, in_torch):
                halves = module(s, 2, edge_index, vec)
                torch.testing.assert_close(halves.sum(), expected[0].double(), rtol=1e-12, atol=1e-300)
                assert halves[0] == halves[1]


def test_a_term_without_a_cutoff_ends_where_it_is_negligible() -> None:
    """At 5.1 Å hydrogen atoms have 1.9e-9 eV, all other pairs less than 1e-12 eV."""
    assert both("none", torch.float64)[0].cutoff == RADIAL_CUTOFF
    at_the_end = torch.tensor([[[0.0, 0.0, 0.0], [RADIAL_CUTOFF, 0.0, 0.0]]], dtype=torch.float64)
    assert 1.8e-9 < 27.2114 * POTENTIALS["none"].double()(torch.tensor([[1, 1]]), at_the_end).item() < 1.9e-9
    further = FusedRepulsion(POTENTIALS["none"], 3.0, SCALE)
    assert 5.0 < further.cutoff <= RADIAL_CUTOFF


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", POTENTIALS)
def test_energies_and_gradients_are_those_of_autograd(name: str, precision: str) -> None:
    fused, in_torch = both(name, DTYPES[precision])
    species, n_local, edge_index, edge_vec = case().inputs(DTYPES[precision])
    expected = in_torch(species, n_local, edge_index, edge_vec)
    (gradient,) = torch.autograd.grad(expected.sum(), edge_vec)
    energies, gradients = fused.energies_and_gradients(species, n_local, edge_index, edge_vec)
    tolerance = {"rtol": 0.0, "atol": RELATIVE[precision] * max(largest(expected), largest(gradient))}
    torch.testing.assert_close(energies, expected.detach(), **tolerance)
    torch.testing.assert_close(gradients, gradient, **tolerance)
    again = fused(species, n_local, edge_index, edge_vec)
    assert torch.equal(again, energies)
    share = torch.linspace(-1, 2, n_local, dtype=again.dtype)
    (by_autograd,) = torch.autograd.grad((share * again).sum(), edge_vec)
    (wanted,) = torch.autograd.grad((share * in_torch(species, n_local, edge_index, edge_vec)).sum(), edge_vec)
    torch.testing.assert_close(by_autograd, wanted, rtol=0.0, atol=2 * tolerance["atol"])


@pytest.mark.parametrize("name", POTENTIALS)
def test_gradients_are_differences_of_the_energies(name: str) -> None:
    fused, _ = both(name, torch.float64)
    species = torch.tensor([0, 0, 1, 3])
    edge_index = torch.tensor([[0, 0, 1, 2], [1, 2, 3, 0]])
    edge_vec = torch.tensor([[0.7, 0.1, 0.2], [0.5, -0.9, 0.4], [1.2, 0.9, 1.1], [2.0, 1.0, 1.4]], dtype=torch.float64)
    edge_vec.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda vec: fused(species, 3, edge_index, vec), edge_vec, atol=1e-7)


def test_no_edges_and_no_centers() -> None:
    fused, in_torch = both("smooth", torch.float64)
    species, none = torch.tensor([0, 1]), torch.zeros((2, 0), dtype=torch.long)
    for module in (fused, in_torch):
        vec = torch.zeros((0, 3), dtype=torch.float64, requires_grad=True)
        energies = module(species, 2, none, vec)
        assert torch.equal(energies, torch.zeros(2, dtype=torch.float64))
        assert torch.autograd.grad(energies.sum(), vec, materialize_grads=True)[0].shape == (0, 3)
        assert module(species, 0, none, vec).shape == (0,)
    assert fused.energies_and_gradients(species, 2, none, vec.detach())[1].shape == (0, 3)


def test_atoms_in_one_place() -> None:
    """The energy is TorchANI's at 1e-7 Å, and there is no force."""
    fused, in_torch = both("smooth", torch.float64)
    edge_index, vec = torch.tensor([[0, 1], [1, 0]]), torch.zeros((2, 3), dtype=torch.float64)
    energies, gradients = fused.energies_and_gradients(torch.tensor([0, 0]), 2, edge_index, vec)
    torch.testing.assert_close(energies, in_torch(torch.tensor([0, 0]), 2, edge_index, vec))
    assert 1e6 < energies[0] < 1e9
    assert torch.equal(gradients, vec)


def test_nan_comes_through() -> None:
    """A broken position must be seen, not hidden."""
    fused, _ = both("smooth", torch.float32)
    edge_index, vec = torch.tensor([[0, 1], [1, 0]]), torch.tensor([[1.0, 0.0, float("nan")], [1.0, 0.0, 0.0]])
    energies, gradients = fused.energies_and_gradients(torch.tensor([0, 0]), 2, edge_index, vec)
    assert energies.isnan().tolist() == [True, False]
    assert gradients[0].isnan().all()
    assert gradients[1].isfinite().all()


def test_room_gets_nothing() -> None:
    assert_room_gets_no_repulsion(cpu())


def test_any_order_of_edges() -> None:
    assert_repulsion_agrees(cpu())


def test_arguments_are_checked() -> None:
    tables = torch.ones((3, 2, 2), dtype=torch.float64)
    species, edge_index = torch.tensor([0, 1]), torch.tensor([[0], [1]])
    vec = torch.ones((1, 3), dtype=torch.float64)

    def call(species=species, edge_index=edge_index, tables=tables, cutoff=5.0, function="smooth", length=1.0):
        inputs = (species, 2, edge_index, vec, tables, cutoff, function, 1.0, length)
        return torch.ops.nnpal.repulsion_gradients(*inputs)

    assert call()[0][0] > 0
    for changed, message in (
        ({"tables": tables[:2]}, r"parameters have shape \[2, 2, 2\], expected \[3, n_elements, n_elements\]"),
        ({"tables": tables.float()}, "parameters are Float on cpu, edge_vec is Double"),
        ({"cutoff": 0.0}, "cutoff is 0, expected more than 0"),
        ({"cutoff": float("inf")}, "cutoff is inf"),
        ({"function": "step"}, "cutoff_function is 'step', expected cosine, smooth or none"),
        ({"length": 0.0}, "length_scale is 0, expected more than 0"),
        ({"species": torch.tensor([0, 2])}, r"species\[1\] is 2, expected 0 to 1"),
        ({"edge_index": torch.tensor([[2], [1]])}, r"edge_index\[0, 0\] is 2, expected 0 to 1"),
        ({"edge_index": torch.tensor([[0], [2]])}, r"edge_index\[1, 0\] is 2, expected 0 to 1"),
    ):
        with pytest.raises((ValueError, RuntimeError), match=message):
            call(**changed)


def test_the_unit_of_length_is_torchanis() -> None:
    assert FusedRepulsion(POTENTIALS["smooth"], RADIAL_CUTOFF, SCALE).length_scale == ANGSTROM_TO_BOHR
