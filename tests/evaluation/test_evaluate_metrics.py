"""Predictions in batches against the calculator, and errors by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from broken_models import write_detached
from ensembles import one_element_ensemble, organic_ensemble
from nnpal.evaluation import Comparison, Predictions, accuracy, compare, predict, read_labels
from nnpal.model import export_ensemble
from nnpal.model.calculator import NNPCalculator


@pytest.fixture(scope="module")
def al_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("al") / "al.pt"
    return export_ensemble(one_element_ensemble(), path, dtype=torch.float64)


@pytest.fixture(scope="module")
def organic_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("organic") / "organic.pt"
    return export_ensemble(organic_ensemble(), path, dtype=torch.float64)


def crystals() -> list[Atoms]:
    """Of different sizes, cells and periodicity; one is an atom alone, without an edge."""
    frames = [bulk("Al", cubic=True) * (n, 1, 1) for n in (1, 2, 3)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
    frames[1].set_cell(frames[1].cell[:] @ [[1, 0.1, 0], [0, 1, 0.2], [0, 0, 1.05]], scale_atoms=True)
    frames[2].cell[2] *= 3
    frames[2].pbc = (True, True, False)
    return [*frames, Atoms("Al"), frames[0].copy()]


def labeled(atoms: Atoms, energy: float, forces: object, tag: str | None = None, stress: object = None) -> Atoms:
    results = {"energy": energy, "forces": np.array(forces, dtype=float)}
    if stress is not None:
        results["stress"] = np.array(stress, dtype=float)
    atoms.calc = SinglePointCalculator(atoms, **results)
    if tag is not None:
        atoms.info["tag"] = tag
    return atoms


@pytest.mark.parametrize("batch_edges", [1, 600, 10**9])
def test_batches_agree_with_the_calculator(al_file: Path, batch_edges: int) -> None:
    """float64 sums of 1e3 eV in another order: 1e-9."""
    frames = crystals()
    done: list[int] = []
    found = predict(al_file, frames, batch_edges=batch_edges, on_batch=done.append)
    assert sum(done) == len(frames)
    assert len(done) == {1: 5, 600: 4, 10**9: 1}[batch_edges]
    frame_of_atom = found.frame_of_atom
    calculator = NNPCalculator(al_file)
    for index, frame in enumerate(frames):
        atoms = frame_of_atom == index
        uq_force = calculator.get_property("uq_force", frame)
        results = calculator.results
        assert found.energies[index] == pytest.approx(results["energy"], abs=1e-9)
        np.testing.assert_allclose(found.forces[atoms], results["forces"], atol=1e-9)
        np.testing.assert_allclose(found.uq_energy[atoms], results["uq_energy"], atol=1e-9)
        np.testing.assert_allclose(found.uq_force[atoms], uq_force, atol=1e-9)
        if "stress" in results:
            np.testing.assert_allclose(found.stresses[index], results["stress"], atol=1e-9)
        else:
            assert np.isnan(found.stresses[index]).all()
    assert np.abs(found.forces).max() > 0.1
    assert np.nanmax(np.abs(found.stresses)) > 1e-3


def test_members_agree_with_members_evaluated_alone(al_file: Path) -> None:
    """The mean of the first k members, from calculators of k members, taken apart."""
    frame = crystals()[1]
    energies, forces, stresses = [], [], []
    for k in (1, 2, 3):
        frame.calc = NNPCalculator(al_file, members=k)
        energies.append(k * frame.get_potential_energy())
        forces.append(k * frame.get_forces())
        stresses.append(k * frame.get_stress())
    found = predict(al_file, [frame])
    np.testing.assert_allclose(found.member_energies[:, 0], np.diff(energies, prepend=0), atol=1e-9)
    for mine, sums in ((found.member_forces, forces), (found.member_stresses[:, 0], stresses)):
        np.testing.assert_allclose(mine, np.diff(sums, axis=0, prepend=np.zeros_like(sums[:1])), atol=1e-9)
    assert np.ptp(found.member_energies) > 0.01


@pytest.mark.parametrize(("members", "uq_force"), [(False, False), (False, True), (True, False)])
def test_what_is_not_asked_for_is_not_there(al_file: Path, members: bool, uq_force: bool) -> None:
    frames = crystals()
    everything, found = predict(al_file, frames), predict(al_file, frames, members=members, uq_force=uq_force)
    np.testing.assert_allclose(found.forces, everything.forces, atol=1e-10)
    np.testing.assert_allclose(found.stresses, everything.stresses, atol=1e-12)
    np.testing.assert_allclose(found.member_energies, everything.member_energies, atol=1e-9)
    assert (found.member_forces is not None) == (found.member_stresses is not None) == members
    assert (found.uq_force is not None) == uq_force


def test_several_elements(organic_file: Path) -> None:
    frames = [molecule(name) for name in ("CH3CONH2", "H2O", "CO2")]
    found = predict(organic_file, frames)
    for index, frame in enumerate(frames):
        frame.calc = NNPCalculator(organic_file)
        assert found.energies[index] == pytest.approx(frame.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(found.forces[found.frame_of_atom == index], frame.get_forces(), atol=1e-9)


def test_refusals_name_the_configuration(al_file: Path) -> None:
    with pytest.raises(ValueError, match=r"configuration 1: atoms hold Cu; model .* knows Al"):
        predict(al_file, [bulk("Al"), bulk("Cu")])
    with pytest.raises(ValueError, match="no configurations"):
        predict(al_file, [])


def test_energies_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = write_detached(tmp_path / "model.pt", hole=1.5)
    near = Atoms("Al2", [[0, 0, 0], [1.4, 0, 0]])
    with pytest.raises(ValueError, match="not finite for configuration 1 and 1 more"):
        predict(path, [bulk("Al"), near, near], batch_edges=1)


def two_frames() -> tuple[Predictions, list[Atoms]]:
    """Two members; NaCl with stress and labels of tag a, Na alone with tag b."""
    nacl = labeled(
        Atoms("NaCl", np.eye(3)[:2], cell=3 * np.eye(3), pbc=True), -4.0, [[1, 0, 0], [-1, 0, 0]], "a", [0.01] * 6
    )
    na = labeled(Atoms("Na"), -1.0, [[0, 0, 0]], "b")
    member_forces = np.zeros((2, 3, 3))
    member_forces[:, 0] = [[1.1, 0, 0], [1.3, 0, 0]]  # Na: 0.1 and 0.3 off in x
    member_forces[:, 1] = [[-1, 0.6, 0], [-1, 0.6, 0]]  # Cl: 0.6 off in y
    member_stresses = np.full((2, 2, 6), np.nan)
    member_stresses[:, 0] = np.array([[0.012], [0.014]])
    member_energies = np.array([[-4.002, -1.004], [-3.994, -1.004]])
    predictions = Predictions(
        n_atoms=np.array([2, 1]),
        energies=member_energies.mean(0),
        forces=member_forces.mean(0),
        stresses=member_stresses.mean(0),
        uq_energy=np.zeros(3),
        uq_force=None,
        member_energies=member_energies,
        member_forces=member_forces,
        member_stresses=member_stresses,
    )
    return predictions, [nacl, na]


def test_errors_by_hand() -> None:
    predictions, frames = two_frames()
    found = accuracy(predictions, read_labels(frames))
    # energies: +2 meV over 2 atoms, -4 meV over 1; forces: 200 and 600 meV/Å of 9 components; stress: 3 meV/Å³ of all
    assert found["ensemble"] == pytest.approx(
        {
            "energy_mae": 2.5,
            "energy_rmse": np.sqrt((1 + 16) / 2),
            "energy_mean": -1.5,
            "force_mae": 800 / 9,
            "force_rmse": np.sqrt((200**2 + 600**2) / 9),
            "stress_mae": 3.0,
            "stress_rmse": 3.0,
            "stress_mae_GPa": 0.003 * 160.21766,
            "stress_rmse_GPa": 0.003 * 160.21766,
        },
        rel=1e-6,
    )
    assert (found["n_frames"], found["n_atoms"]) == (2, 3)
    assert [member["energy_mae"] for member in found["members"]] == pytest.approx([(1 + 4) / 2, (3 + 4) / 2])
    assert [member["force_mae"] for member in found["members"]] == pytest.approx([700 / 9, 900 / 9])
    assert [member["stress_mae"] for member in found["members"]] == pytest.approx([2.0, 4.0])
    assert found["by_element"]["Na"] == pytest.approx(
        {"n_atoms": 2, "force_mae": 200 / 6, "force_rmse": np.sqrt(200**2 / 6)}
    )
    assert found["by_element"]["Cl"] == pytest.approx(
        {"n_atoms": 1, "force_mae": 600 / 3, "force_rmse": np.sqrt(600**2 / 3)}
    )
    assert list(found["by_tag"]) == ["a", "b"]
    assert found["by_tag"]["a"]["energy_mean"] == pytest.approx(1.0)
    assert found["by_tag"]["b"] == pytest.approx(
        {"n_frames": 1, "energy_mae": 4.0, "energy_rmse": 4.0, "energy_mean": -4.0, "force_mae": 0.0, "force_rmse": 0.0}
    )


def test_comparison_without_stress() -> None:
    comparison = Comparison(
        energies=np.array([1.0, 2.003]),
        reference_energies=np.array([1.001, 2.0]),
        forces=np.array([[0.1, 0.0, -0.1]]),
        reference_forces=np.array([[0.1, 0.03, -0.1]]),
    )
    assert comparison.errors() == pytest.approx(
        {
            "energy_mae": 2.0,
            "energy_rmse": np.sqrt(5.0),
            "energy_mean": 1.0,
            "force_mae": 10.0,
            "force_rmse": np.sqrt(300.0),
        }
    )


def test_a_model_without_error_has_none(al_file: Path) -> None:
    frames = crystals()[:2]
    for frame in frames:
        frame.calc = NNPCalculator(al_file)
        labeled(frame, frame.get_potential_energy(), frame.get_forces(), stress=frame.get_stress())
    found = accuracy(predict(al_file, frames), read_labels(frames))
    assert all(abs(error) < 1e-6 for error in found["ensemble"].values())
    assert found["members"][0]["force_rmse"] > 10.0
    assert list(found["by_tag"]) == ["untagged"]


def test_missing_labels_are_an_error() -> None:
    bare = bulk("Al")
    half = bulk("Al", cubic=True)
    half.calc = SinglePointCalculator(half, energy=1.0)
    half.info["source"] = "al.xyz:7"
    good = labeled(bulk("Al"), 0.0, np.zeros((1, 3)))
    with pytest.raises(ValueError, match="configuration 1 has no energy and no forces"):
        read_labels([good, bare])
    with pytest.raises(ValueError, match=r"configuration 0 \(al\.xyz:7\) has no forces"):
        read_labels([half])
    with pytest.raises(ValueError, match="no configurations"):
        read_labels([])


def test_one_atom_with_an_energy_has_no_force() -> None:
    atom = Atoms("Al")
    atom.calc = SinglePointCalculator(atom, energy=-1.5)
    found = read_labels([labeled(bulk("Al", cubic=True), -14.0, np.ones((4, 3))), atom])
    assert found.energies.tolist() == [-14.0, -1.5]
    np.testing.assert_array_equal(found.forces[4], np.zeros(3))


def test_other_configurations_are_refused() -> None:
    predictions, frames = two_frames()
    with pytest.raises(ValueError, match="expected the same configurations"):
        compare(predictions, read_labels(frames[:1]))
