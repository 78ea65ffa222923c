"""Features, stored and recomputed: energies, forces and virials equal to TorchANI's, derivatives of the loss."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from torchani.units import HARTREE_TO_EV

from nnpal.geometry.neighbor_graph import atoms_graph
from nnpal.model.aev_function import AEVFunction
from nnpal.model.build import build_aev_computer, build_member, build_model
from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, LossSettings, TrainingSettings, build_training_data, random_split
from nnpal.training.ensemble import features_limit, free_on_gpus
from nnpal.training.epoch import train_epoch
from nnpal.training.features import GraphFeatures, StoredFeatures, feature_chunks, stored_bytes
from nnpal.training.forward_pass import one_member, predict, side_by_side
from nnpal.training.member import Member
from nnpal.training.storage import DATA, DERIVATIVES, load_data, remove_damaged, save_data
from training_errors import errors_of_members, loss_of
from training_frames import relabeled, two_element_frames

DESCRIPTION = NetworkDescription(("Ni", "Al"), hidden={"Ni": (16, 8), "Al": (12, 8)})
KINDS = ["stored", "recomputed"]
ALL = np.array([1, 0])
LOSS = LossSettings(force_weight=0.7, stress_weight=0.3, huber_force=0.5)


def data_of(features, *, stress=True, dtype=torch.float64, store=None):
    return build_training_data(
        two_element_frames(), DESCRIPTION, dtype=dtype, stress=stress, features=features, store=store
    )


def frame_graphs():
    cutoff = DESCRIPTION.aev.radial_cutoff
    return [atoms_graph(frame, DESCRIPTION.symbols, cutoff, model="of the test") for frame in two_element_frames()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [0, 1])
def test_energies_forces_and_virials_are_those_of_torchani(kind, index):
    atoms = two_element_frames()[index]
    member = build_member(DESCRIPTION, 1).double()
    found = predict(one_member(member), data_of(kind).features.batch(np.array([index])))

    model = build_model(DESCRIPTION, [member], [0.0, 0.0]).double()
    positions = torch.tensor(atoms.positions)
    strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    positions.requires_grad_(True)
    stretch = torch.eye(3, dtype=torch.float64) + strain
    periodic = {}
    if atoms.pbc.all():
        periodic = {"cell": torch.tensor(atoms.cell.array) @ stretch, "pbc": torch.tensor([True] * 3)}
    energy = model((torch.tensor(atoms.numbers[None]), (positions @ stretch)[None]), **periodic).energies.sum()
    energy = energy * HARTREE_TO_EV
    gradient, virial = torch.autograd.grad(energy, (positions, strain))
    # float64 throughout, values of order 1: only the order of sums differs
    assert found.energies.item() == pytest.approx(energy.item(), abs=1e-12)
    assert found.forces.numpy() == pytest.approx(-gradient.numpy(), abs=1e-12)
    assert found.forces.abs().max() > 1e-4
    assert found.virials is not None
    assert found.virials[0].numpy() == pytest.approx(virial.numpy(), abs=1e-11)


@pytest.mark.parametrize("stress", [True, False])
def test_stored_and_recomputed_give_the_same_loss_and_gradient(stress):
    network = build_member(DESCRIPTION, 2).double()
    results = []
    for kind in KINDS:
        (errors,) = errors_of_members([network], data_of(kind, stress=stress), [ALL], training=True)
        assert (errors.virial is None) is not stress
        loss = loss_of(errors, LOSS)
        results.append((loss.item(), torch.autograd.grad(loss, list(network.parameters()))))
    (first, gradients), (second, others) = results
    assert first == pytest.approx(second, rel=1e-12)
    for one, other in zip(gradients, others, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_the_loss_in_the_weights_is_its_slope(kind):
    data = data_of(kind)
    network = build_member(DESCRIPTION, 0).double()
    (errors,) = errors_of_members([network], data, [ALL], training=True)
    gradients = torch.autograd.grad(loss_of(errors, LOSS), list(network.parameters()))
    norm = torch.sqrt(sum(g.square().sum() for g in gradients))
    step = 1e-5

    def shifted(sign):
        moved = build_member(DESCRIPTION, 0).double()
        with torch.no_grad():
            for parameter, gradient in zip(moved.parameters(), gradients, strict=True):
                parameter.add_(sign * step * gradient / norm)
        (errors,) = errors_of_members([moved], data, [ALL], training=False)
        return loss_of(errors, LOSS).item()

    # central difference: rounding 1e-16 * loss / step and curvature * step², both below 1e-6 of it
    assert (shifted(1) - shifted(-1)) / (2 * step) == pytest.approx(norm.item(), rel=1e-6)


def test_features_do_not_depend_on_what_they_are_merged_with():
    function = AEVFunction.of(DESCRIPTION)
    graphs = frame_graphs() * 2
    together = list(feature_chunks(function, graphs, dtype=torch.float64, strain=True, n_merged=3))
    alone = list(feature_chunks(function, graphs, dtype=torch.float64, strain=True, n_merged=1))
    for (aev, own), (other_aev, other) in zip(together, alone, strict=True):
        assert torch.allclose(aev, other_aev, rtol=0, atol=1e-13)
        assert torch.allclose(own, other, rtol=0, atol=1e-12)
    assert torch.equal(together[0][1], together[2][1])


def test_members_side_by_side_are_what_they_are_alone():
    """Different configurations and numbers of atoms of each element for each member: padding must not leak."""
    data = data_of("stored")
    networks = [build_member(DESCRIPTION, seed).double() for seed in (1, 2, 3)]
    batches = [np.array([0]), np.array([1, 0, 1]), np.array([1])]
    together = errors_of_members(networks, data, batches, training=True)
    torch.stack([loss_of(errors, LOSS) for errors in together]).sum().backward()
    for network, batch, errors, seed in zip(networks, batches, together, (1, 2, 3), strict=True):
        own = build_member(DESCRIPTION, seed).double()
        (alone,) = errors_of_members([own], data, [batch], training=True)
        loss_of(alone, LOSS).backward()
        # order of sums in products of 8 to 16 terms alone
        assert torch.allclose(errors.energy, alone.energy, rtol=0, atol=1e-12)
        assert torch.allclose(errors.force, alone.force, rtol=0, atol=1e-12)
        for one, other in zip(network.parameters(), own.parameters(), strict=True):
            assert torch.allclose(one.grad, other.grad, rtol=1e-9, atol=1e-12)


def test_side_by_side_without_biases_and_with_an_absent_element():
    description = NetworkDescription(("Ni", "Al", "Nb"), hidden=(6,), bias=False)
    networks = [build_member(description, seed).double() for seed in (1, 2)]
    species, aev = torch.tensor([0, 1, 1]), torch.rand(3, build_aev_computer(description).out_dim).double()
    found = side_by_side(networks, [2, 1])(species, aev)
    expected = [one_member(networks[0])(species[:2], aev[:2]), one_member(networks[1])(species[2:], aev[2:])]
    assert torch.allclose(found, torch.cat(expected))


def test_an_epoch_side_by_side_is_an_epoch_alone():
    rng = np.random.default_rng(0)
    frames = []
    for frame in two_element_frames() * 4:
        moved = frame.copy()
        moved.positions += rng.normal(0, 0.02, frame.positions.shape)
        moved.calc = SinglePointCalculator(moved, energy=rng.normal(), forces=rng.normal(size=frame.positions.shape))
        frames.append(moved)
    data = build_training_data(frames, DESCRIPTION, dtype=torch.float64)
    settings = TrainingSettings(batch_size=2, dtype="float64", ema=0.9)

    def members():
        splits = [random_split(data.hashes, fraction, np.random.default_rng(1)) for fraction in (0.25, 0.5)]
        return [Member(DESCRIPTION, settings, split, seed, torch.device("cpu")) for seed, split in enumerate(splits)]

    together, alone = members(), members()
    for _ in range(3):
        records = train_epoch(together, data, LossSettings())
        for member, record in zip(alone, records, strict=True):
            (own,) = train_epoch([member], data, LossSettings())
            assert own.train_loss == pytest.approx(record.train_loss, rel=1e-9)
            assert own.validation_loss == pytest.approx(record.validation_loss, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_data_come_back_from_files(kind, tmp_path):
    data = data_of(kind, store=tmp_path / DERIVATIVES)
    save_data(tmp_path, data)
    again = load_data(tmp_path, DESCRIPTION)
    network = build_member(DESCRIPTION, 1).double()
    (before,), (after,) = (errors_of_members([network], d, [ALL], training=False) for d in (data, again))
    assert torch.equal(before.energy, after.energy)
    assert torch.equal(before.force, after.force)
    assert torch.equal(before.virial.isnan(), after.virial.isnan())
    assert (again.hashes, again.content_hash) == (data.hashes, data.content_hash)
    assert np.array_equal(again.self_energies, data.self_energies)
    assert (tmp_path / DERIVATIVES).exists() is (kind == "stored")


def test_derivatives_are_on_the_disk_before_the_file_that_vouches_for_them(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def noted(descriptor):
        synced.append((os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")), (tmp_path / DATA).exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    save_data(tmp_path, data_of("stored", store=tmp_path / DERIVATIVES))
    assert (DERIVATIVES, False) in synced


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros"])
def test_a_damaged_file_is_removed_and_told(tmp_path, damage):
    for name in ("whole.pt", "damaged.pt"):
        torch.save({"weights": torch.arange(1000.0)}, tmp_path / name)
    path, told = tmp_path / "damaged.pt", []
    content = path.read_bytes()
    middle = len(content) // 2
    zeros = content[:middle] + bytes(512) + content[middle + 512 :]
    path.write_bytes({"cut": content[:-100], "empty": b"", "zeros": zeros}[damage])
    remove_damaged([tmp_path / "whole.pt", path, tmp_path / "absent.pt"], told.append)
    assert told == [f"{path}: damaged, as by a power failure; it is recreated"]
    assert os.listdir(tmp_path) == ["whole.pt"]


def test_automatic_choice_is_by_size():
    sizes, n_features = np.array([5, 6]), build_aev_computer(DESCRIPTION).out_dim
    needed = stored_bytes(sizes, n_features, torch.float64, strain=False)
    kinds = [
        type(build_training_data(two_element_frames(), DESCRIPTION, dtype=torch.float64, limit_bytes=limit).features)
        for limit in (needed, needed - 1)
    ]
    assert kinds == [StoredFeatures, GraphFeatures]
    stored = data_of("stored", stress=False).features
    assert needed == 8 * (stored.aev.numel() + stored.derivatives.numel())


def test_automatic_choice_minds_the_memory_that_copies_go_to(monkeypatch):
    assert features_limit(64e9, []) == 32e9
    assert features_limit(64e9, [20e9, 12e9]) == 6e9
    assert features_limit(8e9, [80e9]) == 4e9
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", {"cuda:0": (20, 80), "cuda:1": (12, 80)}.get)
    assert free_on_gpus(["auto"]) == [20, 12]
    assert free_on_gpus(["cpu", "cuda:1", "cuda:1"]) == [12]
    assert free_on_gpus(["cpu"]) == free_on_gpus(["cuda:7"]) == []


def test_self_energies_are_taken_off_and_bad_labels_refused():
    frames = two_element_frames()
    data = data_of("stored")
    counts = np.array([[2, 3], [2, 4]])
    energies = np.array([frame.get_potential_energy() for frame in frames])
    assert data.energies.numpy() == pytest.approx(energies - counts @ data.self_energies, abs=1e-12)
    cases = {
        r"configuration 1 holds \['Nb'\]": "Nb",
        "configuration 1 has forces that are not finite": {"forces": np.full((6, 3), np.nan)},
        "configuration 1 has energy that are not finite": {"energy": np.inf},
    }
    for message, change in cases.items():
        bad = frames[1].copy()
        if change == "Nb":
            bad.symbols[0] = "Nb"
        else:
            bad = relabeled(frames[1], **change)
        with pytest.raises(ValueError, match=message):
            build_training_data([frames[0], bad], DESCRIPTION)
    moved = relabeled(frames[1])
    moved.positions[0, 0] += 0.1
    with pytest.raises(ValueError, match="configuration 0 was changed after it was labeled"):
        build_training_data([moved], DESCRIPTION)
    bare = frames[1].copy()
    with pytest.raises(ValueError, match="configuration 0 has no energy"):
        build_training_data([bare], DESCRIPTION)
    with pytest.raises(ValueError, match="frames is empty"):
        build_training_data([], DESCRIPTION)
    with pytest.raises(ValueError, match="no configuration has a stress"):
        build_training_data([frames[1]], NetworkDescription(("Ni", "Al")), stress=True)


def test_isolated_atoms_need_no_forces():
    """Their energies are the self-energies where they outnumber what contradicts them; their forces are zero."""
    atoms = []
    for symbol, energy in (("Ni", -4.0), ("Al", -3.0)):
        for size in (18, 19, 20, 21):
            atom = Atoms(symbol, cell=[size] * 3, pbc=size > 19)
            atom.calc = SinglePointCalculator(atom, energy=energy)
            atoms.append(atom)
    frames = two_element_frames()[:1]
    data = build_training_data([*atoms, *frames], DESCRIPTION, dtype=torch.float64)
    assert data.self_energies == pytest.approx([-4.0, -3.0], abs=1e-9)
    assert not data.forces[:8].any()
    assert np.array_equal(data.forces[8:].numpy(), frames[0].get_forces())


def test_a_stress_that_the_cell_does_not_allow():
    frames = two_element_frames()
    frames[1] = relabeled(frames[1], stress=np.zeros(6))
    with pytest.raises(ValueError, match="configuration 1: error: stress: stress in a configuration without cell"):
        build_training_data(frames, DESCRIPTION, stress=True)


def test_forces_on_fixed_atoms_are_those_that_ase_gives():
    """ASE sets them to 0, and leaves the others alone."""
    frames = [relabeled(frame) for frame in two_element_frames()]
    frames[1].set_constraint(FixAtoms([0, 2]))
    data = build_training_data(frames, DESCRIPTION, dtype=torch.float64)
    expected = np.concatenate([frame.get_forces() for frame in frames])
    assert np.array_equal(data.forces.numpy(), expected)
    assert not expected[[5, 7]].any()


def test_sections_refuse_what_does_not_fit_together():
    with pytest.raises(ValueError, match="split = 'inherited' without previous"):
        EnsembleSettings(split="inherited")
    with pytest.raises(ValueError, match="expected all different"):
        EnsembleSettings(members=2, seeds=(4, 4))
    with pytest.raises(ValueError, match="seeds are 1, but members = 2"):
        EnsembleSettings(members=2, seeds=(4,))
    with pytest.raises(ValueError, match="batch_size"):
        TrainingSettings(batch_size=0)
    assert len(set(EnsembleSettings(members=7).member_seeds())) == 7
