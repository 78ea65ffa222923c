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

from ensembles import one_element_ensemble, organic_ensemble
from nnpal.calculator import NNPCalculator
from nnpal.export import export_ensemble


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


def test_unknown_element(al_file: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.calc = NNPCalculator(al_file)
    with pytest.raises(ValueError, match=r"atoms hold Cu; model .*al\.pt knows Al"):
        atoms.get_potential_energy()


def test_position_that_is_not_finite(al_file: Path) -> None:
    atoms = crystal()
    atoms.positions[2, 0] = np.nan
    atoms.calc = NNPCalculator(al_file)
    with pytest.raises(ValueError, match="position of atom 2"):
        atoms.get_potential_energy()
