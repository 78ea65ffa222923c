"""ASE calculators and own classes as oracles: forces by finite differences, ladders, identities, errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms

from label_oracles import pair
from nnpal.label import CalculatorOracle, OracleError, PythonOracle
from nnpal.oracle.errors import CalculationFailed

EMT = "ase.calculators.emt:EMT"
LJ = "ase.calculators.lj:LennardJones"
SPRING = "label_oracles:Spring"


def ethane() -> Atoms:
    atoms = molecule("C2H6")
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.mark.parametrize("method", ["GFN1-xTB", "GFN2-xTB"])
def test_xtb_forces_are_the_derivative(method: str) -> None:
    pytest.importorskip("tblite")
    oracle = CalculatorOracle(options={"method": method, "accuracy": 0.01})
    atoms = ethane()
    result = oracle.compute(atoms)
    assert result.stress is None
    direction = np.random.default_rng(0).normal(size=atoms.positions.shape)
    direction /= np.linalg.norm(direction)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions += sign * 1e-3 * direction
        energies.append(oracle.compute(moved).energy)
    # error step² times third derivatives of 100 eV/Å³
    assert (energies[0] - energies[1]) / 2e-3 == pytest.approx(-float((result.forces * direction).sum()), abs=1e-4)
    assert np.abs(result.forces).max() > 1.0


def test_xtb_has_no_history() -> None:
    pytest.importorskip("tblite")
    oracle = CalculatorOracle()
    first = oracle.compute(ethane())
    stretched = ethane()
    stretched.positions *= 1.3
    oracle.compute(stretched)
    again = oracle.compute(ethane())
    assert again.energy == first.energy
    np.testing.assert_array_equal(again.forces, first.forces)


def test_xtb_ladder_gives_the_same_solution() -> None:
    """Too few iterations fail; rungs of more and of smaller steps end where enough iterations at once do."""
    pytest.importorskip("tblite")
    short = CalculatorOracle(options={"max_iterations": 2})
    assert short.n_rungs == 3
    with pytest.raises(CalculationFailed, match=r"[Cc]onverge"):
        short.compute(ethane(), 0)
    known = CalculatorOracle().compute(ethane()).energy
    for rung in (1, 2):
        assert short.compute(ethane(), rung).energy == pytest.approx(known, abs=1e-4)  # tblite converges to 3e-5 eV
    assert all("electronic_temperature" not in short.identity(rung)["options"] for rung in range(3))


def test_ladders() -> None:
    ladder = [{"sigma": 2.0}, {"sigma": 2.0, "rc": 9.0}]
    oracle = CalculatorOracle(LJ, {"epsilon": 0.1}, ladder=ladder)
    options = [oracle.identity(rung)["options"] for rung in range(oracle.n_rungs)]
    assert options == [{"epsilon": 0.1}, {"epsilon": 0.1, "sigma": 2.0}, {"epsilon": 0.1, "sigma": 2.0, "rc": 9.0}]
    atoms = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 2.5]])
    assert oracle.compute(atoms, 1).energy != oracle.compute(atoms, 0).energy
    with pytest.raises(OracleError, match=r"rung 2, \{'sigma': 2.0\}, repeats an earlier one"):
        CalculatorOracle(LJ, ladder=[{"sigma": 2.0}, {"sigma": 2.0}])
    # what the user asks for already is no rung of the default ladder
    assert CalculatorOracle(options={"max_iterations": 1000}).n_rungs == 2
    assert CalculatorOracle(ladder=[]).n_rungs == 1


@pytest.mark.parametrize("reuse", [False, True])
def test_stress_in_crystals_and_no_constraints(reuse: bool) -> None:
    oracle = CalculatorOracle(EMT, reuse=reuse)
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.1, seed=2)
    free = oracle.compute(crystal)
    assert free.stress is not None
    crystal.set_constraint(FixAtoms([0, 1]))
    fixed = oracle.compute(crystal)
    np.testing.assert_array_equal(fixed.forces, free.forces)
    assert np.abs(free.forces[0]).max() > 0.1
    crystal.pbc = (True, True, False)
    assert oracle.compute(crystal).stress is None
    with pytest.raises(CalculationFailed, match="No EMT-potential for Fe"):
        oracle.compute(bulk("Fe"))
    crystal.pbc = True
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(oracle)).compute(crystal).forces, free.forces)


def test_identity_knows_files_and_versions(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "H-H.skf").write_text("1\n")

    def identity(**changes: object) -> dict[str, object]:
        arguments = {"files": ["set"], "version": "24.1", "options": {"a": "{folder}/set"}, **changes}
        return CalculatorOracle(EMT, folder=tmp_path, **arguments).identity()  # type: ignore[arg-type]

    before = identity()
    assert str(tmp_path) not in str(before)
    assert before["files"] == {"set/H-H.skf": "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"}
    assert str(before["package"]).startswith("ase 3.")
    assert before == identity()
    assert before != identity(version="24.2")
    (tmp_path / "set" / "H-H.skf").write_text("2\n")
    assert before != identity()
    with pytest.raises(OracleError, match="no such file; the files of the oracle are looked up in"):
        identity(files=["sets"])


@pytest.mark.parametrize(
    ("calculator", "options", "message"),
    [
        ("ase.calculators.emt:ETM", {}, "no ETM in ase.calculators.emt; did you mean EMT"),
        ("no_such_module:EMT", {}, "module no_such_module cannot be imported"),
        (LJ, {"sigm": 2.0}, "has no option sigm; did you mean sigma"),
        ("tblite.ase:TBLite", {"max_iteration": 5}, "did you mean max_iterations"),
    ],
)
def test_calculators_that_cannot_work(calculator: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(OracleError, match=message):
        CalculatorOracle(calculator, options).prepare()


OWN = """
from pathlib import Path
from helper_beside import FACTOR
class Own:
    def __init__(self, path):
        self.factor = FACTOR * float(Path(path).read_text())
    def compute(self, atoms):
        return {"energy": self.factor, "forces": 0 * atoms.positions, "stress": [0.0] * 6}
