"""Batches of flattened graphs: what merging gives, wherever the edges lie, and files of earlier trainings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from nnpal.geometry.neighbor_graph import atoms_graph, merge_graphs
from nnpal.model.build import build_member
from nnpal.model.description import NetworkDescription
from nnpal.training import LossSettings, Split, TrainingSettings, build_training_data
from nnpal.training.epoch import Sums
from nnpal.training.flat_graphs import FlatGraphs
from nnpal.training.forward_pass import joint_errors
from nnpal.training.member import Member, step_members
from nnpal.training.rows import Rows
from nnpal.training.storage import DATA, load_data, save_data
from nnpal.training.update import losses_of
from training_errors import errors_of_members
from training_frames import relabeled, two_element_frames

DESCRIPTION = NetworkDescription(("Ni", "Al"), hidden=(6,))
CPU = torch.device("cpu")


def graphs_of_all_sizes():
    """Two elements, 5 to 32 atoms, one configuration without any edge."""
    lone = Atoms("NiAl", positions=[[0.0, 0, 0], [60.0, 0, 0]])
    crystal = bulk("Ni", cubic=True) * 2
    crystal.symbols[::3] = "Al"
    frames = [*two_element_frames(), lone, crystal]
    return [atoms_graph(frame, ("Ni", "Al"), 6.0, model="of the test") for frame in frames]


BATCHES = {
    "all": [0, 1, 2, 3],
    "one": [1],
    "in another order and twice": [3, 1, 3, 0],
    "around one without edges": [2, 3, 2],
    "without edges": [2],
}


@pytest.mark.parametrize("way", ["_copied", "_gathered"])
@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_the_merged_graph(way, name, monkeypatch):
    """One way is the CPU's, the other a GPU's."""
    other = {"_copied": "_gathered", "_gathered": "_copied"}[way]
    monkeypatch.setattr(FlatGraphs, other, getattr(FlatGraphs, way))
    graphs, indices = graphs_of_all_sizes(), np.array(BATCHES[name])
    flat = FlatGraphs.of(graphs, torch.float64)
    rows = Rows.of(indices, flat.sizes, CPU)
    found = flat.batch(rows)
    expected, frames = merge_graphs([graphs[k] for k in indices])
    assert found.n_local == expected.n_local
    for one, other_tensor in (
        (found.species, expected.species),
        (found.edge_index, expected.edge_index),
        (found.edge_vec, expected.edge_vec),
        (rows.configuration_of_atom, frames),
    ):
        assert one.dtype == other_tensor.dtype
        assert torch.equal(one, other_tensor)
    assert found.edge_index.is_contiguous()


def test_rows_are_those_of_the_configurations_atoms():
    rows = Rows.of(np.array([2, 0]), np.array([2, 4, 3]), CPU)
    assert rows.atoms.tolist() == rows.atoms_on_cpu.tolist() == [6, 7, 8, 0, 1]
    assert rows.first.tolist() == [0, 0, 0, 3, 3]
    assert rows.configuration_of_atom.tolist() == [0, 0, 0, 1, 1]
    assert (rows.configurations.tolist(), rows.sizes.tolist()) == ([2, 0], [3, 2])


def test_edges_that_do_not_fit_stay_where_they_are():
    flat = FlatGraphs.of(graphs_of_all_sizes(), torch.float32)
    n_bytes = 16 * int(flat.n_edges.sum())
    there = torch.device("meta")
    for limit, device in ((n_bytes, "meta"), (n_bytes - 1, "cpu")):
        moved = flat.to(there, limit)
        assert moved.device == moved.n_neighbors.device == there
        assert moved.neighbor.device.type == moved.edge_vec.device.type == device


def test_neighbors_in_the_file_of_an_earlier_version_give_the_same(tmp_path):
    """They lay there as pairs of int64."""
    frames = two_element_frames()
    data = build_training_data(frames, DESCRIPTION, dtype=torch.float64, features="recomputed")
    save_data(tmp_path, data)
    state = torch.load(tmp_path / DATA, weights_only=True)
    graphs = [atoms_graph(frame, ("Ni", "Al"), DESCRIPTION.aev.radial_cutoff, model="of the test") for frame in frames]
    del state["neighbour"], state["n_neighbours"]
    state["edge_index"] = torch.cat([graph.edge_index for graph in graphs], 1)
    torch.save(state, tmp_path / DATA)
    network = build_member(DESCRIPTION, 1).double()
    indices = np.array([1, 0])
    (before,), (after,) = (
        errors_of_members([network], own, [indices], training=False) for own in (data, load_data(tmp_path, DESCRIPTION))
    )
    assert torch.equal(before.energy, after.energy)
    assert torch.equal(before.force, after.force)


def test_members_of_one_element_are_what_they_are_alone_with_and_without_padding():
    frames = [frame for frame in two_element_frames() for _ in range(2)]
    for frame in frames:
        frame.symbols[:] = "Ni"
        frame.calc.atoms = frame.copy()
    data = build_training_data(frames, NetworkDescription(("Ni",), hidden=(6,)), dtype=torch.float64)
    networks = [build_member(NetworkDescription(("Ni",), hidden=(6,)), seed).double() for seed in (1, 2)]
    for batches in ([[0, 2], [3, 1]], [[0, 2, 1], [3]]):
        parts = [np.array(own) for own in batches]
        together = errors_of_members(networks, data, parts, training=True)
        for network, own, errors in zip(networks, parts, together, strict=True):
            (alone,) = errors_of_members([network], data, [own], training=True)
            # order of sums in products of some ten terms alone
            assert torch.allclose(errors.energy, alone.energy, rtol=0, atol=1e-12)
            assert torch.allclose(errors.force, alone.force, rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", ["_copied", "_gathered"])
@pytest.mark.parametrize("batches", [[[0, 1], [1, 0]], [[0, 1, 1], [0]]])
def test_no_update_reads_a_tensor(way, batches, monkeypatch):
    """Each of these operations makes the host wait where the tensor is on a GPU."""
    other = {"_copied": "_gathered", "_gathered": "_copied"}[way]
    monkeypatch.setattr(FlatGraphs, other, getattr(FlatGraphs, way))
    frames = [relabeled(frame, stress=np.full(6, 0.1)) for frame in two_element_frames()]
    for frame in frames:
        frame.pbc, frame.cell = True, np.diag([30.0, 30.0, 30.0])
        frame.calc.atoms = frame.copy()
    data = build_training_data(frames, DESCRIPTION, features="recomputed", stress=True)
    networks = [build_member(DESCRIPTION, seed) for seed in (1, 2)]
    loss, means = LossSettings(stress_weight=0.1, huber_stress=0.1), Sums(2)

    def update():
        errors, whose = joint_errors(networks, data, [np.array(own) for own in batches], training=True)
        losses = losses_of(errors, whose, loss)
        losses.sum().backward()
        means.add((0, 1), errors, whose, losses)

    assert not {"aten::_local_scalar_dense", "aten::nonzero", "aten::bincount"} & operations(update)
    assert "aten::_local_scalar_dense" in operations(data.energies.sum().item)
    assert all(parameter.grad.isfinite().all() for network in networks for parameter in network.parameters())


def operations(call):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        call()
    return {event.name for event in profile.events()}


@pytest.fixture
def sync_debug_mode():
    yield torch.cuda.set_sync_debug_mode
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.cuda
@pytest.mark.parametrize("limit_bytes", [0, math.inf])
def test_the_host_goes_on_while_a_gpu_updates(limit_bytes, sync_debug_mode):
    """With the edges on the CPU and on the GPU, whose results are those of the CPU."""
    gpu = torch.device("cuda:0")
    on_cpu = build_training_data(two_element_frames(), DESCRIPTION, dtype=torch.float64, features="recomputed")
    split = Split(np.array([0, 1]), np.array([0, 1]))
    settings = TrainingSettings(dtype="float64", ema=0.9)
    energies = []
    for device in (CPU, gpu):
        data = on_cpu.to(device, limit_bytes)
        members = [Member(DESCRIPTION, settings, split, seed, device) for seed in (1, 2)]
        for update in range(3):
            if device == gpu and update == 1:  # the first takes memory and loads kernels
                sync_debug_mode("error")
            batches = [np.array([0, 1]), np.array([1])]
            errors, whose = joint_errors([m.network for m in members], data, batches, training=True)
            losses_of(errors, whose, LossSettings()).sum().backward()
            step_members(members)
        if device == gpu:
            sync_debug_mode("default")
        energies.append(errors.energy.detach().cpu().numpy())
    # float64 sums in another order, through two updates by AdamW
    assert energies[0] == pytest.approx(energies[1], rel=1e-6)


@pytest.mark.parametrize("features", ["stored", "recomputed"])
def test_moved_data_keep_on_the_host_what_index_arithmetic_needs(features):
    there = torch.device("meta")
    data = build_training_data(two_element_frames(), DESCRIPTION, features=features)
    assert data.to(CPU) is data
    moved = data.to(there, limit_bytes=0)
    assert moved.energies.device == moved.forces.device == there
    assert moved.features.species.device == CPU
    assert moved.hashes == data.hashes
