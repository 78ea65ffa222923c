"""Ensembles of MACE models: the numbers of mace-torch's own calculator, from Python and from LAMMPS."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from doc_blocks import blocks
from lmp_runner import THERMO_FORMAT, run_lmp
from mace_models import by_mace, mace_model
from nnpal import NNPCalculator, load_model
from nnpal.evaluation.gate import check_export
from nnpal.lammps.data_file import write_data
from nnpal.model.adapters import export_mace

pytestmark = pytest.mark.filterwarnings("ignore")  # mace-torch, e3nn, and torch about them


@pytest.fixture(scope="module", autouse=True)
def mace() -> Iterator[None]:
    """Import mace-torch, which sets a variable for torch.load, as no test before or after this file has it."""
    if find_spec("mace") is None:
        pytest.skip("pip install mace-torch")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        import mace.calculators  # noqa: F401

        yield


OWN_E0 = [(-13.6, -1029.0), (-13.9, -1029.5)]


def ethane() -> Atoms:
    """A cell shorter than the cutoff along x."""
    atoms = molecule("C2H6", cell=(3.7, 5.0, 6.0), pbc=True)
    atoms.rattle(0.1, seed=1)
    return atoms


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, str]]] = {
    "ensemble": ([{"e0": e0} for e0 in OWN_E0], {}),
    "without scale and shift": ([{"scaled": False}], {}),
    "with repulsion, one interaction": ([{"repulsion": True, "interactions": 1}], {}),
    "second of two heads": ([{"heads": ["a", "b"], "e0": [OWN_E0[0], OWN_E0[1]]}], {"head": "b"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_its_calculator(case: str, tmp_path: Path) -> None:
    members, options = CASES[case]
    models = [mace_model(seed, **member) for seed, member in enumerate(members)]
    path = export_mace(models, tmp_path / "mace.nnp.pt", **options)
    atoms = ethane()
    expected = by_mace(models, atoms, **options)
    atoms.calc = NNPCalculator(path)
    assert abs(atoms.get_potential_energy() - expected["energy"]) < 1e-9
    # 2000 eV in sums of another order: 1e-12
    np.testing.assert_allclose(atoms.get_potential_energies(), expected["energies"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), expected["forces"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(atoms.get_stress(), expected["stress"], rtol=0, atol=1e-11)
    assert np.abs(expected["forces"]).max() > 1e-2
    assert load_model(path).metadata.hops == members[0].get("interactions", 2)
    if len(models) > 1:
        forces = expected["forces_comm"]
        spread = np.sqrt(forces.var(0).sum(-1))
        np.testing.assert_allclose(atoms.calc.get_property("uq_force", atoms), spread, rtol=0, atol=1e-9)


def test_a_lone_atom_and_its_e0(tmp_path: Path) -> None:
    """E0 are self-energies; what MACE gives a lone atom beside stays in the interaction energy."""
    model = mace_model(0)
    path = export_mace(model, tmp_path / "mace.nnp.pt")
    assert load_model(path).self_energies.tolist() == [-13.6, -1029.0]
    lone = Atoms("C")
    expected = by_mace([model], lone)["energy"]
    assert abs(expected + 1029.0) > 0.01
    lone.calc = NNPCalculator(path)
    assert lone.get_potential_energy() == pytest.approx(expected, abs=1e-9)


def test_models_stay_as_they_are(tmp_path: Path) -> None:
    model = mace_model(0, dtype="float32")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path = export_mace(model, tmp_path / "mace.nnp.pt")
    assert load_model(path).metadata.dtype == "float32"
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.mpi
def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of models, as mace-torch saves them, and the LAMMPS lines of mace.md."""
    monkeypatch.chdir(tmp_path)
    for seed in (1, 2, 3):
        torch.save(mace_model(seed), f"seed{seed}.model")
    (python,), (lammps,) = blocks("python", "mace.md"), blocks("lammps", "mace.md")
    exec(python.text, {})
    write_data(tmp_path / "box.data", ethane() * (5, 1, 1), ["H", "C"])
    script = (
        f"atom_modify map array\nunits metal\nread_data box.data\n{lammps.text}thermo_style custom step pe c_uq[1]\n"
    )
    done = [run_lmp(f"{script}{THERMO_FORMAT}\nrun 0\n", tmp_path, n_ranks=ranks) for ranks in (1, 2)]
    assert [run.returncode for run in done] == [0, 0], done[-1].text
    assert done[0].last("c_uq[1]") > 1e-6
    for column in ("PotEng", "c_uq[1]"):
        assert done[0].last(column) == pytest.approx(done[1].last(column), rel=1e-10)


@pytest.mark.mpi
def test_lammps_on_one_and_two_ranks(tmp_path: Path) -> None:
    models = [mace_model(seed, e0=e0, repulsion=True) for seed, e0 in enumerate(OWN_E0)]
    path = export_mace(models, tmp_path / "mace.nnp.pt")
    report = check_export(path, [ethane() * (5, 1, 1), molecule("CH4", vacuum=3.0)], launch=("mpirun", "-np", "2"))
    assert any("mpirun" in check.name for check in report.checks)


def with_charge() -> torch.nn.Module:
    model = mace_model(0)
    model.joint_embedding = torch.nn.Identity()
    model.embedding_specs = {"charge": {}}
    return model


REFUSED = {
    "something else": (lambda: [torch.nn.Linear(1, 1)], {}, r"models\[0\] is a Linear, expected one of MACE"),
    "none": (lambda: [], {}, "models is empty"),
    "charge": (lambda: [with_charge()], {}, r"models\[0\] takes charge beside positions"),
    "cutoffs": (lambda: [mace_model(0), mace_model(1, cutoff=4.5)], {}, r"models\[1\] has cutoff r_max, Å, 4.5"),
    "elements": (
        lambda: [mace_model(0), mace_model(1, atomic_numbers=(1, 8))],
        {},
        r"models\[1\] has atomic numbers \[1, 8\], models\[0\] \[1, 6\]",
    ),
    "no head": (lambda: [mace_model(0, heads=["a", "b"], e0=OWN_E0)], {}, "has the heads .*; give head"),
    "unknown head": (lambda: [mace_model(0)], {"head": "pbe"}, "head is 'pbe', but"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_models_that_are_refused(case: str, tmp_path: Path) -> None:
    models, options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        export_mace(models(), tmp_path / "mace.nnp.pt", **options)
    assert not list(tmp_path.iterdir())
