"""Broken-symmetry UHF and Kohn-Sham by PySCF: bonds that break, charge and spin, failures."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import SCFError

from nnpal.hooks import HookError
from nnpal.label import CalculatorOracle
from nnpal.oracle.calculation import make_calculator
from nnpal.oracle.calculators import PYSCF
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.pyscf_calculator import UnrestrictedPySCF

pytest.importorskip("pyscf")

HYDROGEN = -0.46658185 * units.Hartree
"""Energy of the hydrogen atom in STO-3G: the standard value of the basis set."""


def hydrogen(distance: float) -> Atoms:
    return Atoms("H2", positions=[[0, 0, 0], [0, 0, distance]])


def computed(atoms: Atoms, **options: object) -> UnrestrictedPySCF:
    atoms.calc = UnrestrictedPySCF(**{"basis": "sto-3g", **options})
    atoms.get_forces()
    return atoms.calc


def test_a_bond_breaks_into_two_radicals() -> None:
    atoms = hydrogen(5.0)
    calculator = computed(atoms)
    # the overlap of the two atoms' functions at 5 Å lowers it by less than 1 meV
    assert atoms.get_potential_energy() == pytest.approx(2 * HYDROGEN, abs=1e-3)
    assert calculator.spin_squared == pytest.approx(1.0, abs=1e-3)
    from pyscf import gto, scf

    # PySCF's own guess of UHF ends in closed shells, 7 eV higher
    plain = scf.UHF(gto.M(atom="H 0 0 0; H 0 0 5.0", basis="sto-3g", verbose=0))
    assert plain.kernel() * units.Hartree > 2 * HYDROGEN + 5.0


@pytest.mark.parametrize("xc", ["hf", "pbe"])
def test_forces_are_the_derivative_on_both_sides_of_the_onset(xc: str) -> None:
    """H2 parts from closed shells at 1.2 Å (UHF) and 1.5 Å (PBE)."""
    spins = []
    for distance in (0.9, 1.9):
        atoms = hydrogen(distance)
        spins.append(computed(atoms, xc=xc).spin_squared)
        energies = []
        for sign in (1, -1):
            moved = hydrogen(distance + sign * 1e-3)
            computed(moved, xc=xc)
            energies.append(moved.get_potential_energy())
        # 1e-6 × third derivative, and the integration grid, which moves with the atoms
        assert atoms.get_forces()[1, 2] == pytest.approx(-(energies[0] - energies[1]) / 2e-3, abs=2e-3)
    assert spins[0] == pytest.approx(0.0, abs=1e-6)
    assert spins[1] > 0.3


def test_the_end_does_not_depend_on_the_way() -> None:
    """Stretching and pushing together with the last density reach what a fresh start does."""
    kept = UnrestrictedPySCF(basis="sto-3g")
    for distance in (0.8, 1.3, 2.0, 1.3, 1.0):
        atoms = hydrogen(distance)
        atoms.calc = kept
        fresh = hydrogen(distance)
        computed(fresh)
        assert atoms.get_potential_energy() == pytest.approx(fresh.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(atoms.get_forces(), fresh.get_forces(), atol=1e-3)


def test_charge_and_multiplicity_of_a_structure() -> None:
    oracle = CalculatorOracle(PYSCF, {"basis": "sto-3g"})
    assert oracle.n_rungs == 2
    apart = hydrogen(1.0)
    apart.info["multiplicity"] = 3
    singlet, triplet = oracle.compute(hydrogen(1.0)), oracle.compute(apart)
    assert triplet.energy > singlet.energy + 3.0
    assert triplet.stress is None
    ion = hydrogen(1.06)
    ion.info["charge"] = 1
    from pyscf import gto, scf

    own = scf.UHF(gto.M(atom="H 0 0 0; H 0 0 1.06", basis="sto-3g", charge=1, spin=1, verbose=0)).kernel()
    assert oracle.compute(ion).energy == pytest.approx(own * units.Hartree, abs=1e-5)
    assert "periodic in no direction" in oracle.refusal(Atoms("H2", positions=np.eye(3)[:2], cell=[9] * 3, pbc=True))
    wrong = hydrogen(1.0)
    wrong.info["multiplicity"] = 2
    assert "multiplicity" in oracle.refusal(wrong)


def test_failures() -> None:
    with pytest.raises(SCFError, match=r"hf/sto-3g: SCF not converged after 1 iterations \(max_cycle\)"):
        computed(molecule("H2O"), max_cycle=1)
    with pytest.raises(CalculationFailed, match=r"SCF not converged"):
        CalculatorOracle(PYSCF, {"basis": "sto-3g", "max_cycle": 1}, ladder=[]).compute(molecule("H2O"))
    with pytest.raises(ValueError, match="multiplicity 0 and charge 0 leave 2 electrons"):
        computed(hydrogen(1.0), multiplicity=0)
    for options, message in (
        ({"xc": "no-such"}, "PySCF has no such functional"),
        ({"basiss": "sto-3g"}, "did you mean basis"),
        ({"kpts": 2}, "no option kpts"),
        ({"charge": "one"}, "option charge"),
    ):
        with pytest.raises(HookError, match=message):
            make_calculator(PYSCF, options)
    with pytest.raises(CalculationFailed, match="basis = 'no-such'"):
        CalculatorOracle(PYSCF, {"basis": "no-such"}).compute(hydrogen(1.0))
