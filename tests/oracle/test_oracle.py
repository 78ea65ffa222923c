"""The parts of `nnpal.oracle` that need no LAMMPS."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from nnpal.hooks import HookError
from nnpal.oracle.calculation import evaluate, gives_stress, make_calculator
from nnpal.oracle.elements import numbers_of_types
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.snapshot import gathered, rows_of
from processes import run


@pytest.mark.parametrize(
    ("masses", "numbers"),
    [([1.008, 12.011], [1, 6]), ([1.0, 12.0, 26.98], [1, 6, 13]), ([58.69, 58.93], [28, 27]), ([238.03], [92])],
)
def test_elements_from_masses(masses: list[float], numbers: list[int]) -> None:
    assert numbers_of_types(None, np.array([0.0, *masses])).tolist() == [0, *numbers]


@pytest.mark.parametrize(
    ("mass", "message"),
    [
        (2.014, "mass 2.014 of atom type 1 is within 0.1 g/mol of no element; give `elements`"),
        (1e5, "no element"),
        (40.0, r"Ar \(39.948\) and Ca \(40.078\)"),
    ],
)
def test_masses_of_no_or_two_elements(mass: float, message: str) -> None:
    with pytest.raises(HookError, match=message):
        numbers_of_types(None, np.array([0.0, mass]))


def test_elements_given() -> None:
    assert numbers_of_types(["H", "C"], np.array([0.0, 2.014, 13.003])).tolist() == [0, 1, 6]
    with pytest.raises(HookError, match="elements C: found 1, expected one for each of 2 types"):
        numbers_of_types(["C"], np.array([0.0, 1.0, 12.0]))
    for word in ("charge", "X"):
        with pytest.raises(HookError, match=f"{word} is not a chemical element; give `elements` last"):
            numbers_of_types(["C", word], np.array([0.0, 1.0, 12.0]))


def test_calculators_by_name() -> None:
    assert isinstance(make_calculator("ase.calculators.emt:EMT", {}), EMT)
    for spec, message in (
        ("EMT", "expected MODULE:CLASS"),
        ("no_such_module:EMT", "module no_such_module cannot be imported"),
        ("ase.calculators.emt:ETM", "no ETM in ase.calculators.emt; did you mean EMT"),
    ):
        with pytest.raises(HookError, match=message):
            make_calculator(spec, {})
    with pytest.raises(HookError, match="has no option sigm; did you mean sigma"):
        make_calculator("ase.calculators.lj:LennardJones", {"sigm": 2.0})


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("tblite.ase:TBLite", {"charge": "one"}, r"option charge = 'one': expected the total charge, a number .*write"),
        ("tblite.ase:TBLite", {"charge": True}, r"option charge = True: expected the total charge"),
        ("tblite.ase:TBLite", {"charge": float("inf")}, r"option charge = inf: expected the total charge"),
        ("tblite.ase:TBLite", {"charge": 1e300}, r"option charge = 1e\+300: expected the total charge"),
        ("tblite.ase:TBLite", {"multiplicity": "triplet"}, r"option multiplicity = 'triplet': expected 2S\+1"),
        ("tblite.ase:TBLite", {"multiplicity": 0}, r"option multiplicity = 0: expected 2S\+1"),
        ("tblite.ase:TBLite", {"multiplicity": 2.5}, r"option multiplicity = 2.5: expected 2S\+1"),
        ("tblite.ase:TBLite", {"accuracy": float("nan")}, r"option accuracy = nan: expected a number"),
        ("ase.calculators.orca:ORCA", {"mult": "3"}, r"option mult = '3': expected 2S\+1"),
    ],
)
def test_options_of_calculators_that_are_no_numbers(spec: str, options: dict[str, object], message: str) -> None:
    """They are refused by name, before a calculator fails at them in its own words."""
    pytest.importorskip("tblite")
    with pytest.raises(HookError, match=f"calculator {spec}: {message}"):
        make_calculator(spec, options)


def test_evaluates_as_ase_does() -> None:
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.1, seed=1)
    calculator = EMT()
    assert gives_stress(calculator)
    result = evaluate(calculator, atoms, want_stress=True)
    atoms.calc = EMT()
    assert result.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-14)
    np.testing.assert_allclose(result.forces, atoms.get_forces(), rtol=1e-14)
    np.testing.assert_allclose(result.stress, atoms.get_stress(), rtol=1e-14)
    assert evaluate(calculator, atoms, want_stress=False).stress is None


def test_failure_holds_the_calculators_words() -> None:
    with pytest.raises(CalculationFailed, match="NotImplementedError: No EMT-potential for Fe"):
        evaluate(EMT(), bulk("Fe"), want_stress=False)
    touching = Atoms("Al2", positions=np.zeros((2, 3)))
    with (
        pytest.raises(CalculationFailed, match="not finite"),
        np.errstate(all="ignore"),
    ):
        evaluate(EMT(), touching, want_stress=False)


class OneRank:
    """What `gathered` uses of a communicator."""

    rank, size = 0, 1


def test_gathered_atoms_are_in_the_order_of_their_ids() -> None:
    tags = np.array([7, 2, 5], dtype=np.int32)
    x = np.arange(9.0).reshape(3, 3)
    all_tags, all_x = gathered(OneRank(), tags, x)
    assert all_tags.tolist() == [2, 5, 7]
    assert all_x.tolist() == x[[1, 2, 0]].tolist()
    np.testing.assert_array_equal(all_x[rows_of(tags, all_tags)], x)


IMPORTS = ("import torch", "from tblite.ase import TBLite")
ENERGIES = """
from ase.build import molecule
atoms = molecule("C2H6")
atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
print(float(atoms.get_potential_energy()), float(abs(atoms.get_forces()).max()))
a = torch.randn(64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
print(float((a @ a @ a).sum()), float(torch.linalg.eigvalsh(a @ a.T).max()))
"""


def test_tblite_and_torch_in_one_process_in_either_order() -> None:
    """Both bring an OpenMP and a BLAS; their clash elsewhere gave wrong energies (tblite issues 110 and 116)."""
    pytest.importorskip("tblite")
    outputs = []
    for imports in (IMPORTS, IMPORTS[::-1], (IMPORTS[1], "import math")):
        code = "\n".join(imports) + ENERGIES
        if "import torch" not in imports:
            code = code.split("a = torch")[0]
        done = run([sys.executable, "-c", code])
        assert done.returncode == 0, done.stderr
        outputs.append([float(word) for word in done.stdout.split()])
    # eV and eV/Å; the libraries may add in another order, and no more
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-9)
    np.testing.assert_allclose(outputs[0][:2], outputs[2], rtol=1e-9)  # as without torch
