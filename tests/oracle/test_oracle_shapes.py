"""Results of calculators that have another shape, or are no numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator

from nnpal.oracle.calculation import evaluate
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.python_oracle import PythonOracle

SOUND: dict[str, Any] = {"energy": 1.0, "forces": np.zeros((2, 3)), "stress": np.zeros(6)}
FORCES = r"expected shape \(2, 3\): x y z of each atom, in eV/Å"
STRESS = r"expected shape \(6,\): xx yy zz yz xz xy \(Voigt\), in eV/Å³"
CASES: list[tuple[str, Any, str]] = [
    ("forces", np.zeros((2, 2)), rf"^forces have shape \(2, 2\), {FORCES}"),
    ("forces", np.zeros(6), rf"^forces have shape \(6,\), {FORCES}"),
    ("forces", [[0, 0, 0], [0, 0]], rf"^forces are \[\[0, 0, 0\], \[0, 0\]\], {FORCES}"),
    ("forces", None, rf"^forces are None, {FORCES}"),
    ("energy", np.zeros(3), r"^energy is an array of shape \(3,\), expected one number, in eV"),
    ("energy", "high", "^energy is 'high', expected one number, in eV"),
    ("energy", 1 + 2j, r"^energy is \(1\+2j\), expected one number, in eV"),
    ("energy", None, "^energy is None, expected one number, in eV"),
    ("stress", np.zeros(5), rf"^stress has shape \(5,\), {STRESS}"),
    ("stress", np.zeros((3, 3)), rf"^stress has shape \(3, 3\), {STRESS}"),
    ("stress", "none", f"^stress is 'none', {STRESS}"),
]


class Fixed(Calculator):
    """Give what it was given."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - as ASE declares it

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given = given

    def calculate(self, *_: Any) -> None:
        self.results = dict(self.given)

    def compute(self, atoms: Atoms) -> dict[str, Any]:
        return self.given


@pytest.mark.parametrize(("name", "value", "message"), CASES)
def test_results_of_another_shape(name: str, value: Any, message: str) -> None:
    atoms = Atoms("Al2", positions=[[0, 0, 0], [0, 0, 2.5]], cell=[8.0] * 3, pbc=True)
    given = {**SOUND, name: value}
    with pytest.raises(CalculationFailed, match=message):
        evaluate(Fixed(**given), atoms, want_stress=True)
    if name != "stress" or value is not None:
        with pytest.raises(CalculationFailed, match=message):
            PythonOracle("test_oracle_shapes:Fixed", given, folder=Path(__file__).parent).compute(atoms)


def test_sound_results() -> None:
    """The cases above are refused for what they change; one number in an array counts as a number."""
    atoms = Atoms("Al2", positions=[[0, 0, 0], [0, 0, 2.5]], cell=[8.0] * 3, pbc=True)
    for energy in (1.0, np.float32(1.0), np.ones(1), 1):
        result = evaluate(Fixed(**{**SOUND, "energy": energy}), atoms, want_stress=True)
        assert (result.energy, result.forces.shape, result.stress.shape) == (1.0, (2, 3), (6,))
