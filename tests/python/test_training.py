"""Loss, self-energies, splits, features, and members trained on configurations of the embedded-atom potential."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from torchani.units import HARTREE_TO_EV

from nnpal.calculator import NNPCalculator
from nnpal.export import export_ensemble
from nnpal.networks import NetworkDescription, build_aev_computer, build_member, build_model
from nnpal.sampling import Schedule, eam_potential, sample_crystal, sample_liquid
from nnpal.training import (
    TrainingSettings,
    build_dataset,
    content_hash,
    energy_force_loss,
    fit_self_energies,
    random_split,
    train_ensemble,
    train_member,
)
from nnpal.training.dataset import frame_graph
from nnpal.training.features import check_memory, compute_features
from nnpal.training.member import batch_loss, evaluate_loss, predict

DESCRIPTION = NetworkDescription(("Al",), hidden=(32, 24))
SETTINGS = TrainingSettings(batch_size=4, max_epochs=8, learning_rate=3e-3, force_weight=1.0, plateau_patience=1)


@pytest.fixture(scope="module")
def frames():
    """Forty labelled configurations of 32 Al atoms, solid and liquid."""
    common = {"potential": eam_potential(), "pressure": 0.0, "schedule": Schedule(20, 20, 500)}
    solid = sample_crystal("Al", 4.05, 2, temperature=600.0, seed=1, **common)
    return solid + sample_liquid("Al", 4.05, 2, temperature=1500.0, seed=2, n_melt=500, **common)


@pytest.fixture(scope="module")
def dataset(frames):
    return build_dataset(frames, DESCRIPTION)


def test_loss_is_equation_3_by_hand():
    energy_error = torch.tensor([2.0, -1.0])
    force_error = torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    # the first configuration has 4 atoms, |ΔF|² = 9 + 9 + 1 + 4 = 23; the second one atom, 1
    by_hand = (4.0 / 2.0 + 1.0 / 1.0) / 2 + 0.1 / 2 * (23.0 / 4.0 + 1.0 / 1.0)
    loss = energy_force_loss(energy_error, force_error, torch.tensor([4, 1]), 0.1)
    assert loss.item() == pytest.approx(by_hand)


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


def test_self_energies_name_bad_input():
    with pytest.raises(ValueError, match="no configuration holds element"):
        fit_self_energies(np.array([[1.0, 0.0]]), np.array([1.0]))
    with pytest.raises(ValueError, match="shape"):
        fit_self_energies(np.ones((2, 1)), np.ones(3))


def test_splits_are_disjoint_complete_and_by_seed():
    first, again, other = (random_split(50, 0.2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len(first.validation) == 10
    assert np.array_equal(np.sort(np.concatenate([first.train, first.validation])), np.arange(50))
    assert np.array_equal(first.validation, again.validation)
    assert not np.array_equal(first.validation, other.validation)
    with pytest.raises(ValueError, match="gives 0 for validation"):
        random_split(2, 0.1, np.random.default_rng(0))


def two_element_frames():
    """A skewed periodic cell shorter than the cutoff, and an open cluster with one atom alone."""
    rng = np.random.default_rng(3)
    periodic = Atoms(
        "Al3Ni2", rng.uniform(0, 4.5, (5, 3)), cell=[[4.6, 0, 0], [1.0, 4.8, 0], [0.4, -0.7, 5.0]], pbc=True
    )
    grid = np.array([[0, 0, 0], [2.4, 0, 0], [0, 2.5, 0.3], [2.3, 2.2, 0.9], [30.0, 0, 0]])
    return [periodic, Atoms("NiAl2NiAl", grid + rng.normal(0, 0.1, (5, 3)))]


@pytest.mark.parametrize("index", [0, 1])
def test_jacobian_forces_are_those_of_torchani(index):
    description = NetworkDescription(("Ni", "Al"), hidden=(16, 8))
    atoms = two_element_frames()[index]
    computer = build_aev_computer(description).double()
    features = compute_features(computer, [frame_graph(atoms, description)], dtype=torch.float64)
    member = build_member(description, 1).double()
    energies, forces = predict(member, features)

    model = build_model(description, [member], [0.0, 0.0]).double()
    positions = torch.tensor(atoms.positions[None], requires_grad=True)
    periodic = {"cell": torch.tensor(atoms.cell.array), "pbc": torch.tensor([True] * 3)} if atoms.pbc.all() else {}
    energy = model((torch.tensor(atoms.numbers[None]), positions), **periodic).energies.sum() * HARTREE_TO_EV
    (gradient,) = torch.autograd.grad(energy, positions)
    # float64 throughout, values of order 1: only the order of sums differs
    assert energies.item() == pytest.approx(energy.item(), abs=1e-12)
    assert forces.numpy() == pytest.approx(-gradient[0].numpy(), abs=1e-12)
    assert forces.abs().max() > 1e-4


def test_features_do_not_depend_on_what_they_are_merged_with():
    description = NetworkDescription(("Ni", "Al"))
    computer = build_aev_computer(description).double()
    graphs = [frame_graph(atoms, description) for atoms in two_element_frames() * 2]
    together = compute_features(computer, graphs, dtype=torch.float64, n_merged=3)
    alone = compute_features(computer, graphs, dtype=torch.float64, n_merged=1)
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a.aev, b.aev, rtol=0, atol=1e-13)
        assert torch.allclose(a.jacobian, b.jacobian, rtol=0, atol=1e-12)
    assert torch.equal(together[0].jacobian, together[2].jacobian)


def test_exported_model_gives_the_forces_that_were_trained(frames, dataset, tmp_path):
    member = train_member(dataset, DESCRIPTION, SETTINGS, seed=3).network
    model = build_model(DESCRIPTION, [member], dataset.self_energies.tolist())
    atoms = frames[-1].copy()
    atoms.calc = NNPCalculator(export_ensemble(model, tmp_path / "model.pt"), dtype=torch.float32)
    energies, forces = predict(member, [dataset.features[-1]])
    # float32: 1e-7 of 32 atoms' 1 eV, and of forces of some eV/Å summed over 80 neighbours
    expected = energies.item() + 32 * dataset.self_energies[0]
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-4)
    assert atoms.get_forces() == pytest.approx(forces.numpy(), abs=2e-5)


def test_gradient_of_the_loss_in_the_weights_is_its_slope(frames):
    dataset = build_dataset(frames[:3], DESCRIPTION, dtype=torch.float64)
    network = build_member(DESCRIPTION, 0).double()
    loss = batch_loss(network, dataset, [0, 1, 2], 1.0, training=True)
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    norm = torch.sqrt(sum(g.square().sum() for g in gradients))
    step = 1e-5

    def shifted(sign):
        moved = build_member(DESCRIPTION, 0).double()
        with torch.no_grad():
            for parameter, gradient in zip(moved.parameters(), gradients, strict=True):
                parameter.add_(sign * step * gradient / norm)
        return batch_loss(moved, dataset, [0, 1, 2], 1.0, training=False).item()

    # central difference: rounding 1e-16 * loss / step and curvature * step², both below 1e-6 of it
    assert (shifted(1) - shifted(-1)) / (2 * step) == pytest.approx(norm.item(), rel=1e-6)


def test_training_lowers_the_validation_loss_and_keeps_the_best_weights(dataset):
    member = train_member(dataset, DESCRIPTION, SETTINGS, seed=3)
    losses = [record.validation_loss for record in member.history]
    untrained = evaluate_loss(build_member(DESCRIPTION, 3), dataset, member.split.validation, SETTINGS)
    assert min(losses) < 0.1 * untrained
    assert member.best_epoch == int(np.argmin(losses))
    again = evaluate_loss(member.network, dataset, member.split.validation, SETTINGS)
    assert again == losses[member.best_epoch]


def test_learning_rate_falls_on_plateaus(dataset):
    # a rate at which the weights only jump about: no epoch after the first few improves
    settings = TrainingSettings(batch_size=8, max_epochs=8, learning_rate=0.3, plateau_patience=0)
    history = train_member(dataset, DESCRIPTION, settings, seed=0).history
    best, rate = np.inf, 0.3
    for record in history:
        assert record.learning_rate == pytest.approx(rate)
        if record.validation_loss >= best * (1 - 1e-4):  # torch's default threshold
            rate *= 0.5
        best = min(best, record.validation_loss)
    assert rate < 0.3


def test_same_seed_same_ensemble_whatever_the_number_of_workers(dataset):
    settings = TrainingSettings(batch_size=8, max_epochs=2)
    one = train_ensemble(dataset, DESCRIPTION, settings, [1, 2], n_workers=1)
    two = train_ensemble(dataset, DESCRIPTION, settings, [1, 2], n_workers=2)
    weights = list(zip(one.model.parameters(), two.model.parameters(), strict=True))
    assert weights
    assert all(torch.equal(a, b) for a, b in weights)
    assert one.members[0].history == two.members[0].history
    splits = [member.split.validation for member in one.members]
    assert not np.array_equal(*splits)
    assert not torch.equal(*(next(member.network.parameters()) for member in one.members))


def test_a_failing_member_stops_the_ensemble(dataset):
    class ReportError(Exception):
        pass

    epochs_of_the_other = []

    def fail(position, record):
        if position == 0:
            raise ReportError
        epochs_of_the_other.append(record.epoch)

    settings = TrainingSettings(batch_size=40, max_epochs=300)
    with pytest.raises(ReportError):
        train_ensemble(dataset, DESCRIPTION, settings, [1, 2, 3], n_workers=2, on_epoch=fail)
    # the first member fails after one epoch; without the stop the second would see its 300th
    assert max(epochs_of_the_other, default=0) < 299


@pytest.mark.parametrize("seeds", [[], [4, 4]])
def test_seeds_must_differ(dataset, seeds):
    with pytest.raises(ValueError, match="all different"):
        train_ensemble(dataset, DESCRIPTION, SETTINGS, seeds)


def test_a_diverging_member_is_an_error(frames):
    dataset = build_dataset(frames[:10], DESCRIPTION)
    settings = TrainingSettings(batch_size=4, max_epochs=200, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train_member(dataset, DESCRIPTION, settings, seed=0)


def test_dataset_takes_self_energies_off_and_refuses_bad_labels(frames, dataset):
    per_atom = [frame.get_potential_energy() / 32 for frame in frames]
    low, high = np.sort(per_atom)[[19, 20]]  # any value between the middle two minimises the sum
    assert low - 1e-9 <= dataset.self_energies[0] <= high + 1e-9
    interaction = 32 * (np.array(per_atom) - dataset.self_energies[0])
    assert dataset.energies.numpy() == pytest.approx(interaction, abs=1e-5)  # float32 of some eV

    nickel = frames[0].copy()
    nickel.symbols[3] = "Ni"
    nickel.calc = SinglePointCalculator(nickel, energy=0.0, forces=np.zeros((32, 3)))
    with pytest.raises(ValueError, match=r"configuration 1 holds \['Ni'\]"):
        build_dataset([frames[0], nickel], DESCRIPTION)
    broken = frames[0].copy()
    broken.calc = SinglePointCalculator(broken, energy=np.nan, forces=np.zeros((32, 3)))
    with pytest.raises(ValueError, match="configuration 0 has an energy or a force that is not finite"):
        build_dataset([broken], DESCRIPTION)
    with pytest.raises(ValueError, match="frames is empty"):
        build_dataset([], DESCRIPTION)


def test_memory_is_counted_and_bounded(frames, dataset):
    feature = dataset.features[0]
    held = sum(tensor.numel() * tensor.element_size() for tensor in (feature.aev, feature.jacobian))
    assert check_memory([32], 54, torch.float32) == held
    with pytest.raises(ValueError, match="train on fewer or smaller configurations"):
        build_dataset(frames, DESCRIPTION, memory_limit=held * 40 - 1)


def test_content_hash_knows_positions_labels_and_order(frames):
    assert content_hash(frames) == content_hash(list(frames))
    moved = frames[0].copy()
    moved.positions[0, 0] += 1e-12
    moved.calc = SinglePointCalculator(moved, energy=frames[0].get_potential_energy(), forces=frames[0].get_forces())
    relabelled = frames[0].copy()
    relabelled.calc = SinglePointCalculator(relabelled, energy=0.0, forces=frames[0].get_forces())
    hashes = {content_hash(part) for part in (frames[:2], frames[1::-1], [moved], [relabelled], frames[:1])}
    assert len(hashes) == 5


@pytest.mark.parametrize("bad", [{"batch_size": 0}, {"max_epochs": 0}, {"force_weight": -0.1}])
def test_settings_name_bad_values(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TrainingSettings(**bad)
