"""[oracle.profile]: what a program is given, what of it is in a label's key, what of its output counts; by stubs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk

from nnpal.hooks import HookError
from nnpal.label import CalculatorOracle, OracleError
from nnpal.oracle.calculation import make_calculator
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.hook_table import as_word, options_of
from nnpal.oracle.option_paths import option, with_option
from stub_programs import ESPRESSO, PW, espresso, program

CP2K = "ase.calculators.cp2k:CP2K"
ORCA = "ase.calculators.orca:ORCA"
CHARGE = "input_data.system.tot_charge"


def by(calculator: str, **profile: str) -> CalculatorOracle:
    return CalculatorOracle(calculator, profile=profile)


def failure(oracle: CalculatorOracle, atoms: Atoms | None = None) -> str:
    with pytest.raises(CalculationFailed) as failed:
        oracle.compute(atoms or bulk("Al"))
    return str(failed.value)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_the_key_holds_contents_and_version_but_no_places(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    first, moved = (espresso(folder).identity() for folder in folders)
    assert first == moved
    assert first["version"] == "9.9"
    assert list(first["files"]) == ["Al.UPF"]
    assert espresso(tmp_path / "a", content="another").identity() != first
    newer = tmp_path / "newer"
    newer.mkdir()
    assert espresso(newer, f"echo {PW.replace('9.9', '10.0')}").identity()["version"] == "10.0"
    # without a profile it is what it was
    assert "profile" not in CalculatorOracle("ase.calculators.emt:EMT").identity()


def test_cp2k_reads_basis_sets_and_potentials_of_its_data_folder(tmp_path: Path) -> None:
    for name in ("BASIS_MOLOPT", "MINE"):
        (tmp_path / name).write_text(name)
    profile = {
        "command": program(tmp_path, "cp2k", "[ $1 = --version ] && echo CP2K version 1.2"),
        "data_dir": str(tmp_path),
    }
    found = CalculatorOracle(
        CP2K, {"potential_file": "MINE"}, profile={**profile, "command": profile["command"] + " -s"}
    )
    assert sorted(found.identity()["files"]) == ["BASIS_MOLOPT", "MINE"]
    assert found.identity()["version"] == "1.2"
    (tmp_path / "MINE").unlink()
    with pytest.raises(OracleError, match=r"MINE: no such file"):
        found.identity()


def test_what_pw_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forces and stress, which ASE does not ask for; a folder that no other worker has; no place in an MPI run."""
    monkeypatch.setenv("PMI_RANK", "3")
    said = failure(espresso(tmp_path, f'echo {PW}; echo "rank [$PMI_RANK]"'))
    assert "rank []" in said
    assert os.environ["PMI_RANK"] == "3"
    given = Path("espresso.pwi").read_text()
    for line in ("tprnfor = .true.", "tstress = .true.", "outdir = './'"):
        assert line in " ".join(given.split())
    charged = bulk("Al")
    charged.info["charge"] = 1
    failure(espresso(tmp_path, input_data={"ecutwfc": 12.0}), charged)
    assert "tot_charge = 1" in " ".join(Path("espresso.pwi").read_text().split())


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (f"echo {PW}; echo convergence NOT achieved after 2 iterations; exit 2", "the SCF did not converge"),
        (f"echo {PW}; echo {PW}", r"pw.x ran 2 times .* another MPI"),
        (f"echo {PW}; echo no memory left; exit 1", "no memory left"),
        (
            f"echo {PW}; printf '%%%%\\n Error in routine cdiaghg (7):\\n S is bad\\n%%%%%%\\n'; exit 1",
            "cdiaghg .* S is bad",
        ),
    ],
)
def test_reasons_are_the_program_s(tmp_path: Path, lines: str, reason: str) -> None:
    with pytest.raises(CalculationFailed, match=reason):
        espresso(tmp_path, lines).compute(bulk("Al"))


