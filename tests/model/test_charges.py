"""Charges of models with charge networks: files against TorchANI called directly, by both kernels."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from torchani.arch import simple_aniq
from torchani.electro import BaseChargeNormalizer

from broken_files import in_a_zip_of_ours
from calibrated_models import resaved
from ensembles import charged_ensemble, organic_ensemble, published_ensemble
from lmp_systems import random_hcno
from nnpal.geometry.neighbor_graph import atoms_graph
from nnpal.model import ModelFileError, export_ensemble, load_model, read_metadata
from nnpal.model.calculator import NNPCalculator
from nnpal.model.core_model import CoreModel, load_core_model
from torchani_reference import charges_of, evaluate

# Of charges of some 0.1 e; float32 keeps 6e-8 of each of 1e2 terms, and Gaussians multiply the rounding of distances
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}

# Shares by w q^2 or by w, and the reach of a dispersion, with which the list has edges that the AEV does not see
FORMS = {"of ANImbis": (True, 0.0), "shared by element": (False, 0.0), "with dispersion": (True, 5.6)}


def atoms_of(n_atoms: int, *, periodic: bool = False) -> Atoms:
    system = random_hcno(n_atoms, 0.08, periodic=periodic)
    return Atoms(system.symbols, system.positions, cell=system.cell if periodic else None, pbc=periodic)


@pytest.fixture(scope="module")
def file_of_animbis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of its form, with small networks."""
    return export_ensemble(charged_ensemble(), tmp_path_factory.mktemp("charges") / "model.pt", dtype=torch.float64)


@pytest.mark.parametrize(
    ("form", "kernel"),
    [
        ("of ANImbis", "fused"),
        pytest.param("of ANImbis", "torchani", marks=pytest.mark.slow),
        ("shared by element", "torchani"),
        ("shared by element", "fused"),
        ("with dispersion", "fused"),
        pytest.param("with dispersion", "torchani", marks=pytest.mark.slow),
    ],
)
def test_they_are_torchanis(form: str, kernel: str, tmp_path: Path) -> None:
    by_squares, reach = FORMS[form]
    model = charged_ensemble(by_squares=by_squares, reach=reach)
    path = export_ensemble(model, tmp_path / "model.pt", kernel=kernel, dtype=torch.float64)
    assert read_metadata(path).charges
    model = model.double()
    calculator = NNPCalculator(path)
    assert isinstance(calculator.model, CoreModel) == (kernel == "fused" and not reach)
    for atoms in (atoms_of(12), atoms_of(12, periodic=True)):
        expected = charges_of(model, atoms)
        assert np.abs(expected).max() > 0.05
        found = calculator.get_property("charges", atoms)
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[torch.float64])
        assert abs(found.sum()) < 1e-12
        by_torch = load_model(path)  # what a GPU runs
        graph = atoms_graph(atoms, model.symbols, by_torch.metadata.cutoff, model="test")
        np.testing.assert_allclose(by_torch.charges(graph).numpy(), expected, rtol=0, atol=TOLERANCE[torch.float64])
    single = NNPCalculator(path, dtype=torch.float32).get_property("charges", atoms)
    np.testing.assert_allclose(single, expected, rtol=0, atol=TOLERANCE[torch.float32])


def test_energies_do_not_depend_on_them(file_of_animbis: Path) -> None:
    model, system = charged_ensemble().double(), random_hcno(12, 0.08, periodic=False)
    expected, atoms = evaluate(model, system), Atoms(system.symbols, system.positions)
    atoms.calc = NNPCalculator(file_of_animbis)
    np.testing.assert_allclose(atoms.get_potential_energies(), expected.atomic_energies, rtol=0, atol=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-9 * np.abs(expected.forces).max())
    assert "charges" not in atoms.calc.results  # nobody has asked
    np.testing.assert_allclose(atoms.get_charges(), charges_of(model, atoms), rtol=0, atol=1e-9)


def test_fewer_members_have_the_same_charges(file_of_animbis: Path) -> None:
    atoms = atoms_of(8)
    whole, one = (NNPCalculator(file_of_animbis, members=n).get_property("charges", atoms) for n in (None, 1))
    np.testing.assert_array_equal(one, whole)


def test_a_molecule_far_away_changes_them(file_of_animbis: Path) -> None:
    """As in TorchANI: the excess of all atoms is shared by all atoms."""
    calculator, water = NNPCalculator(file_of_animbis), molecule("H2O")
    both = water + Atoms("CO", positions=[[50, 0, 0], [50, 0, 1.1]])
    alone, beside = (calculator.get_property("charges", atoms) for atoms in (water, both))
    np.testing.assert_allclose(beside, charges_of(charged_ensemble().double(), both), rtol=0, atol=1e-9)
    assert np.abs(beside[:3] - alone).max() > 1e-3


