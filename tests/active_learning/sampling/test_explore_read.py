"""Exploration on constructed files: dumps and rows that are cut off, ends of runs, data files, parts of scripts."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io.lammpsdata import read_lammps_data

from explore_runs import eam_oracle, momt_settings, morse_oracle, smd_settings
from nnpal.active_learning.sampling import (
    InitialSection,
    MOMTSection,
    SMDSection,
    plan_smd,
    read_given_up,
    read_momt,
    read_smd,
)
from nnpal.active_learning.sampling.ending import COMPLETE, Ending, ending_of
from nnpal.active_learning.sampling.facts import MOMTFacts, SMDFacts
from nnpal.active_learning.sampling.force_field import NNPForces, OracleForces, forces_of, forces_of_oracle
from nnpal.active_learning.sampling.structures import crystal, kinds, read_structure
from nnpal.active_learning.sampling.tasks import check_whole
from nnpal.config import ConfigError, validated
from nnpal.geometry.electrons import Electrons
from nnpal.lammps.data_file import write_data
from nnpal.lammps.dump import read_dump, read_rows
from nnpal.oracle.settings import LammpsSection

COLUMNS = "id type xu yu zu f_atoms"


def frame(
    step: int,
    values: np.ndarray,
    box: str = "pp pp pp\n0 10\n0 11\n0 12",
    order: list[int] | None = None,
    columns: str = COLUMNS,
) -> str:
    """Return the text of a frame; values [n_atoms, 4] are x y z and an uncertainty."""
    rows = [f"{i + 1} {1 + i % 2} " + " ".join(f"{v:.17g}" for v in values[i]) for i in range(len(values))]
    rows = [rows[i] for i in order] if order else rows
    head = f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(values)}\nITEM: BOX BOUNDS {box}\n"
    return head + f"ITEM: ATOMS {columns}\n" + "\n".join(rows) + "\n"


def made_up(n_frames: int, n_atoms: int = 3) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 10, (n_frames, n_atoms, 4))


def write_dump(path: Path, values: np.ndarray, every: int = 10) -> str:
    text = "".join(frame(every * i, value) for i, value in enumerate(values))
    path.write_text(text)
    return text


def test_a_dump_is_read_to_the_last_digit_and_by_id(tmp_path: Path) -> None:
    values = made_up(3)
    path = tmp_path / "frames.lammpstrj"
    path.write_text("".join(frame(10 * i, v, order=[(i + k) % 3 for k in range(3)]) for i, v in enumerate(values)))
    dump = read_dump(path)
    assert dump.step.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(dump.column("xu", "yu", "zu", "f_atoms"), values)
    assert dump.column("type")[2, :, 0].tolist() == [1, 2, 1]
    assert dump.periodic == (True, True, True)
    np.testing.assert_array_equal(dump.cell, [np.diag([10.0, 11.0, 12.0])] * 3)


def test_bounds_of_a_tilted_box(tmp_path: Path) -> None:
    cell = np.array([[5.0, 0, 0], [1.5, 6.0, 0], [-2.0, -1.0, 7.0]])
    atoms = Atoms("AlNi", positions=[[0.1, 0.2, 0.3], [2, 3, 4]], cell=cell, pbc=True)
    # LAMMPS's documentation: the bounds are those of the hull; low corner at (1, 2, 3)
    box = f"xy xz yz pp pp ff\n{1 - 2.0} {6 + 1.5} 1.5\n{2 - 1.0} 8 -2.0\n3 10 -1.0"
    path = tmp_path / "frames.lammpstrj"
    path.write_text(frame(0, np.c_[atoms.positions, [0, 0]], box))
    dump = read_dump(path)
    np.testing.assert_allclose(dump.cell[0], cell, atol=1e-15)
    assert dump.periodic == (True, True, False)


@pytest.mark.parametrize(
    "part", ["ITEM: TIM", "ITEM: TIMESTEP\n2", "BOX BOUNDS", "ITEM: ATOMS", "last line", "last break"]
)
def test_only_whole_frames_count(tmp_path: Path, part: str) -> None:
    values = made_up(3)
    path = tmp_path / "frames.lammpstrj"
    text = write_dump(path, values)
    last = text.rindex("ITEM: TIMESTEP")
    cut = {"last line": len(text) - 30, "last break": len(text) - 1}.get(part)
    cut = last + text[last:].index(part) + len(part) if cut is None else cut
    path.write_text(text[:cut])
    dump = read_dump(path)
    assert dump.step.tolist() == [0, 10]
    np.testing.assert_array_equal(dump.column("xu", "yu", "zu"), values[:2, :, :3])


@pytest.mark.parametrize("bad", ["nan", "-nan", "inf"])
def test_frames_end_where_positions_are_not_finite(tmp_path: Path, bad: str) -> None:
    values = made_up(4)
    values[2, 1, 0] = 123456.0
    path = tmp_path / "frames.lammpstrj"
    path.write_text(write_dump(path, values).replace("123456", bad))
    assert read_dump(path).step.tolist() == [0, 10]


def test_an_uncertainty_may_be_nan(tmp_path: Path) -> None:
    values = made_up(2)
    values[0, 1, 3] = np.nan
    write_dump(tmp_path / "frames.lammpstrj", values)
    np.testing.assert_array_equal(read_dump(tmp_path / "frames.lammpstrj").column("f_atoms")[:, :, 0], values[:, :, 3])


def test_frames_end_where_atoms_are_lost(tmp_path: Path) -> None:
    values = made_up(3)
    path = tmp_path / "frames.lammpstrj"
    path.write_text(frame(0, values[0]) + frame(10, values[1][:2]) + frame(20, values[2]))
    assert read_dump(path).step.tolist() == [0]


def test_no_frames_at_all(tmp_path: Path) -> None:
    assert len(read_dump(tmp_path / "none.lammpstrj")) == 0
    (tmp_path / "empty.lammpstrj").write_text("")
    assert len(read_dump(tmp_path / "empty.lammpstrj")) == 0
    (tmp_path / "words.lammpstrj").write_text(frame(0, made_up(1)[0]).replace("\n2 2", "\n2 Al"))
    with pytest.raises(ValueError, match=r"words\.lammpstrj: holds words"):
        read_dump(tmp_path / "words.lammpstrj")
    (tmp_path / "short.lammpstrj").write_text(frame(0, made_up(1)[0][:, :3]))
    with pytest.raises(ValueError, match=r"short\.lammpstrj: 15 numbers in 1 frames of 3 atoms and 6 columns"):
        read_dump(tmp_path / "short.lammpstrj")


ROWS = """#! SET units metal
# a row of every 10 steps
# step d lambda force work temperature energy energy_deviation uq_energy uq_force
"""


def row(step: int) -> str:
    return f"{step} {2 + step / 100} {2.5 + step / 100} 0.5 {step / 1000} 300 -7.5 {0.01 + step / 1e4} 0.02 0.3\n"


def test_a_row_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    text = ROWS + row(0) + row(10) + row(20)
    path.write_text(text)
    assert read_rows(path)["step"].tolist() == [0, 10, 20]
    path.write_text(text[:-1])  # the last number may lack digits
    rows = read_rows(path)
    assert rows["step"].tolist() == [0, 10]
    assert rows["energy_deviation"].tolist() == [0.01, 0.011]
    path.write_text(ROWS[:-5])
    assert read_rows(path) == {}
    assert read_rows(tmp_path / "none.txt") == {}
    path.write_text(text.replace("# step", "# stop"))
    with pytest.raises(ValueError, match="no line `# step"):
        read_rows(path)
    path.write_text(ROWS + "0 1 2\n")
    with pytest.raises(ValueError, match="3 numbers in 1 rows, expected 10"):
        read_rows(path)


def write_folder(folder: Path, kind: str, **facts: Any) -> Path:
    folder.mkdir()
    given = {"kind": kind, "symbols": ["Al", "Ni"], "types": [1, 2, 1], "units": "metal", "has_uq": True}
    (folder / "run.json").write_text(json.dumps({**given, **facts}))
    return folder


def test_a_run_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "run", "smd", uq="uq_force", rate=1.0)
    with pytest.raises(ConfigError, match=r"run\.json: kind = 'smd'.*\n.*run\.json: .*walkers"):
        read_momt(folder)
    assert SMDFacts.read(folder).rate == 1.0
    known = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({name: known[name] for name in known if name != "units"}))
    with pytest.raises(ConfigError, match=r"run\.json: units: missing"):
        read_smd(folder)


def test_what_a_run_says_is_read_as_it_was_written(tmp_path: Path) -> None:
    facts = MOMTFacts(
        symbols=("Al",),
        units="metal",
        types=(1, 1),
        has_uq=False,
        walkers=2,
        electrons={"initial_charges": [1, -1]},
    )
    facts.write(tmp_path)
    assert MOMTFacts.read(tmp_path) == facts
    assert facts.stated.charges.tolist() == [1, -1]


def test_an_interrupted_pull(tmp_path: Path) -> None:
    """Rows of every 10 steps, frames of every 20; the rows end before the frames."""
    folder = write_folder(tmp_path / "run", "smd", uq="energy_deviation", rate=1.0, electrons={"charge": -1})
    (folder / "rows.txt").write_text(ROWS + "".join(row(step) for step in range(0, 60, 10)))
    values = made_up(4)
    text = "".join(
        frame(20 * i, np.c_[v, v[:, 3] + 1], columns="id type xu yu zu f_atoms[1] f_atoms[2]")
        for i, v in enumerate(values)
    )
    (folder / "frames.lammpstrj").write_text(text)
    run = read_smd(folder)
    assert run.ended == "interrupted"
    assert not run.complete
    assert run.frame_step.tolist() == [0, 20, 40]
    assert [f.get_chemical_symbols() for f in run.frames] == [["Al", "Ni", "Al"]] * 3
    assert [f.info["charge"] for f in run.frames] == [-1] * 3
    # of a run that was given up it is used, and whole it is not, whatever its folder says
    (folder / "ended.json").write_text(json.dumps({"inputs": "", "how": "complete", "last": []}))
    assert read_smd(folder).complete
    left = read_given_up(read_smd, folder)
    assert left is not None
    assert (len(left.frames), left.ended, left.complete) == (3, "interrupted", False)
    (folder / "frames.lammpstrj").unlink()
    assert read_given_up(read_smd, folder) is None
    assert read_given_up(read_smd, tmp_path / "none") is None
    np.testing.assert_array_equal(run.frames[1].positions, values[1, :, :3])
    np.testing.assert_array_equal(run.uq, [0.01, 0.012, 0.014])
    assert run.uq_trace is not None
    assert len(run.uq_trace) == 6
    np.testing.assert_array_equal(run.uq_energy, values[:3, :, 3])
    np.testing.assert_array_equal(run.uq_force, values[:3, :, 3] + 1)
    (folder / "ended.json").write_text(json.dumps({"inputs": "0", "how": "lost atoms", "last": ["ERROR"]}))
    assert read_smd(folder).ended == "lost atoms"


@pytest.mark.parametrize(
    ("missing", "message"), [([], None), ([20], "frames or rows are missing in between"), ([60], "frame is 40, not 60")]
)
def test_a_run_that_lost_rows_to_a_full_disk_is_not_complete(
    tmp_path: Path, missing: list[int], message: str | None
) -> None:
    """LAMMPS does not notice that a full disk took averages away; frames without their rows are none."""
    folder = write_folder(tmp_path / "run", "smd", uq="energy_deviation", rate=1.0, has_uq=False)
    (folder / "rows.txt").write_text(ROWS + "".join(row(step) for step in range(0, 70, 10) if step not in missing))
    (folder / "frames.lammpstrj").write_text("".join(frame(20 * i, v) for i, v in enumerate(made_up(4))))
    with nullcontext() if message is None else pytest.raises(OSError, match=message):
        check_whole(folder, Ending(COMPLETE), read_smd(folder), 60)


def test_a_run_that_has_not_begun(tmp_path: Path) -> None:
    run = read_smd(write_folder(tmp_path / "smd", "smd", uq="uq_force", rate=1.0))
    assert (len(run.frames), len(run.step), len(run.frame_step)) == (0, 0, 0)
    found = read_momt(write_folder(tmp_path / "momt", "momt", walkers=2))
    assert (len(found.frames), len(found.H)) == (0, 0)
    assert found.uq_energy is not None
    assert found.uq_energy.shape == (0, 3)
    with pytest.raises(FileNotFoundError, match="expected the folder of a run"):
        read_smd(tmp_path)


LOG = "units metal\nrun          10\nSetting up\n   Step          Temp\n         0   300\n"
BAD_OPTION = (
    "Loop time of 1 on 1 procs\nfix pull all nonsense\nERROR: Unrecognized fix style 'nonsense' (src/modify.cpp:905)\n"
)


@pytest.mark.parametrize(
    ("log", "failed", "how"),
    [
        (LOG + "Loop time of 1\nnnpal: the run is over\n", False, "complete"),
        (LOG, False, None),  # it ended without a word
        (LOG, True, None),  # killed
        (LOG + "ERROR: Lost atoms: original 14 current 13 (src/thermo.cpp:494)\n", True, "lost atoms"),
        (LOG + "ERROR on proc 0: Out of range atoms - cannot compute PPPM (src/x.cpp:1)\n", True, "lost atoms"),
        (LOG + "ERROR: Non-numeric atom coords - simulation unstable (src/a/b.cpp:1)\n", True, "non-finite"),
        (LOG + "ERROR: pair_style nnp: atom 3 has a non-finite coordinate (step 7)\n", True, "non-finite"),
        ("units metal\nERROR: pair_style nnp: model x gives a non-finite energy\n", True, "non-finite"),
        (LOG + "ERROR: no room (src/x.cpp:1)\nLast input line: run 10\n", True, "lammps error: no room"),
        (LOG + BAD_OPTION, True, None),  # a wrong input
        ("units metal\nERROR: Unknown command: pull (src/input.cpp:314)\n", True, None),
        ("run          10\nSetting up\nERROR: atoms 1 and 2 overlap\n", True, None),  # the start itself
        (LOG + "ERROR: Cannot open file x: No space left on device (src/x.cpp:1)\n", True, None),
        (LOG + "Fix halt condition for fix-id hot met on step 10\nnnpal: the run is over", False, "too hot"),
        (LOG + "Fix halt condition for fix-id uncertain met on step 10 with value 1\n", False, "too uncertain"),
        (LOG + "ERROR: Fix halt condition for fix-id hot met on step 10 with value 1\n", True, "too hot"),
    ],
)  # fmt: skip
def test_how_a_run_ended(log: str, failed: bool, how: str | None) -> None:
    ending = ending_of(["another partition's log\n", log], failed=failed)
    assert (ending and ending.how) == how
    if ending is not None and how != "complete":
        assert "ERROR" in ending.last[-1] or "Fix halt" in ending.last[-1]
        assert "Last input line" not in ending.last[-1]


def test_the_end_of_a_run_is_told_without_times() -> None:
    before = LOG + "Loop time of 0.0123 on 1 procs for 10 steps with 3 atoms\nPerformance: 123.4 ns/day\n"
    log = f"{before}run          20\n   Step          Temp\n        10   9000\nFix halt condition for fix-id hot met\n"
    ending = ending_of([log], failed=False)
    assert ending is not None
    assert ending.last == tuple(log.removeprefix(before).splitlines())


@pytest.mark.parametrize("pbc", [True, False, (True, True, False)])
def test_a_data_file_holds_all_digits(tmp_path: Path, pbc: Any) -> None:
    rng = np.random.default_rng(2)
    cell = np.array([[5.0, 0, 0], [1.5, 6.0, 0], [-2.0, -1.0, 7.0]])
    atoms = Atoms("NiAl2Ni", positions=rng.uniform(0.1, 4, (4, 3)), cell=cell if np.any(pbc) else None, pbc=pbc)
    start = write_data(tmp_path / "start.data", atoms, ["Al", "Ni", "Nb"], room=20.0)
    read = read_lammps_data(tmp_path / "start.data", atom_style="atomic", sort_by_id=True)
    assert read.get_chemical_symbols() == atoms.get_chemical_symbols()
    np.testing.assert_allclose(
        read.get_all_distances(), atoms.get_all_distances(), atol=1e-13
    )  # differences of positions, whatever the corner and the turn
    assert start.boundary == " ".join("p" if p else "f" for p in np.broadcast_to(pbc, 3))
    if pbc is True:
        np.testing.assert_allclose(read.cell.array, cell, atol=1e-14)
        np.testing.assert_allclose(read.positions, atoms.positions, atol=1e-14)
    if pbc is False:
        sides = np.ptp(atoms.positions, axis=0) + 2 * (20.0 + 1.0)
        np.testing.assert_allclose(read.cell.lengths(), sides, rtol=1e-12)
    with pytest.raises(ValueError, match="element Ni of the structure is not known"):
        write_data(tmp_path / "start.data", atoms, ["Al"])


def test_crystals_of_whole_cells() -> None:
    assert [len(crystal("Al", lattice, 4.0, (2, 3, 1))) for lattice in ("fcc", "bcc", "hcp", "diamond")] == [
        24, 12, 24, 48,
    ]  # fmt: skip
    hcp = crystal("Ti", "hcp", None, (1, 1, 1))
    assert hcp.cell.angles().tolist() == pytest.approx([90, 90, 90])
    assert kinds(Atoms("HCH")) == ("H", "C")


def test_structures_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"structure .*none\.xyz: no such file"):
        read_structure(tmp_path / "none.xyz")
    (tmp_path / "bad.xyz").write_text("two\n")
    with pytest.raises(ValueError, match=r"bad\.xyz: ASE cannot read it"):
        read_structure(tmp_path / "bad.xyz")


def test_lines_of_the_force_fields(tmp_path: Path) -> None:
    folder = tmp_path / "explore" / "run"
    folder.mkdir(parents=True)
    (tmp_path / "al.nnp.pt").write_text("")
    nnp = forces_of(
        {"kind": "nnp", "model": "../../al.nnp.pt", "members": 3, "device": "cpu"}, folder, ("Al",), stress=False
    )
    assert nnp.commands == ("pair_style nnp model.nnp.pt device cpu threads 1 members 3", "pair_coeff * * Al")
    assert nnp.links["model.nnp.pt"].resolve() == tmp_path / "al.nnp.pt"
    assert nnp.has_uq
    eam = forces_of(eam_oracle(), folder, ("Al",), stress=True)
    oracle = OracleForces(validated(eam_oracle(), LammpsSection, source="test"), folder)
    assert forces_of_oracle(oracle, folder, ("Al",), stress=True) == eam
    assert eam.commands == ("pair_style eam/fs", 'pair_coeff * * "Al_mm.eam.fs" Al')
    assert eam.links["Al_mm.eam.fs"].is_file()
    # files of the configuration's folder come first, and two of one name have two names
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pot").write_text("a")
    (tmp_path / "pot").write_text("b")
    two = {**morse_oracle(), "commands": ["pair_style x pot", "pair_coeff * * a/pot"], "folder": "../.."}
    forces = forces_of(two, folder, ("Al",), stress=False)
    assert sorted(path.read_text() for path in forces.links.values()) == ["a", "b"]
    assert forces.commands == ('pair_style x "pot"', 'pair_coeff * * "1-pot"')
    ase_ = {"kind": "ase", "options": {"electronic_temperature": 5000.0, "spin": None, "cache": True, "file": "a b"}}
    forces = forces_of(ase_, folder, ("C", "H"), stress=True)
    assert forces.commands[2].endswith(
        "calculator tblite.ase:TBLite method GFN2-xTB verbosity 0 electronic_temperature 5000.0 spin None cache True "
        'file "a b" elements C H'
    )
    assert forces.commands[3] == "fix_modify orac energy yes virial yes"
    forces = forces_of({"kind": "ase"}, folder, ("C", "H"), stress=False, electrons=Electrons(charge=1, multiplicity=2))
    assert forces.commands[2].endswith("method GFN2-xTB verbosity 0 charge 1 multiplicity 2 elements C H")
    with pytest.raises(ValueError, match=r"charge -1 is stated, but the oracle's option charge = 1"):
        forces_of(
            {"kind": "ase", "options": {"charge": 1}}, folder, ("C",), stress=False, electrons=Electrons(charge=-1)
        )
    cp2k = {"kind": "ase", "calculator": "ase.calculators.cp2k:CP2K", "options": {"inp": "&A '\n&END A"}}
    forces = forces_of({**cp2k, "profile": {"command": "{folder}/cp2k"}}, folder, ("C",), stress=False)
    table = r'{"options": {"inp": "&A \u0027\n&END A"}, "profile": {"command": "./cp2k"}}'
    assert f"CP2K table '{table}' elements C" in forces.commands[2]
    with pytest.raises(ValueError, match="kind = 'python': cannot move atoms in LAMMPS"):
        forces_of({"kind": "python", "import_path": "a:B"}, folder, ("C",), stress=False)
    with pytest.raises(ConfigError, match="commandz: unknown key; did you mean commands"):
        forces_of({**eam_oracle(), "commandz": []}, folder, ("C",), stress=False)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (SMDSection, {"atoms": [2, 2]}, "expected two different ones"),
        (SMDSection, {"every": 7}, "expected a multiple of uq_every, 5"),
        (SMDSection, {"rates": [1.0, 0.0]}, "none 0"),
        (SMDSection, {"rates": [1.0, 1.0]}, "rates that differ"),
        (SMDSection, {"rates": []}, "rates"),
        (SMDSection, {"uq": "uq"}, "energy_deviation"),
        (SMDSection, {"device": "gpu"}, "device"),
        (MOMTSection, {"structure": "al.xyz"}, "either structure"),
        (MOMTSection, {"lattice": None}, "expected the crystal structure of element"),
        (MOMTSection, {"H": None, "O": None}, "expected a grid"),
        (MOMTSection, {"element": None, "structure": "al.xyz", "lattice": None}, "define the order parameter"),
        (MOMTSection, {"options": {"temp": 5}}, "temp are set by other keys"),
        (MOMTSection, {"H": [0.0, 1.0, 0]}, "H"),
    ],
)
def test_settings_that_are_refused(kind: Any, changes: dict[str, Any], message: str) -> None:
    table = {**(smd_settings() if kind is SMDSection else momt_settings()), **changes}
    with pytest.raises(ConfigError, match=message):
        validated(table, kind, source="test")


def test_settings_say_what_follows_from_them() -> None:
    section = validated(smd_settings(max_temperature=None), SMDSection, source="test")
    assert [section.steps(rate) for rate in (0.5, -0.25)] == [1000, 2000]
    assert (section.hottest(300.0), section.hottest(1000.0)) == (5000.0, 10_000.0)
    assert section.model_copy(update={"max_temperature": 700.0}).hottest(300.0) == 700.0
    with pytest.raises(ConfigError, match="temperatures that differ"):
        validated({"structure": "x", "temperatures": [1.0, 1.0]}, InitialSection, source="test")


def test_plans_can_be_moved_and_repeated(tmp_path: Path) -> None:
    """No absolute path, seeds that differ, and the same plan in another place."""
    section = validated(smd_settings(rates=[0.25, 4.0], runs=2, device="cpu"), SMDSection, source="test")
    plans = []
    for place in ("here", "there"):
        base = tmp_path / place
        model = base / "RUN" / "iter-0000" / "train" / "model.nnp.pt"
        force_field = NNPForces(kind="nnp", model=str(model), device=section.device, threads=section.threads)
        plans.append(plan_smd(section, force_field, base / "RUN" / "iter-0000" / "explore", base, seed=7))
    assert plans[0] == plans[1]
    text = json.dumps(plans[0])
    assert str(tmp_path) not in text
    assert list(plans[0]) == ["rate-0.25-run-0", "rate-0.25-run-1", "rate-4-run-0", "rate-4-run-1"]
    assert len({arguments["seed"] for arguments in plans[0].values()}) == 4
    first = plans[0]["rate-0.25-run-0"]
    nnp = {"kind": "nnp", "model": "../../train/model.nnp.pt", "device": "cpu", "threads": 1, "uq": True}
    assert first["force_field"] == nnp
    assert first["structure"] == "../../../../dimer.xyz"
    assert (first["rate"], plans[0]["rate-4-run-1"]["rate"]) == (0.25, 4.0)
    oracle = OracleForces(validated(eam_oracle(), LammpsSection, source="test"), tmp_path)
    other = plan_smd(section, oracle, tmp_path, tmp_path, seed=8)
    assert json.loads(json.dumps(other["rate-4-run-0"]["force_field"])) == {
        **eam_oracle(), "units": "metal", "charges": None, "stress": True, "folder": "..",
    }  # fmt: skip
    assert {a["seed"] for a in other.values()}.isdisjoint({a["seed"] for a in plans[0].values()})