"""


def test_own_class_beside_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "own_oracle_of_test.py").write_text(OWN)
    (tmp_path / "helper_beside.py").write_text("FACTOR = 2.0\n")
    (tmp_path / "parameter").write_text("1.5")

    def oracle() -> PythonOracle:
        spec, options = "own_oracle_of_test:Own", {"path": "{folder}/parameter"}
        return PythonOracle(spec, options, files=["parameter"], folder=tmp_path)

    first = oracle()
    first.prepare()
    result = first.compute(Atoms("H"))
    assert result.energy == 3.0
    assert result.stress is not None
    before = first.identity()
    assert str(tmp_path) not in str(before)
    (tmp_path / "own_oracle_of_test.py").write_text(OWN + "\n")
    assert oracle().identity() != before


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("Spring", {}, "expected MODULE:CLASS"),
        ("label_oracels:Spring", {}, "module label_oracels cannot be imported"),
        ("label_oracles:Sprng", {}, r"there is no Sprng in label_oracles; did you mean Spring\?"),
        ("label_oracles:NoCompute", {}, r"NoCompute has no method compute\(atoms\)"),
        (SPRING, {"stiffness": 2.0}, "TypeError: .*stiffness"),
    ],
)
def test_own_classes_that_cannot_work(spec: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(OracleError, match=message):
        PythonOracle(spec, options).prepare()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Spring", "RuntimeError: the spring broke"),
        ("NoForces", "compute gave energy; expected energy, forces"),
    ],
)
def test_own_classes_that_fail(name: str, reason: str) -> None:
    oracle = PythonOracle(f"label_oracles:{name}", {"k": 2.0})
    assert oracle.compute(pair(2.0)).energy == pytest.approx(9.0)
    with pytest.raises(CalculationFailed, match=reason):
        oracle.compute(pair(6.0))