def test_a_lone_atom_has_none(file_of_animbis: Path) -> None:
    """TorchANI gives NaN; beside a molecule it is 0."""
    calculator, lone = NNPCalculator(file_of_animbis), Atoms("O")
    far_apart = Atoms("OH", positions=[[0, 0, 0], [9, 0, 0]])
    for atoms in (lone, far_apart):
        assert np.isnan(charges_of(charged_ensemble().double(), atoms)).all()
        message = rf"not defined: .*give 0 to atom 0 \(O\) and to each of the {len(atoms)} atom"
        with pytest.raises(ValueError, match=message):
            calculator.get_property("charges", atoms)
    beside = calculator.get_property("charges", molecule("H2O") + Atoms("O", positions=[[20, 0, 0]]))
    assert beside[3] == 0.0
    assert np.abs(beside).max() > 0.01


def test_a_charge_that_is_not_finite_is_named(file_of_animbis: Path) -> None:
    model, atoms = load_model(file_of_animbis), molecule("H2O")
    model.module.charge_part.shares.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"not finite: that of atom 0 \(O\) is -?0\.\d+ and its share nan"):
        model.charges(atoms_graph(atoms, model.metadata.elements, model.metadata.cutoff, model="test"))


def test_a_model_without(tmp_path: Path) -> None:
    path = export_ensemble(organic_ensemble(("H", "O"), 2), tmp_path / "model.pt")
    calculator = NNPCalculator(path)
    assert "charges" not in calculator.implemented_properties
    with pytest.raises(ValueError, match=rf"model {re.escape(str(path))} has no charges; export one.*ANImbis"):
        calculator.get_property("charges", molecule("H2O"))


def test_the_self_check_looks_at_them(file_of_animbis: Path, tmp_path: Path) -> None:
    path = resaved(file_of_animbis, tmp_path / "edited.pt", lambda m: m["reference"]["charges"].reverse())
    with pytest.raises(ModelFileError, match="self-check fails, charges"):
        load_model(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("n_networks", 2, "weights, but the record"),
        ("n_networks", 0, "charges of no networks"),
        ("shares", [1.0], "has not one share of the excess charge for each element"),
        ("scale_by_squares", None, "no key 'scale_by_squares'"),
        ("layers", [[2**62, 1]] * 4, "impossible size"),
        ("weights", {"record": "data/99"}, "names the record data/99 for the weights"),
    ],
)
def test_a_record_of_charges_that_is_wrong(
    file_of_animbis: Path, tmp_path: Path, key: str, value: object, message: str
) -> None:
    def edit(records: dict[str, bytes]) -> None:
        (name,) = [name for name in records if name.endswith("/fused.json")]
        fused = json.loads(records[name])
        fused["charges"] |= {key: value}
        if value is None:
            del fused["charges"][key]
        records[name] = json.dumps(fused).encode()

    path = in_a_zip_of_ours(file_of_animbis, tmp_path / "edited.pt", edit)
    with pytest.raises(ModelFileError, match=message):
        load_core_model(path)


def test_charges_that_a_file_cannot_hold(tmp_path: Path) -> None:
    """The energies are written, and export says what is left out."""
    model = simple_aniq(("H", "O"), "wb97x-631gd", 2, container_ctor="like_1x", repulsion=False, normalize=False)
    assert type(model.potentials["nnp"].charge_normalizer) is BaseChargeNormalizer
    with pytest.warns(UserWarning, match="energies are written, its charges are not: .*a BaseChargeNormalizer"):
        path = export_ensemble(model, tmp_path / "model.pt")
    assert not read_metadata(path).charges
    model = charged_ensemble(("H", "O"))
    model.potentials["nnp"].charge_normalizer = charged_ensemble(("O", "H")).potentials["nnp"].charge_normalizer
    with pytest.warns(UserWarning, match="its charges are not: their normalizer is for O, H in this order"):
        export_ensemble(model, tmp_path / "model.pt")


def test_charge_networks_of_other_elements_are_refused(tmp_path: Path) -> None:
    model = charged_ensemble(("H", "O"))
    model.potentials["nnp"].charge_networks = charged_ensemble(("O", "H")).potentials["nnp"].charge_networks
    with pytest.raises(ValueError, match="model's charge networks are for O, H in this order"):
        export_ensemble(model, tmp_path / "model.pt")


@pytest.mark.slow
def test_those_of_animbis(tmp_path: Path) -> None:
    """As torchani.models builds it."""
    model = published_ensemble("ANImbis")
    path = export_ensemble(model, tmp_path / "model.pt", dtype=torch.float64)
    assert load_model(path).metadata.kernel == "fused"
    atoms = atoms_of(12)
    found = NNPCalculator(path).get_property("charges", atoms)
    np.testing.assert_allclose(found, charges_of(model.double(), atoms), rtol=0, atol=1e-9)
