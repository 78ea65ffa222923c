"""Trajectories under the embedded-atom potential, run by LAMMPS in this process."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from nnpal.demo.eam import eam_potential, label
from nnpal.demo.order import fcc_order
from nnpal.demo.trajectories import Schedule, sample_cluster, sample_crystal, sample_liquid

SCHEDULE = Schedule(n_frames=20, every=50, n_equilibrate=1000)


def crystal(seed=1, temperature=600.0, pressure=0.0, schedule=SCHEDULE):
    return sample_crystal(
        "Al",
        4.05,
        2,
        potential=eam_potential(),
        temperature=temperature,
        pressure=pressure,
        schedule=schedule,
        seed=seed,
    )


def liquid(seed=1, schedule=SCHEDULE):
    return sample_liquid(
        "Al",
        4.05,
        2,
        potential=eam_potential(),
        temperature=1500.0,
        pressure=0.0,
        schedule=schedule,
        seed=seed,
    )


def cluster(seed=1):
    return sample_cluster(
        "Al",
        4.05,
        2,
        potential=eam_potential(),
        temperature=300.0,
        vacuum=14.0,
        schedule=Schedule(n_frames=2, every=10, n_equilibrate=20),
        seed=seed,
    )


@pytest.mark.parametrize("sample", [crystal, liquid, cluster])
def test_sampled_labels_are_those_of_a_fresh_lammps(sample):
    frame = sample()[-1]
    (fresh,) = label([frame], eam_potential())
    # the same sums in another order of atoms and neighbors: rounding of 100 eV, and of 1 eV/Å
    assert frame.get_potential_energy() == pytest.approx(fresh.get_potential_energy(), abs=1e-10)
    assert frame.get_forces() == pytest.approx(fresh.get_forces(), abs=1e-11)
    assert np.abs(frame.get_forces()).max() > 0.1


def test_label_forces_are_the_slope_of_the_energy():
    frame = crystal(schedule=Schedule(1, 1, 100))[0]
    direction = frame.get_forces() / np.linalg.norm(frame.get_forces())
    step = 1e-3
    shifted = []
    for sign in (1, -1):
        atoms = frame.copy()
        atoms.positions += sign * step * direction
        shifted.append(atoms)
    plus, minus = (atoms.get_potential_energy() for atoms in label(shifted, eam_potential()))
    slope = (minus - plus) / (2 * step)
    # the table is interpolated by cubic splines: a central difference errs by O(step²) ~ 1e-5
    assert slope == pytest.approx(np.linalg.norm(frame.get_forces()), rel=1e-4)


def test_same_seed_same_trajectory_and_another_seed_another():
    schedule = Schedule(n_frames=2, every=20, n_equilibrate=100)
    first, again, other = (crystal(seed=seed, schedule=schedule) for seed in (7, 7, 8))
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a.positions, b.positions)
        assert a.get_potential_energy() == b.get_potential_energy()
        # thermal motion at 600 K moves atoms by 0.1 Å and more
        assert np.abs(a.positions - c.positions).max() > 0.05


def test_crystal_has_the_temperature_asked_for():
    frames = crystal(temperature=600.0, schedule=Schedule(n_frames=40, every=50, n_equilibrate=2000))
    n_dof = 3 * len(frames[0]) - 3
    kinetic = [2.0 * frame.get_kinetic_energy() / n_dof / 8.617333e-5 for frame in frames]
    # canonical fluctuation of T is T sqrt(2 / n_dof); frames are one thermostat time apart, so
    # every other one counts as independent: 5 standard errors of 20 samples
    assert np.mean(kinetic) == pytest.approx(600.0, abs=5 * 600.0 * np.sqrt(2 / n_dof / 20))


def test_crystal_stays_a_crystal_the_liquid_is_one_and_pressure_compresses():
    solid, hot = crystal(), liquid()
    assert fcc_order(bulk("Al", cubic=True).repeat(2), 2) == pytest.approx(32.0)
    assert min(fcc_order(frame, 2) for frame in solid) > 20.0
    assert np.mean([fcc_order(frame, 2) for frame in hot]) < 4.0
    squeezed = crystal(pressure=10.0)
    volume = [np.mean([frame.get_volume() for frame in frames]) for frames in (squeezed, solid)]
    # 10 GPa against a bulk modulus of about 70 GPa: a tenth, and the box fluctuates by a hundredth
    assert volume[0] < 0.95 * volume[1]


def test_order_does_not_change_with_the_box_or_a_shift():
    atoms = liquid(schedule=Schedule(1, 1, 100))[0]
    value = fcc_order(atoms, 2)
    stretched = atoms.copy()
    stretched.set_cell(atoms.cell * 1.1, scale_atoms=True)
    stretched.positions += [0.3, -0.2, 0.1]
    assert fcc_order(stretched, 2) == pytest.approx(value)


def test_cluster_is_free_of_its_images_and_at_rest():
    frame = cluster()[0]
    assert len(frame) == 13
    gap = frame.cell.lengths() - np.ptp(frame.positions, axis=0)
    assert gap.min() > 12.0
    assert np.abs(frame.get_momenta().sum(axis=0)).max() < 1e-10


def test_bad_input_is_named():
    alloy = bulk("Al", cubic=True)
    alloy.symbols[0] = "Ni"
    with pytest.raises(ValueError, match=r"elements \['Al', 'Ni'\]"):
        label([alloy], eam_potential())
    with pytest.raises(ValueError, match="not orthogonal"):
        label([bulk("Al")], eam_potential())
    with pytest.raises(ValueError, match="expected periodic"):
        label([Atoms("Al", cell=[9, 9, 9], pbc=[True, True, False])], eam_potential())
    with pytest.raises(FileNotFoundError, match=r"no potential .*Xx\.eam\.fs"):
        eam_potential("Xx.eam.fs")
    for bad in ({"n_frames": 0}, {"n_frames": 1, "every": 0}, {"n_frames": 1, "n_equilibrate": -1}):
        with pytest.raises(ValueError, match="expected at least"):
            Schedule(**bad)
    with pytest.raises(ValueError, match="timestep"):
        Schedule(1, timestep=0.0)
