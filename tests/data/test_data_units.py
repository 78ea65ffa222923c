"""Units are stated: names, factors, and what is refused."""

from __future__ import annotations

import pytest
from ase import units as ase_units

from nnpal.data import Units


def test_factors_of_named_units() -> None:
    units = Units("hartree", "bohr", stress="GPa")
    assert units.to_ev == pytest.approx(27.211386, abs=1e-6)
    assert units.to_angstrom == pytest.approx(0.52917721, abs=1e-8)
    assert units.to_ev_per_angstrom == pytest.approx(51.422067, abs=1e-6)
    assert units.to_ev_per_angstrom3 == pytest.approx(1 / 160.21766, rel=1e-6)


def test_forces_and_stresses_follow_energy_and_length_unless_named() -> None:
    assert Units("kcal/mol", "Å").to_ev_per_angstrom == pytest.approx(0.0433641, abs=1e-7)
    assert Units("hartree", "bohr").to_ev_per_angstrom3 == pytest.approx(27.211386 / 0.52917721**3, rel=1e-7)
    named = Units("eV", "Å", force="kcal/mol/bohr", stress="hartree/bohr³")
    assert named.to_ev_per_angstrom == pytest.approx(0.0433641 / 0.52917721, rel=1e-6)
    assert named.to_ev_per_angstrom3 == pytest.approx(Units("hartree", "bohr").to_ev_per_angstrom3)


@pytest.mark.parametrize(
    ("style", "energy", "length", "stress"),
    [
        ("metal", 1.0, 1.0, ase_units.bar),
        ("real", ase_units.kcal / ase_units.mol, 1.0, 1.01325 * ase_units.bar),
        ("electron", ase_units.Hartree, ase_units.Bohr, ase_units.Pascal),
    ],
)
def test_lammps_styles(style: str, energy: float, length: float, stress: float) -> None:
    units = Units.lammps(style)
    assert (units.to_ev, units.to_angstrom) == pytest.approx((energy, length))
    assert units.to_ev_per_angstrom3 == pytest.approx(stress)
    assert Units.parse(style) == units


def test_other_spellings_are_the_same_units() -> None:
    assert Units("EV", "Angstrom") == Units("eV", "Å") == Units.parse("ev, ang") == Units.parse("eV A")
    assert Units("Ha", "a0") == Units("hartree", "bohr")
    assert Units.parse("hartree Å GPa") == Units("hartree", "Å", stress="gpa")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Units("hatree", "Å"), "unit of energy 'hatree': unknown; did you mean hartree"),
        (lambda: Units("eV", "born"), "unit of length 'born': unknown; did you mean bohr"),
        (lambda: Units("eV", "Å", stress="GPA3"), "unit of stress 'GPA3'"),
        (lambda: Units("eV", "Å", force="eV"), "expected ENERGY/LENGTH"),
        (lambda: Units.lammps("lj"), "LAMMPS unit style 'lj': has no scale"),
        (lambda: Units.parse("metl"), "did you mean metal"),
        (lambda: Units.parse("eV"), r"units 'eV': expected a LAMMPS unit style \(metal, real, electron\) or `ENERGY L"),
        (lambda: Units.parse("eV Å GPa bar"), "expected a LAMMPS unit style .metal"),
    ],
)
def test_wrong_names_are_errors(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
