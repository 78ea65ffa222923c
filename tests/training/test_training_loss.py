"""The loss against its formula by hand, and self-energies with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnpal.training import Errors, LossSettings, energy_force_loss, fit_self_energies
from nnpal.training.loss import Members, energy_force_losses

ENERGY = torch.tensor([2.0, -1.0])
FORCE = torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
N_ATOMS = torch.tensor([4, 1])
# the first configuration has 4 atoms, |ΔF|² = 9 + 9 + 1 + 4 = 23; the second one atom, 1
ENERGY_TERM = (4.0 / 2.0 + 1.0 / 1.0) / 2
FORCE_TERM = (23.0 / 4.0 + 1.0 / 1.0) / 2


def test_loss_is_equation_3_by_hand():
    loss = energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS), 0.1)
    assert loss.item() == pytest.approx(ENERGY_TERM + 0.1 * FORCE_TERM)
    assert LossSettings().force_weight == 0.1


def test_losses_of_several_members_are_those_of_each():
    """Equally large and not; without a stress, with one, and with one in a part of the configurations."""
    generator = torch.Generator().manual_seed(0)
    for sizes, n_data in (([2, 2, 2, 2], [2, 2]), ([2, 1, 3, 2], [1, 3]), ([1, 3, 2, 2], [2, 2])):
        n_atoms = torch.tensor(sizes)
        energy, force = torch.rand(4, generator=generator), torch.rand(sum(sizes), 3, generator=generator)
        virial = torch.rand(4, 3, 3, generator=generator)
        virial[:2] = torch.nan
        atoms = [int(part.sum()) for part in n_atoms.split(n_data)]
        options = {"stress_weight": 0.3, "huber_energy": 0.1, "huber_force": 0.2, "huber_stress": 0.1}
        found = energy_force_losses(Errors(energy, force, n_atoms, virial), Members(n_data, atoms), 0.1, **options)
        parts = (energy.split(n_data), force.split(atoms), n_atoms.split(n_data), virial.split(n_data))
        alone = [energy_force_loss(Errors(*own), 0.1, **options).item() for own in zip(*parts, strict=True)]
        assert found.tolist() == pytest.approx(alone, rel=1e-6)  # float32


def test_stresses_that_are_not_known_leave_no_trace_in_gradients():
    virial = torch.ones(2, 3, 3)
    virial[1] = torch.nan
    virial.requires_grad_(True)
    energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS, virial), 0.1, stress_weight=0.5).backward()
    assert torch.equal(virial.grad[1], torch.zeros(3, 3))
    assert virial.grad[0].numpy() == pytest.approx(np.full((3, 3), 0.5 * 2.0 / 4.0))


def test_stress_term_by_hand_counts_only_configurations_with_a_stress():
    virial = torch.full((2, 3, 3), torch.nan)
    virial[0] = torch.tensor([[1.0, 2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, -3.0]])  # squares: 1 + 4 + 4 + 9 = 18
    loss = energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS, virial), 0.1, stress_weight=0.5)
    assert loss.item() == pytest.approx(ENERGY_TERM + 0.1 * FORCE_TERM + 0.5 * 18.0 / 4.0)
    without = energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS, torch.full((2, 3, 3), torch.nan)), 0.1)
    assert without.item() == pytest.approx(ENERGY_TERM + 0.1 * FORCE_TERM)


def test_huber_is_the_square_within_and_its_tangent_beyond():
    wide = energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS), 0.1, huber_energy=10.0, huber_force=10.0)
    assert wide.item() == pytest.approx(ENERGY_TERM + 0.1 * FORCE_TERM)
    # energy beyond 0.25 eV/atom: 2 eV on 4 atoms -> 2*1*2 - 1 = 3; 1 eV on one -> 2*0.25*1 - 0.0625
    energy = (3.0 / 2.0 + 0.4375 / 1.0) / 2
    # components beyond 1.5 eV/Å: 2 -> 2*1.5*2 - 2.25 = 3.75, 3 -> 6.75
    force = ((1 + 3.75 + 3.75 + 6.75 + 1 + 3.75) / 4.0 + 1.0) / 2
    loss = energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS), 0.1, huber_energy=0.25, huber_force=1.5)
    assert loss.item() == pytest.approx(energy + 0.1 * force)


def test_huber_of_the_stress():
    virial = torch.full((2, 3, 3), torch.nan)
    virial[0] = torch.diag(torch.tensor([1.0, -6.0, 0.0]))  # on 4 atoms, beyond 0.5 eV/atom: 2*2*6 - 4 = 20
    options = {"stress_weight": 0.5, "huber_stress": 0.5}
    loss = energy_force_loss(Errors(ENERGY, FORCE, N_ATOMS, virial), 0.1, **options)
    assert loss.item() == pytest.approx(ENERGY_TERM + 0.1 * FORCE_TERM + 0.5 * (1.0 + 20.0) / 4.0)


def test_huber_has_no_kink():
    for x in (0.9999, 1.0001):
        error = torch.tensor([x], dtype=torch.float64, requires_grad=True)
        errors = Errors(error, torch.zeros(1, 3), torch.tensor([1]))
        (slope,) = torch.autograd.grad(energy_force_loss(errors, 0.0, huber_energy=1.0), error)
        assert slope.item() == pytest.approx(2.0, abs=3e-4)


def test_self_energies_are_exact_in_spite_of_outliers():
    rng = np.random.default_rng(0)
    composition = rng.integers(0, 9, size=(31, 3)).astype(float)
    truth = np.array([-3.4, -13.6, -2041.8])
    energies = composition @ truth
    energies[:10] += rng.uniform(5.0, 50.0, size=10)  # least squares would follow these
    assert fit_self_energies(composition, energies) == pytest.approx(truth, abs=1e-8)


def test_self_energy_of_one_element_is_the_median():
    composition, energies = np.full((5, 1), 4.0), np.array([-8.0, -4.0, -12.0, 400.0, -6.0])
    assert fit_self_energies(composition, energies) == pytest.approx([-6.0 / 4.0])


def test_self_energy_of_one_element_weighs_each_configuration_by_its_atoms():
    composition, energies = np.array([[1.0], [1.0], [5.0], [0.0]]), np.array([-1.0, -2.0, -15.0, 7.0])
    assert fit_self_energies(composition, energies) == pytest.approx([-3.0])  # the median without weights is -2
    even = fit_self_energies(np.full((4, 1), 2.0), np.array([2.0, 8.0, 4.0, 6.0]))
    assert even == pytest.approx([2.0])  # all between 2 and 3 are equally good


@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_no_self_energies_nearby_are_better(n_elements):
    rng = np.random.default_rng(n_elements)
    composition = rng.integers(1, 9, size=(40, n_elements)).astype(float)
    energies = composition @ rng.normal(size=n_elements) * 10 + rng.laplace(size=40)
    found = fit_self_energies(composition, energies)

    def deviation(values):
        return np.abs(energies - composition @ values).sum()

    for _ in range(50):
        assert deviation(found) <= deviation(found + rng.normal(0, 1e-3, n_elements)) + 1e-9


def test_self_energies_of_thousands_of_configurations():
    rng = np.random.default_rng(1)
    composition = np.stack([rng.integers(1, 9, 3000), rng.integers(1, 20, 3000)], axis=1).astype(float)
    energies = composition @ [-1030.0, -16.0] + rng.laplace(size=3000)
    found = fit_self_energies(composition, energies)
    # least absolute deviations are the maximum likelihood of Laplace noise: error about 1/(5 sqrt(3000)) eV
    assert found == pytest.approx([-1030.0, -16.0], abs=0.02)


def test_elements_in_a_fixed_ratio_share_what_cannot_be_told_apart():
    """Water molecules alone: only 2 ε_H + ε_O is known."""
    composition = np.array([[2.0, 1.0], [4.0, 2.0], [6.0, 3.0]])
    energies = composition @ [-13.0, -2000.0]
    found = fit_self_energies(composition, energies)
    assert composition @ found == pytest.approx(energies)


def test_self_energies_name_bad_input():
    with pytest.raises(ValueError, match="no configuration holds element"):
        fit_self_energies(np.array([[1.0, 0.0]]), np.array([1.0]))
    with pytest.raises(ValueError, match="shape"):
        fit_self_energies(np.ones((2, 1)), np.ones(3))