def test_elements_without_a_pseudopotential_are_named(tmp_path: Path) -> None:
    said = failure(espresso(tmp_path), bulk("Si"))
    assert said == 'no pseudopotential of Si, only of Al; add Si = "FILE" to oracle.options.pseudopotentials'
    with pytest.raises(OracleError, match=r"pseudopotentials = 'Al.UPF': expected a table of a file for each element"):
        espresso(tmp_path, pseudopotentials="Al.UPF").identity()


def test_programs_that_cannot_work(tmp_path: Path) -> None:
    for oracle, message in (
        (
            CalculatorOracle(ESPRESSO, profile={"command": "no-such-pw.x", "pseudo_dir": "."}),
            "no-such-pw.x is not on PATH",
        ),
        (CalculatorOracle(ESPRESSO, profile={"pseudo_dir": "."}), "oracle.profile has no command"),
        (CalculatorOracle(ESPRESSO, profile={"command": "true"}), r"EspressoProfile.*pseudo_dir"),
        (
            CalculatorOracle(CP2K, profile={"command": "true", "pseudo_dir": "."}),
            "oracle.profile.pseudo_dir: .* takes command",
        ),
        (CalculatorOracle(profile={"command": "true"}), "tblite.ase:TBLite has no profile"),
        (espresso(tmp_path, input_data={"control": {"outdir": "/scratch"}}), "outdir = /scratch: .*remove it"),
    ):
        with pytest.raises(OracleError, match=message):
            oracle.prepare()
    with pytest.raises(OracleError, match=r"does not print its version, set oracle.version; it printed: hm"):
        espresso(tmp_path, "echo hm").identity()
    (tmp_path / "orca").write_text("#!/usr/bin/python3\n")
    (tmp_path / "orca").chmod(0o755)
    with pytest.raises(OracleError, match=r"orca is a Python script, GNOME's screen reader"):
        by(ORCA, command=str(tmp_path / "orca")).prepare()


def test_cp2k_takes_a_multiplicity_with_open_shells_alone() -> None:
    with pytest.raises(HookError, match=r"multiplicity = 3 without uks = true: .* restricted singlet"):
        make_calculator(CP2K, {"multiplicity": 3, "command": shutil.which("true")})
    molecule = Atoms("O2", positions=[[0, 0, 0], [0, 0, 1.2]])
    assert "make all three directions periodic" in CalculatorOracle(CP2K).refusal(molecule).lower()


def test_options_in_tables() -> None:
    assert with_option({}, CHARGE, 1) == {"input_data": {"system": {"tot_charge": 1}}}
    for given in ({"system": {"ecutwfc": 12.0}}, {"ecutwfc": 12.0}):
        made = with_option({"input_data": given}, CHARGE, 1)
        assert option(made, CHARGE) == 1
        assert option(made, "input_data.system.ecutwfc") == 12.0
        assert option({"input_data": given}, CHARGE) is None
    assert option({"tot_charge": 2}, CHARGE) == 2


def test_tables_in_an_input_script() -> None:
    options, profile = {"kpts": [2, 2, 2], "inp": "&A 'x'\n&END"}, {"command": "true"}
    word = as_word(options, None)
    assert word[0] == word[-1] == "'"
    assert "'" not in word[1:-1]
    assert options_of(word[1:-1], "ase.calculators.lj:LennardJones", {"rc": 9.0}) == {**options, "rc": 9.0}
    made = options_of(as_word(options, profile)[1:-1], CP2K, {})
    assert made == {**options, "command": "true"}
    for text, message in (
        ("{", "is not valid JSON"),
        ("[1]", "expected the tables"),
        ('{"kpts": [1]}', "expected the tables"),
    ):
        with pytest.raises(HookError, match=message):
            options_of(text, CP2K, {})
    with pytest.raises(HookError, match="option kpts is given as a word and in table"):
        options_of(as_word(options, None)[1:-1], CP2K, {"kpts": 1})
