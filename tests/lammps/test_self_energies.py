"""`self_energies yes|no`: whether energies include the elements' self-energies."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule as build_molecule

from lmp_runner import THERMO_FORMAT, Lmp
from lmp_single_point import header, single_point
from lmp_systems import System, random_hcno
from nnpal.model.calculator import NNPCalculator
from torchani_reference import ExportedModel

OBSERVE = f"thermo_style custom step pe\n{THERMO_FORMAT}\nrun 0\n"


@pytest.mark.parametrize("neighbors", ["list", "cells"])
def test_energies_without_self_energies(lmp: Lmp, hcno_model: ExportedModel, neighbors: str) -> None:
    """Only the energies change, atom by atom by the self-energy of its element; in Python too."""
    system = random_hcno(24, 0.06, periodic=True)
    with_, without = (
        single_point(lmp, hcno_model, system, units="real", options=f"precision double neighbors {neighbors} {asked}")
        for asked in ("", "self_energies no")
    )
    kcal_per_mol = 23.060549  # of one eV, LAMMPS's own
    own = hcno_model.model.energy_shifter.self_energies.double().numpy() * 27.211386024367243
    shifts = own[[hcno_model.elements.index(symbol) for symbol in system.symbols]] * kcal_per_mol
    np.testing.assert_allclose(with_.atomic_energies - without.atomic_energies, shifts, rtol=1e-9)
    np.testing.assert_allclose(with_.energy - without.energy, shifts.sum(), rtol=1e-9)
    np.testing.assert_allclose(without.pair_energy, without.energy, rtol=1e-12)
    for name in ("forces", "virial", "uq_energy", "uq_force", "summary"):
        np.testing.assert_array_equal(getattr(with_, name), getattr(without, name), err_msg=name)

    atoms = Atoms(system.symbols, system.positions, cell=system.cell, pbc=True)
    atoms.calc = NNPCalculator(hcno_model.path, dtype=torch.float64, self_energies=False)
    np.testing.assert_allclose(atoms.get_potential_energy() * kcal_per_mol, without.energy, rtol=1e-7)
    np.testing.assert_allclose(atoms.get_potential_energies() * kcal_per_mol, without.atomic_energies, rtol=1e-7)
    atoms.calc = NNPCalculator(hcno_model.path, dtype=torch.float64)
    np.testing.assert_allclose(atoms.get_potential_energy() * kcal_per_mol, with_.energy, rtol=1e-7)


def text_record(text: str) -> bytes:
    """Return a text as restart files hold it: its length, its bytes."""
    return struct.pack("i", len(text)) + text.encode()


def test_restart_files_keep_the_choice(lmp: Lmp, hcno_model: ExportedModel) -> None:
    """Those of before the keyword are read as `yes`."""
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    for choice in ("no", "yes"):
        options = f"precision double self_energies {choice}"
        run = lmp(header(hcno_model, system, options=options) + OBSERVE + f"write_restart {choice}.restart\n")
        again = lmp(f"read_restart {choice}.restart\n" + OBSERVE)
        np.testing.assert_allclose(again.last("PotEng"), run.last("PotEng"), rtol=1e-12)
        assert (abs(again.last("PotEng")) > 1000.0) == (choice == "yes")

    written = (lmp.folder / "yes.restart").read_bytes()
    new_fields = text_record("nnpal settings 2") + text_record("yes")
    assert written.count(new_fields) == 1
    (lmp.folder / "old.restart").write_bytes(written.replace(new_fields, b""))
    old = lmp("read_restart old.restart\n" + OBSERVE)
    np.testing.assert_allclose(old.last("PotEng"), run.last("PotEng"), rtol=1e-12)


def test_bad_value(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    lmp.expect_error(
        header(hcno_model, system, options="self_energies off"),
        "self_energies is 'off', expected yes or no",
        ranks=(1,),
    )


@pytest.mark.parametrize(("precision", "style"), [("single", "fire"), ("double", "cg")])
def test_minimization_of_a_molecule(lmp: Lmp, hcno_model: ExportedModel, precision: str, style: str) -> None:
    """The settings of docs/pair_nnp.md, Molecules: they end below 0.02 kcal/mol/Å."""
    molecule = ethanol()
    molecule.write(lmp.folder / "data")
    run = lmp(
        header(hcno_model, molecule, units="real", options=f"precision {precision} self_energies no")
        + f"""min_style {style}
min_modify {"line forcezero" if style == "cg" else "dmax 0.1"}
thermo_style custom step pe fmax
{THERMO_FORMAT}
minimize 0.0 1e-2 2000 5000
"""
    )
    assert "Stopping criterion = force tolerance" in run.text
    assert run.last("Fmax") < 0.02


def ethanol() -> System:
    """Ethanol with atoms off their places by 0.05 Å."""
    atoms = build_molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=1)
    elements = ("H", "C", "N", "O")
    types = np.array([elements.index(symbol) + 1 for symbol in atoms.symbols])
    return System(elements, types, atoms.positions, 40.0 * np.eye(3), periodic=False, origin=np.full(3, -20.0))
