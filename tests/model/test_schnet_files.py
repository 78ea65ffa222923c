"""SchNet in a model file: calculator and predictions beside the modules, networks read back, refusals."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from ensembles import one_element_ensemble
from nnpal.evaluation.prediction import predict
from nnpal.geometry.neighbor_graph import atoms_graph, edge_forces
from nnpal.model import export_ensemble, load_model
from nnpal.model.calculator import NNPCalculator
from nnpal.model.schnet import export_schnet, schnet_networks
from schnet_cases import SMALL, energies_and_gradient, network

SELF_ENERGIES = (-13.6, -2041.5)
MEMBERS = [network(seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schnet") / "water.nnp.pt"
    return export_schnet(SMALL, MEMBERS, path, self_energies=SELF_ENERGIES)


def crystal() -> Atoms:
    """Triclinic and shorter than the cutoff in two directions: an atom meets its own images."""
    atoms = Atoms("HOH", [[0.1, 0.0, 0.2], [0.9, 0.8, 0.1], [0.3, 1.1, 1.9]], pbc=True)
    atoms.cell = [[1.9, 0.0, 0.0], [0.4, 2.1, 0.0], [-0.3, 0.5, 3.1]]
    return atoms


def test_the_file_says_what_it_holds(model: Path) -> None:
    metadata = load_model(model).metadata
    assert (metadata.kind, metadata.hops, metadata.cutoff) == ("schnet", 3, SMALL.cutoff)
    assert (metadata.elements, metadata.dtype, metadata.n_members) == (["H", "O"], "float64", 3)


def test_the_code_has_no_constants_whose_order_each_process_draws(model: Path) -> None:
    with zipfile.ZipFile(model) as archive:
        code = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    assert any(b"class Linear" in text for text in code.values())
    assert not [name for name, text in code.items() if b"Final[" in text]


def test_calculator_gives_the_modules_numbers(model: Path) -> None:
    atoms = crystal()
    graph = atoms_graph(atoms, SMALL.symbols, SMALL.cutoff, model="test")
    answers = [energies_and_gradient(member, graph) for member in MEMBERS]
    energies = np.array([energies.numpy() for energies, _ in answers])
    forces = np.array([edge_forces(graph, gradient).numpy() for _, gradient in answers])
    assert forces.std(0).max() > 0.01, "members that agree tell nothing"
    atoms.calc = NNPCalculator(model)
    uq_force = atoms.calc.get_property("uq_force", atoms)
    found, close = atoms.calc.results, {"rtol": 0, "atol": 1e-10}
    np.testing.assert_allclose(found["energies"], energies.mean(0) + np.array(SELF_ENERGIES)[[0, 1, 0]], **close)
    np.testing.assert_allclose(found["forces"], forces.mean(0), **close)
    np.testing.assert_allclose(found["uq_energy"], energies.std(0), **close)
    np.testing.assert_allclose(uq_force, np.sqrt(forces.var(0).sum(-1)), **close)


def test_forces_and_stress_are_slopes_of_the_energy(model: Path) -> None:
    """Central differences with 1e-4 Å: truncation 1e-8 of third derivatives, rounding 2e3 eV * 2e-16 / 1e-4."""
    atoms = crystal()
    atoms.calc = NNPCalculator(model)
    assert np.abs(atoms.get_forces()).max() > 0.01
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-6)
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-4), atol=1e-6)


def test_a_cell_shorter_than_the_cutoff_is_its_supercell(model: Path) -> None:
    cell = crystal()
    supercell = cell * (3, 3, 2)
    for atoms in (cell, supercell):
        atoms.calc = NNPCalculator(model)
    for name in ("energies", "forces", "uq_energy"):
        repeated = cell.calc.get_property(name, cell)
        found = supercell.calc.get_property(name, supercell).reshape(-1, *repeated.shape)
        np.testing.assert_allclose(found, np.broadcast_to(repeated, found.shape), rtol=0, atol=1e-9)
    np.testing.assert_allclose(supercell.get_stress(), cell.get_stress(), atol=1e-9)


def test_predictions_of_many_frames_are_those_of_the_calculator(model: Path) -> None:
    """Frames side by side in one graph pass no messages to each other."""
    frames = [crystal(), Atoms("OH", [[0, 0, 0], [0.9, 0.2, 0]]), Atoms("H"), crystal() * (2, 1, 1)]
    found = predict(model, frames)
    calculator = NNPCalculator(model)
    for k, atoms in enumerate(frames):
        own = found.frame_of_atom == k
        assert found.energies[k] == pytest.approx(calculator.get_potential_energy(atoms), abs=1e-9)
        np.testing.assert_allclose(found.forces[own], calculator.get_forces(atoms), atol=1e-9)
        np.testing.assert_allclose(found.uq_force[own], calculator.get_property("uq_force", atoms), atol=1e-9)


def test_single_precision_is_near(tmp_path: Path, model: Path) -> None:
    """Of interaction energies near 1 eV: some hundred roundings of 6e-8; self-energies stay double."""
    single = export_schnet(SMALL, MEMBERS, tmp_path / "s.nnp.pt", self_energies=SELF_ENERGIES, dtype=torch.float32)
    atoms = crystal()
    for name, tolerance in (("energies", 1e-5), ("forces", 1e-5)):
        found, expected = (NNPCalculator(path).get_property(name, atoms) for path in (single, model))
        assert 0 < np.abs(found - expected).max() < tolerance


def test_networks_are_read_back(model: Path) -> None:
    members = schnet_networks(load_model(model))
    assert members.description == SMALL
    for found, expected in zip(members.networks, MEMBERS, strict=True):
        weights = expected.state_dict()
        assert found.state_dict().keys() == weights.keys()
        assert all(torch.equal(value, weights[name]) for name, value in found.state_dict().items())


def test_networks_of_some_elements_in_another_order(model: Path) -> None:
    members = schnet_networks(load_model(model))
    atoms = crystal()
    expected = atoms_graph(atoms, ["H", "O"], SMALL.cutoff, model="test")
    swapped = members.of_elements(["O", "H"])
    assert swapped.description == dataclasses.replace(SMALL, symbols=("O", "H"))
    graph = dataclasses.replace(expected, species=1 - expected.species)
    for one, other in zip(swapped.networks, MEMBERS, strict=True):
        assert torch.equal(energies_and_gradient(one, graph)[0], energies_and_gradient(other, expected)[0])
    assert members.of_elements(["O"]).networks[0].embedding.weight.shape == (1, SMALL.features)
    with pytest.raises(ValueError, match=r"embeddings for \['H', 'O'\], none for \['C'\]"):
        members.of_elements(["H", "C"])


def test_ani_is_no_schnet(tmp_path: Path) -> None:
    path = export_ensemble(one_element_ensemble(), tmp_path / "al.nnp.pt")
    with pytest.raises(ValueError, match="kind 'ani', expected 'schnet'"):
        schnet_networks(load_model(path))


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    path, wide = tmp_path / "m.nnp.pt", dataclasses.replace(SMALL, features=10)
    with pytest.raises(ValueError, match="networks is empty"):
        export_schnet(SMALL, [], path, self_energies=SELF_ENERGIES)
    with pytest.raises(ValueError, match="there are 1 self-energies, expected one for each of"):
        export_schnet(SMALL, MEMBERS, path, self_energies=(0.0,))
    with pytest.raises(ValueError, match=r"network 1 is SchNetDescription.*features=10"):
        export_schnet(SMALL, [MEMBERS[0], network(description=wide)], path, self_energies=SELF_ENERGIES)
    assert not path.exists()
