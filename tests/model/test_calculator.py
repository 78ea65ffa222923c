"""The ASE calculator: derivatives, definitions of the uncertainty, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.stress import full_3x3_to_voigt_6_stress
from torchani.units import HARTREE_TO_EV

from ensembles import one_element_ensemble, organic_ensemble
from lmp_systems import fcc, random_hcno, tilted
from nnpal.model import export_ensemble
from nnpal.model.calculator import NNPCalculator
from torchani_reference import evaluate


@pytest.fixture(scope="module")
def al_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("al") / "al.pt"
    return export_ensemble(one_element_ensemble(), path, dtype=torch.float64)


@pytest.fixture(scope="module")
def organic_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("organic") / "organic.pt"
    return export_ensemble(organic_ensemble(), path, dtype=torch.float64)


def crystal() -> Atoms:
    """Triclinic, smaller than the cutoff."""
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.set_cell(atoms.cell[:] @ [[1, 0.1, 0], [0, 1, 0.2], [0, 0, 1.05]], scale_atoms=True)
    return atoms


SYSTEMS = {
    "cell shorter than the cutoff": (one_element_ensemble, tilted(fcc("Al", 4.05, 1), 0.4, -0.3, 0.6)),
    "four elements, periodic": (organic_ensemble, tilted(random_hcno(24, 0.1, periodic=True), 0.9, -0.7, 1.1)),
    "four elements, cluster": (organic_ensemble, random_hcno(24, 0.1, periodic=False)),
}


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("name", SYSTEMS)
def test_agrees_with_torchani(name: str, members: int | None, tmp_path: Path) -> None:
    """float64 sums of up to 1e3 terms of 1e3 eV in another order: 1e-9 of the largest magnitude."""
    build, system = SYSTEMS[name]
    expected = evaluate(build().double(), system, members)
    path = export_ensemble(build(), tmp_path / "model.pt", dtype=torch.float64)
    calculator = NNPCalculator(path, members=members)
    cell = system.cell if system.periodic else None
    atoms = Atoms(system.symbols, system.positions, cell=cell, pbc=system.periodic)
    found = {key: calculator.get_property(key, atoms) for key in ("energy", "energies", "forces", "uq_force")}
    found["uq_energy"] = calculator.results["uq_energy"]
    answers = {
        "energy": expected.energy,
        "energies": expected.atomic_energies,
        "forces": expected.forces,
        "uq_energy": expected.uq_energy,
        "uq_force": expected.uq_force,
    }
    if system.periodic:
        found["stress"] = calculator.get_property("stress", atoms)
        answers["stress"] = full_3x3_to_voigt_6_stress(-expected.virial / atoms.get_volume())
    for key, answer in answers.items():
        assert np.abs(answer).max() > 1e-3, f"{key} tells nothing"
        np.testing.assert_allclose(found[key], answer, rtol=0, atol=1e-9 * max(1, np.abs(answer).max()), err_msg=key)


def test_an_atom_alone(al_file: Path) -> None:
    atoms = Atoms("Al")
    atoms.calc = NNPCalculator(al_file)
    assert not atoms.get_forces().any()
    assert atoms.calc.get_property("uq_force", atoms).tolist() == [0.0]
    # an AEV of zeros: each member's answer is that of its biases
    members = [one_element_ensemble().double().neural_networks.members[m].atomics["Al"] for m in range(3)]
    energies = [member(torch.zeros(54, dtype=torch.float64)).item() * HARTREE_TO_EV for member in members]
    # -38 hartree in eV, and rounding of 1e3 eV
    assert atoms.get_potential_energy() == pytest.approx(np.mean(energies) - 38 * HARTREE_TO_EV, abs=1e-10)
    np.testing.assert_allclose(atoms.calc.results["uq_energy"], np.std(energies), atol=1e-12)


def test_forces_and_stress_are_slopes_of_the_energy(al_file: Path) -> None:
    """Central differences with 1e-4: truncation 1e-8 of third derivatives near 10, rounding 4e3 eV * 2e-16 / 1e-4."""
    atoms = crystal()
    atoms.calc = NNPCalculator(al_file)
    assert np.abs(atoms.get_forces()).max() > 0.1
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-6)
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-4), atol=1e-6)


def test_forces_of_a_molecule(organic_file: Path) -> None:
    atoms = molecule("CH3CONH2")
    atoms.calc = NNPCalculator(organic_file)
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-5)
    np.testing.assert_allclose(atoms.get_forces().sum(0), 0.0, atol=1e-10)
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_stress_of_a_slab(al_file: Path) -> None:
    """Periodic in two directions: the same volume as ASE's, and the slope of the energy; tolerances as above."""
    atoms = crystal()
    atoms.cell[2] *= 3
    atoms.pbc = (True, True, False)
    atoms.calc = NNPCalculator(al_file)
    assert np.abs(atoms.get_stress()).max() > 1e-3
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-4), atol=1e-6)


