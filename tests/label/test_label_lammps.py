"""`LammpsOracle`: the same numbers however the box is turned, forces and stress by finite differences, no history."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.calculator import compare_atoms
from scipy.spatial.transform import Rotation

from nnpal.demo.eam import eam_potential, label
from nnpal.label import LammpsOracle, OracleError
from nnpal.oracle.errors import CalculationFailed

EAM = ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {symbols}"]
LJ = [
    "pair_style lj/cut 6.0",
    "pair_modify shift yes",
    "pair_coeff {Ar} {Ar} 0.0104 3.4",
    "pair_coeff {Ne} {Ne} 0.0031 2.75",
    "pair_coeff {Ne} {Ar} 0.006 3.1",
]
SKEW = np.array([[1, 0, 0], [1, 1, 0], [-1, 2, 1]])
"""Other vectors of the same lattice: strongly tilted."""
TURN = Rotation.from_euler("zyx", [40.0, -25.0, 70.0], degrees=True).as_matrix()
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
ROUNDING = {"rtol": 0.0, "atol": 1e-10}  # of sums of -100 eV; forces of 1 eV/Å, stresses of 0.1 eV/Å³


@pytest.fixture
def eam() -> LammpsOracle:
    return LammpsOracle(EAM, ["Al"])


@pytest.fixture
def lj() -> LammpsOracle:
    return LammpsOracle(LJ, ["Ne", "Ar"])


def crystal(seed: int = 1) -> Atoms:
    atoms = bulk("Al", cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=seed)
    atoms.set_cell(atoms.cell.array @ np.diag([1.0, 1.02, 0.97]), scale_atoms=True)
    return atoms


def mixture() -> Atoms:
    """Ne and Ar in a turned triclinic cell, shorter than the cutoff."""
    rng = np.random.default_rng(3)
    atoms = bulk("Ar", "fcc", 4.9) * (2, 2, 1)
    atoms.symbols = ["Ne", "Ar", "Ar", "Ne"]
    atoms.positions += rng.normal(0, 0.1, (4, 3))
    return turned(atoms)


def turned(atoms: Atoms) -> Atoms:
    return Atoms(atoms.symbols, atoms.positions @ TURN.T, cell=atoms.cell.array @ TURN.T, pbc=atoms.pbc)


def tensor(voigt: np.ndarray) -> np.ndarray:
    full = np.empty((3, 3))
    for value, (i, j) in zip(voigt, VOIGT, strict=True):
        full[i, j] = full[j, i] = value
    return full


def test_equals_the_eam_of_sampling(eam: LammpsOracle) -> None:
    frames = [crystal(seed) for seed in range(3)]
    for frame, known in zip(frames, label(frames, eam_potential()), strict=True):
        result = eam.compute(frame)
        assert result.energy == pytest.approx(known.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(result.forces, known.get_forces(), **ROUNDING)
        assert np.abs(result.forces).max() > 0.5


@pytest.mark.parametrize("mirror", [1.0, -1.0], ids=["right-handed", "left-handed"])
def test_turned_tilted_and_mirrored_cells_of_one_lattice(eam: LammpsOracle, mirror: float) -> None:
    straight = crystal()
    here = eam.compute(straight)
    vectors = SKEW @ straight.cell.array
    vectors[2] *= mirror
    there = turned(Atoms(straight.symbols, straight.positions + 30.0, cell=vectors, pbc=True))
    assert np.sign(np.linalg.det(there.cell.array)) == mirror
    result = eam.compute(there)
    assert result.energy == pytest.approx(here.energy, abs=1e-10)
    np.testing.assert_allclose(result.forces, here.forces @ TURN.T, **ROUNDING)
    assert here.stress is not None
    assert result.stress is not None
    np.testing.assert_allclose(tensor(result.stress), TURN @ tensor(here.stress) @ TURN.T, **ROUNDING)
    # the check would see a stress that was not turned back
    assert np.abs(result.stress - here.stress).max() > 1e-3


@pytest.mark.parametrize("pbc", [(1, 1, 0), (1, 0, 1), (0, 1, 1), (0, 0, 1), (0, 1, 0), (1, 0, 0)])
def test_what_does_not_repeat_is_as_in_a_wide_cell(eam: LammpsOracle, pbc: tuple[int, int, int]) -> None:
    slab = bulk("Al", cubic=True) * (2, 2, 2)
    slab.rattle(0.1, seed=5)
    wide = slab.copy()
    wide.set_cell(np.diag(np.where(pbc, 8.1, 30.0)))
    (known,) = label([wide], eam_potential())
    slab.pbc = pbc
    free = np.flatnonzero(~slab.pbc)
    # vectors along which nothing repeats say nothing, be they short, tilted or zero
    slab.cell[free] = [[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]][: len(free)]
    result = eam.compute(turned(slab))
    assert result.energy == pytest.approx(known.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(result.forces, known.get_forces() @ TURN.T, **ROUNDING)
    assert result.stress is None


def test_tilted_slab(eam: LammpsOracle) -> None:
    slab = fcc111("Al", (3, 3, 3), vacuum=None, orthogonal=False)
    slab.rattle(0.05, seed=2)
    slab.pbc = (True, True, False)
    wide = slab.copy()
    wide.cell[2] = [0, 0, 40.0]
    wide.pbc = True
    known, result = eam.compute(wide), eam.compute(slab)
    assert result.energy == pytest.approx(known.energy, abs=1e-10)
    np.testing.assert_allclose(result.forces, known.forces, **ROUNDING)


def test_cluster_without_a_cell(eam: LammpsOracle) -> None:
    cluster = Atoms("Al4", positions=np.array([[0, 0, 0], [2.8, 0, 0], [0, 2.8, 0], [0, 0.1, 2.8]]) - 50.0)
    wide = cluster.copy()
    wide.set_cell([30, 30, 30])
    wide.pbc = True
    (known,) = label([wide], eam_potential())
    result = eam.compute(cluster)
    assert result.energy == pytest.approx(known.get_potential_energy(), abs=1e-11)
    np.testing.assert_allclose(result.forces, known.get_forces(), **ROUNDING)


@pytest.mark.parametrize("system", ["eam", "lj", "real"])
def test_forces_and_stress_are_derivatives(system: str, eam: LammpsOracle, lj: LammpsOracle) -> None:
    real = LammpsOracle([command.replace("0.0", "0.2") for command in LJ], ["Ne", "Ar"], units="real")
    oracle = {"eam": eam, "lj": lj, "real": real}[system]
    atoms = turned(crystal()) if system == "eam" else mixture()
    result = oracle.compute(atoms)
    step = 1e-4  # Å, and of strain; error step² of third derivatives of 10 to 100 eV/Å³
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.normal(size=atoms.positions.shape)
        direction /= np.linalg.norm(direction)
        slope = difference(oracle, atoms, lambda a, s, d=direction: a.set_positions(a.positions + s * d), step)
        assert slope == pytest.approx(-float((result.forces * direction).sum()), abs=2e-6)
    assert np.abs(result.forces).max() > 1e-2
    assert result.stress is not None
    for value, (i, j) in zip(result.stress, VOIGT, strict=True):
        strain = np.zeros((3, 3))
        strain[i, j] = strain[j, i] = 1.0 if i == j else 0.5

        def stretch(a: Atoms, s: float, strain: np.ndarray = strain) -> None:
            a.set_cell(a.cell.array @ (np.eye(3) + s * strain), scale_atoms=True)

        # 1e-6 of the elastic constants
        assert difference(oracle, atoms, stretch, step) / atoms.get_volume() == pytest.approx(value, abs=1e-6)
    assert np.abs(result.stress).max() > 1e-3


def difference(oracle: LammpsOracle, atoms: Atoms, change, step: float) -> float:
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        change(moved, sign * step)
        energies.append(oracle.compute(moved).energy)
    return (energies[0] - energies[1]) / (2 * step)


def test_two_elements_by_hand() -> None:
    """E = 4ε((σ/r)¹² - (σ/r)⁶) of the right pair, whatever the order of elements."""
    commands = [command for command in LJ if "shift" not in command]
    for elements in (["Ne", "Ar"], ["Ar", "Ne"]):
        result = LammpsOracle(commands, elements).compute(Atoms("ArNe", positions=[[0, 0, 0], [0, 0, 3.5]]))
        s6 = (3.1 / 3.5) ** 6
        assert result.energy == pytest.approx(4 * 0.006 * (s6 * s6 - s6), rel=1e-12)
        assert result.forces[1, 2] == pytest.approx(4 * 0.006 * (12 * s6 * s6 - 6 * s6) / 3.5, rel=1e-12)


def test_charges_of_elements() -> None:
    commands = ["pair_style coul/cut 20.0", "pair_coeff * *"]
    oracle = LammpsOracle(commands, ["Na", "Cl"], charges={"Cl": -0.5, "Na": 1.0})
    result = oracle.compute(Atoms("ClNa", positions=[[0, 0, 0], [0, 0, 2.0]]))
    assert result.energy == pytest.approx(-0.5 * 14.399645 / 2.0, rel=1e-6)  # LAMMPS's e²/4πε0
    with pytest.raises(OracleError, match=r"oracle.charges: of \['Na'\], expected of \['Cl', 'Na'\]"):
        LammpsOracle(commands, ["Na", "Cl"], charges={"Na": 1.0})


def test_nothing_of_earlier_configurations_stays(eam: LammpsOracle) -> None:
    """To the last bit, after other sizes, boxes, boundaries and failures."""
    frame = crystal(7)
    fresh = LammpsOracle(EAM, ["Al"]).compute(frame)
    cluster = Atoms("Al2", positions=[[0, 0, 0], [0, 0, 2.7]])
    for before in (crystal(8) * (2, 1, 1), cluster, turned(crystal(9)), Atoms("Cu", cell=[4, 4, 4], pbc=True)):
        if "Cu" in before.symbols:
            with pytest.raises(CalculationFailed, match=r"element Cu is not among oracle.elements, Al"):
                eam.compute(before)
        else:
            eam.compute(before)
        result = eam.compute(frame)
        assert result.energy == fresh.energy
        np.testing.assert_array_equal(result.forces, fresh.forces)
        np.testing.assert_array_equal(result.stress, fresh.stress)
    assert not compare_atoms(frame, crystal(7))


@pytest.mark.parametrize(
    ("atoms", "reason"),
    [
        (Atoms(), "no atoms"),
        (Atoms("Al", positions=[[np.nan, 0, 0]]), "not finite"),
        (Atoms("Al", pbc=True), "no vector along a periodic direction"),
        (Atoms("Al", cell=[[4, 0, 0], [0, 4, 0], [4, 4, 0]], pbc=True), "no volume"),
        (Atoms("Al2", positions=np.zeros((2, 3))), "not finite|overlap"),
    ],
)
def test_configurations_without_a_result(eam: LammpsOracle, atoms: Atoms, reason: str) -> None:
    with pytest.raises(CalculationFailed, match=reason):
        eam.compute(atoms)
    assert np.isfinite(eam.compute(crystal()).energy)


def test_identity_knows_the_files_contents(tmp_path: Path) -> None:
    shutil.copy(eam_potential(), tmp_path / "mine.eam.fs")
    commands = ["pair_style eam/fs", "pair_coeff * * mine.eam.fs {symbols}"]
    before = LammpsOracle(commands, ["Al"], folder=tmp_path).identity()
    assert str(tmp_path) not in str(before)
    assert before["files"]["mine.eam.fs"] == LammpsOracle(EAM, ["Al"]).identity()["files"]["Al_mm.eam.fs"]
    assert before == LammpsOracle(commands, ["Al"], folder=tmp_path).identity()
    with (tmp_path / "mine.eam.fs").open("a") as file:
        file.write("\n")
    assert LammpsOracle(commands, ["Al"], folder=tmp_path).identity() != before


def test_files_are_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eam: LammpsOracle) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    shutil.copy(eam_potential(), folder / "mine.eam.fs")
    oracle = LammpsOracle(["pair_style eam/fs", "pair_coeff * * mine.eam.fs Al"], ["Al"], folder=folder)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickle.dumps(oracle)).compute(crystal()).energy == eam.compute(crystal()).energy


@pytest.mark.parametrize(
    ("commands", "elements", "message"),
    [
        (EAM, ["Al", "Al"], "expected each element once"),
        (EAM, ["Aluminium"], "Aluminium is not a chemical element, expected symbols"),
        (["pair_coeff * *"], ["Al"], "expected a pair_style among them"),
        (["pair_style lj/cut 5", "pair_coeff {Al} {Alu} 1 1"], ["Al"], r"\{Alu\} is unknown; did you mean Al\?"),
        (["pair_style lj/cut 5", "pair_coeff 'a"], ["Al"], "No closing quotation"),
        (["pair_style lj/cut 5", "pair_coeff"], ["Al"], "at `pair_coeff`"),
        (["pair_style eam/fs", "pair_coeff * * none.eam.fs Al"], ["Al"], "cannot open eam/fs potential file none"),
        (["pair_style eem/fs"], ["Al"], "Unrecognized pair style 'eem/fs'"),
    ],
)
def test_oracles_that_cannot_work(commands: list[str], elements: list[str], message: str) -> None:
    with pytest.raises(OracleError, match=message):
        LammpsOracle(commands, elements).prepare()


def test_units_that_are_not_known() -> None:
    with pytest.raises(OracleError, match=r"oracle.units: 'lj', expected metal or real"):
        LammpsOracle(EAM, ["Al"], units="lj")
