"""Models with TorchANI's xTB repulsion: files against the TorchANI model called directly, by both kernels."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from torchani.arch import ANI
from torchani.cutoffs import CutoffSmooth
from torchani.potentials import RepulsionXTB

from ensembles import organic_ensemble, repulsive_ensemble
from lmp_systems import System, random_hcno, tilted
from nnpal.evaluation.prediction import predict
from nnpal.model import export_ensemble, read_metadata
from nnpal.model.calculator import NNPCalculator
from nnpal.model.member_networks import NotMembersError, networks_of_model, read_networks
from torchani_reference import evaluate

RELATIVE = {"double": 1e-9, "single": 1e-5}
KERNELS = ("fused", "torchani")
DTYPES = {"single": torch.float32, "double": torch.float64}

# cutoff and cutoff function of the repulsion, beside an AEV of 5.1 Å with the cosine: the cutoff of the file
REPULSIONS = {
    "of the AEV's cutoff": (5.1, "smooth", 5.1),
    "that ends before the AEV": (3.3, "cosine", 5.1),
    "that ends after the AEV": (6.4, "cosine", 6.4),
    "without an end": (math.inf, "smooth", 5.1),
}


def atoms_of(system: System) -> Atoms:
    cell, periodic = (system.cell, True) if system.periodic else (None, False)
    return Atoms(system.symbols, system.positions - system.origin, cell=cell, pbc=periodic)


def systems(name: str) -> list[System]:
    """A cluster, and a triclinic cell shorter than the cutoff: TorchANI takes none without a cutoff."""
    cluster = random_hcno(16, 0.08, periodic=False)
    if name == "without an end":
        return [cluster]
    return [cluster, tilted(random_hcno(12, 0.1, periodic=True), 1.0, -0.8, 0.6)]


# TorchScript compiles each file anew, which takes seconds
EACH = [
    pytest.param(name, kernel, marks=pytest.mark.slow if kernel == "torchani" and "after" not in name else ())
    for name in REPULSIONS
    for kernel in KERNELS
]


@pytest.mark.parametrize(("name", "kernel"), EACH)
def test_agrees_with_torchani(name: str, kernel: str, tmp_path: Path) -> None:
    cutoff, cutoff_fn, of_file = REPULSIONS[name]
    model = repulsive_ensemble(cutoff=cutoff, cutoff_fn=cutoff_fn)
    path = export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64, kernel=kernel)
    metadata = read_metadata(path)
    assert (metadata.kernel, metadata.cutoff, metadata.pair_terms) == (kernel, of_file, ("xtb_repulsion",))
    for system in systems(name):
        expected, atoms = evaluate(model.double(), system), atoms_of(system)
        without = evaluate(organic_ensemble(model.symbols, 3).double(), system)
        assert np.abs(expected.forces - without.forces).max() > 1.0  # eV/Å
        for precision, relative in RELATIVE.items():
            atoms.calc = NNPCalculator(path, dtype=DTYPES[precision])
            tolerance = relative * np.abs(expected.forces).max()
            energies = atoms.get_potential_energies()
            np.testing.assert_allclose(energies, expected.atomic_energies, rtol=0, atol=tolerance)
            np.testing.assert_allclose(atoms.get_forces(), expected.forces, rtol=0, atol=tolerance)
            np.testing.assert_allclose(atoms.calc.results["uq_energy"], expected.uq_energy, rtol=0, atol=tolerance)
            uq_force = atoms.calc.get_property("uq_force", atoms)
            np.testing.assert_allclose(uq_force, expected.uq_force, rtol=0, atol=tolerance)
            if system.periodic:
                virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
                np.testing.assert_allclose(virial, expected.virial, rtol=0, atol=20 * tolerance)


@pytest.mark.parametrize("kernel", ["fused", pytest.param("torchani", marks=pytest.mark.slow)])
def test_lone_atoms_and_pairs_beyond_the_cutoff(kernel: str, tmp_path: Path) -> None:
    model = repulsive_ensemble(("O", "H"), cutoff=5.3)  # elements in another order than by number
    path = export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64, kernel=kernel)
    elements = ("O", "H")
    for types, positions in (
        ([1], [[0, 0, 0]]),
        ([2, 1], [[0, 0, 0], [0, 0, 5.301]]),
        ([2, 2], [[0, 0, 0], [0, 5.2, 0]]),  # of the repulsion, not of the AEV
        ([1, 2, 2], [[0, 0, 0], [0, 0, 0.96], [9, 9, 9]]),
    ):
        system = System(elements, np.array(types), np.array(positions, dtype=float), 30.0 * np.eye(3), periodic=False)
        expected, atoms = evaluate(model.double(), system), atoms_of(system)
        atoms.calc = NNPCalculator(path)
        energies, forces = atoms.get_potential_energies(), atoms.get_forces()
        np.testing.assert_allclose(energies, expected.atomic_energies, rtol=0, atol=1e-9)
        np.testing.assert_allclose(forces, expected.forces, rtol=0, atol=1e-9)
        assert np.any(forces) == (types in ([2, 2], [1, 2, 2]))


def test_a_cutoff_function_that_the_operation_lacks(tmp_path: Path) -> None:
    model = repulsive_ensemble(cutoff_fn=CutoffSmooth(order=4))
    with pytest.warns(UserWarning, match="kernel 'torchani'.*the cutoff function of its repulsion is CutoffSmooth"):
        path = export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64)
    (system,) = systems("without an end")
    expected, atoms = evaluate(model.double(), system), atoms_of(system)
    atoms.calc = NNPCalculator(path)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-9 * np.abs(expected.forces).max())


def test_atoms_of_other_elements_are_refused_by_name(tmp_path: Path) -> None:
    """Scripted TorchANI gives them no energy, without a word."""
    path = export_ensemble(repulsive_ensemble(("O", "H"), 2), tmp_path / "model.pt")
    atoms = Atoms("HOSi", positions=[[0, 0, 0], [0, 0, 1], [0, 1.5, 0]], calculator=NNPCalculator(path))
    message = re.escape(f"atoms hold Si; model {path} knows O, H")
    with pytest.raises(ValueError, match=message):
        atoms.get_potential_energy()
    with pytest.raises(ValueError, match=message):
        predict(path, [atoms])


def test_a_training_from_it_is_refused(tmp_path: Path) -> None:
    """Networks trained from it would lack the repulsion."""
    model = repulsive_ensemble(("H", "C"), 2)
    with pytest.raises(NotMembersError, match=r"'repulsion_xtb' \(RepulsionXTB\).*nnpal trains only networks.*loses"):
        networks_of_model(model)
    for kernel in KERNELS:
        path = export_ensemble(model, tmp_path / f"{kernel}.pt", kernel=kernel)
        with pytest.raises(NotMembersError, match=r"pair terms xtb_repulsion.*would lack them; start from a model"):
            read_networks(path)


def test_the_order_of_elements_is_checked_before_a_training(tmp_path: Path) -> None:
    plain = organic_ensemble(("H", "C"), 2)
    parts = (plain.symbols, plain.aev_computer, plain.neural_networks, plain.energy_shifter)
    model = ANI(*parts, potentials={"repulsion_xtb": RepulsionXTB(("C", "H"), cutoff=5.1)})
    model.set_enabled("repulsion_xtb", False)
    assert networks_of_model(model).description.symbols == ("H", "C")
    plain.energy_shifter.atomic_numbers = plain.energy_shifter.atomic_numbers.flip(0)
    with pytest.raises(NotMembersError, match="self-energies are for C, H"):
        networks_of_model(plain)