def test_energies_sum_to_the_energy(organic_file: Path) -> None:
    atoms = molecule("CH3CONH2")
    atoms.calc = NNPCalculator(organic_file)
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy(), rel=1e-14)
    assert atoms.get_potential_energy() == atoms.get_potential_energy(force_consistent=True)
    assert atoms.get_potential_energy() < -3000.0, "self-energies are in it"


def test_uncertainty_by_its_definition(al_file: Path) -> None:
    """From members one at a time: M calculators whose means are taken apart."""
    atoms = crystal()
    energies, forces = [], []
    for n_members in (1, 2, 3):
        atoms.calc = NNPCalculator(al_file, members=n_members)
        energies.append(n_members * atoms.get_potential_energies())
        forces.append(n_members * atoms.get_forces())
    member_energies = np.diff(energies, axis=0, prepend=0.0 * np.array(energies[:1]))
    member_forces = np.diff(forces, axis=0, prepend=0.0 * np.array(forces[:1]))
    deviation = member_forces - member_forces.mean(0)
    calculator = NNPCalculator(al_file)
    uq_force = calculator.get_property("uq_force", atoms)
    np.testing.assert_allclose(uq_force, np.sqrt((deviation**2).sum(-1).mean(0)), atol=1e-9)
    np.testing.assert_allclose(calculator.results["uq_energy"], member_energies.std(0), atol=1e-9)
    assert uq_force.min() > 0.01


def test_uq_force_is_computed_when_asked_for_alone(al_file: Path) -> None:
    atoms = crystal()
    atoms.calc = NNPCalculator(al_file)
    atoms.get_forces()
    assert "uq_force" not in atoms.calc.results
    assert "uq_energy" in atoms.calc.results
    assert atoms.calc.get_property("uq_force", atoms).shape == (4,)


def test_precisions_agree(organic_file: Path) -> None:
    """float32 keeps 7 digits of interaction energies near 10 eV; self-energies of 1e3 eV stay in float64."""
    atoms = molecule("CH3CONH2")
    values = []
    for dtype in (torch.float32, torch.float64):
        atoms.calc = NNPCalculator(organic_file, dtype=dtype)
        values.append((atoms.get_potential_energy(), atoms.get_forces()))
    (single, single_forces), (double, double_forces) = values
    assert single == pytest.approx(double, abs=1e-3 * 0.1)
    np.testing.assert_allclose(single_forces, double_forces, atol=1e-5 * np.abs(double_forces).max() + 1e-4)
    assert np.abs(single_forces - double_forces).max() > 0, "the precision changed nothing"


def test_no_atoms(al_file: Path) -> None:
    atoms = Atoms()
    atoms.calc = NNPCalculator(al_file)
    assert atoms.get_potential_energy() == 0.0
    assert atoms.get_forces().shape == (0, 3)
    assert atoms.calc.get_property("uq_force", atoms).shape == (0,)


def test_unknown_element(al_file: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.calc = NNPCalculator(al_file)
    with pytest.raises(ValueError, match=r"atoms hold Cu; model .*al\.pt knows Al"):
        atoms.get_potential_energy()


def test_a_failure_leaves_no_old_answer(al_file: Path) -> None:
    atoms = crystal()
    atoms.calc = NNPCalculator(al_file)
    atoms.get_potential_energy()
    atoms.positions[1, 1] = np.inf
    for _ in range(2):
        with pytest.raises(ValueError, match="position of atom 1"):
            atoms.get_potential_energy()


def test_cell_that_is_not_finite(al_file: Path) -> None:
    """What a barostat that blows up hands over."""
    atoms = crystal()
    atoms.cell[2, 2] = np.nan
    atoms.calc = NNPCalculator(al_file)
    with pytest.raises(ValueError, match=r"cell is .*nan"):
        atoms.get_potential_energy()


def test_position_that_is_not_finite(al_file: Path) -> None:
    atoms = crystal()
    atoms.positions[2, 0] = np.nan
    atoms.calc = NNPCalculator(al_file)
    with pytest.raises(ValueError, match="position of atom 2"):
        atoms.get_potential_energy()
