"""Quantum ESPRESSO and CP2K where they are installed, with files that Debian's packages bring."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.units import Rydberg

from nnpal.label import CalculatorOracle
from nnpal.oracle.errors import CalculationFailed

PSEUDO = Path("/usr/share/espresso/pseudo")
DATA = Path("/usr/share/cp2k")
DIRECTION = np.array([1.0, 0.7, -0.4]) / np.linalg.norm([1.0, 0.7, -0.4])

needs_pw = pytest.mark.skipif(not (shutil.which("pw.x") and (PSEUDO / "Al.pz-vbc.UPF").is_file()), reason="no pw.x")
needs_cp2k = pytest.mark.skipif(not (shutil.which("cp2k.psmp") and DATA.is_dir()), reason="no cp2k.psmp")


@pytest.fixture(autouse=True)
def _where_programs_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def pw(**system: Any) -> CalculatorOracle:
    metal = {"occupations": "smearing", "smearing": "fermi-dirac", "degauss": 0.05}
    return CalculatorOracle(
        "ase.calculators.espresso:Espresso",
        {
            "pseudopotentials": {"Al": "Al.pz-vbc.UPF"},
            "kpts": [2, 2, 2],
            "koffset": [1, 1, 1],
            "input_data": {
                "system": {"ecutwfc": 12.0, **metal, **system},
                "electrons": {"conv_thr": 1e-10},
                "control": {"disk_io": "none"},
            },
        },
        profile={"command": "pw.x", "pseudo_dir": str(PSEUDO)},
    )


def cp2k(**options: Any) -> CalculatorOracle:
    return CalculatorOracle(
        "ase.calculators.cp2k:CP2K",
        {
            "basis_set": "SZV-GTH",
            "basis_set_file": "GTH_BASIS_SETS",
            "potential_file": "GTH_POTENTIALS",
            "pseudo_potential": "GTH-PADE",
            "cutoff": 250 * Rydberg,
            **options,
        },
        profile={"command": "cp2k.psmp -s", "data_dir": str(DATA)},
    )


def aluminum() -> Atoms:
    atoms = bulk("Al") * (2, 1, 1)
    atoms.rattle(0.1, seed=1)
    return atoms


def water() -> Atoms:
    atoms = molecule("H2O")
    atoms.set_cell([5.0, 5.0, 4.5])
    atoms.center()
    atoms.pbc = True
    atoms.rattle(0.05, seed=2)
    return atoms


def force_and_slope(oracle: CalculatorOracle, atoms: Atoms, step: float = 0.01) -> tuple[float, float]:
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[0] += sign * step * DIRECTION
        energies.append(oracle.compute(moved).energy)
    return float(oracle.compute(atoms).forces[0] @ DIRECTION), -(energies[0] - energies[1]) / (2 * step)


@needs_pw
def test_pw_with_smearing_gives_the_energy_that_its_forces_are_the_slope_of() -> None:
    force, slope = force_and_slope(pw(), aluminum())
    assert force == pytest.approx(slope, abs=1e-3)  # of forces of 0.1 eV/Å; without -TS it is off by more
    assert abs(force) > 0.05
    assert pw().compute(aluminum()).stress is not None
    assert pw().identity()["version"]


@needs_pw
def test_pw_has_a_reason() -> None:
    with pytest.raises(CalculationFailed, match=r"Error in routine .*unrecognized dft"):
        pw(input_dft="nothere").compute(aluminum())


@needs_cp2k
@pytest.mark.slow
def test_cp2k_forces_are_the_slope() -> None:
    force, slope = force_and_slope(cp2k(), water())
    assert force == pytest.approx(slope, abs=0.02)  # of forces of 10 eV/Å; the grid of 250 Ry is seen
    assert cp2k().compute(water()).stress is not None
    assert cp2k(stress_tensor=False).compute(water()).stress is None  # ASE gives zeros


@needs_cp2k
def test_cp2k_unconverged_is_no_label() -> None:
    """ASE gives its energy and forces as any others."""
    with pytest.raises(CalculationFailed, match=r"SCF did not converge"):
        cp2k(max_scf=2).compute(water())
    with pytest.raises(CalculationFailed, match=r"basis set.*NOSUCH.*was not found"):
        cp2k(basis_set="NOSUCH").compute(water())
