"""`nnpal data` and the table [data]."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import Field
from typer.testing import CliRunner

from data_frames import assert_same, random_frames, sound_frames
from nnpal.cli.data import app
from nnpal.config import ConfigError, Section, read_toml
from nnpal.data import attach, content_hash, labels_of, read_dataset, read_frames, write_dataset, write_extxyz
from nnpal.data.settings import DataSection, load

DUMP = """ITEM: TIMESTEP
7
ITEM: NUMBER OF ATOMS
1
ITEM: BOX BOUNDS pp pp pp
0 4
0 4
0 4
ITEM: ATOMS id type x y z
1 1 1 2 3
"""


def nnpal_data(*words: object, code: int = 0) -> str:
    """Return what the command prints, stdout and stderr together."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return str(result.output)


def test_convert_between_all_forms(tmp_path: Path) -> None:
    frames = random_frames()
    write_extxyz(tmp_path / "a.xyz", frames[:3])
    write_extxyz(tmp_path / "b.xyz", frames[3:])
    text = nnpal_data("convert", tmp_path / "a.xyz", tmp_path / "b.xyz", tmp_path / "set.h5")
    assert f"8 configurations, content hash {content_hash(frames)}" in text
    contents = read_dataset(tmp_path / "set.h5")
    assert_same(contents.frames, frames)
    assert contents.provenance["sources"] == [str(tmp_path / "a.xyz"), str(tmp_path / "b.xyz")]
    nnpal_data("convert", tmp_path / "set.h5", tmp_path / "back.extxyz", "--tag", "mine")
    back = read_frames(tmp_path / "back.extxyz")
    assert content_hash(back) == content_hash(frames)
    assert {frame.info["tag"] for frame in back} == {"mine"}


def test_convert_a_dump(tmp_path: Path) -> None:
    (tmp_path / "dump.ni").write_text(DUMP)
    out = tmp_path / "ni.h5"
    assert "nnpal data convert: " in nnpal_data("convert", tmp_path / "dump.ni", out, code=1)
    words = ("convert", tmp_path / "dump.ni", out, "--lammps-units", "metal", "--symbols", "Ni")
    assert "a dump contains no energies" in nnpal_data(*words, code=1)
    nnpal_data(*words, "--structures")
    (frame,) = read_frames(out, labeled=False)
    assert frame.get_chemical_formula() == "Ni"
    np.testing.assert_array_equal(frame.positions, [[1, 2, 3]])
    assert read_dataset(out).provenance["units"] == "eV Å eV/Å bar"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["set.h5"], "expected the files to read and one file to write"),
        (["set.h5", "out.db"], "can write .h5, .xyz, .extxyz, .deepmd; the last file is the one to write"),
        (["set.h5", "set.h5"], "is read and written"),
        (["nothing.h5", "out.h5"], "nothing.h5: no such file"),
        (["set.h5", "out.h5", "--energy-unit", "eV"], "--energy-unit and --length-unit: give both"),
        (
            ["set.h5", "out.h5", "--energy-unit", "ev", "--lammps-units", "metal"],
            "cannot be combined with --energy-unit",
        ),
        (["set.h5", "out.h5", "--lammps-units", "metall"], "did you mean metal"),
        (["set.h5", "out.h5", "--virial-order", "vogt"], "order = 'vogt'"),
    ],
)
def test_convert_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_dataset("set.h5", random_frames(), provenance={})
    before = Path("set.h5").read_bytes()
    text = nnpal_data("convert", *words, code=1)
    assert text.startswith("nnpal data convert: ")
    assert message in text
    assert [path.name for path in tmp_path.iterdir()] == ["set.h5"]
    assert Path("set.h5").read_bytes() == before


def test_check(tmp_path: Path) -> None:
    frames = sound_frames()
    write_dataset(tmp_path / "good.h5", frames, provenance={})
    assert nnpal_data("check", tmp_path / "good.h5") == "4 configurations, 0 errors, 0 warnings\n"
    attach(frames[2], energy=np.nan, forces=labels_of(frames[2])["forces"])
    write_dataset(tmp_path / "bad.h5", frames[1:], provenance={})
    text = nnpal_data("check", tmp_path / "good.h5", tmp_path / "bad.h5", code=1)
    assert "configuration 5: error: not finite: 1 NaN or infinite values of energy" in text
    assert f"({tmp_path / 'bad.h5'}:1)" in text
    assert "7 configurations, 1 errors, 2 warnings" in text
    said = json.loads(nnpal_data("check", tmp_path / "bad.h5", "--json", code=1))
    assert said["configurations"] == 3
    assert said["findings"][0]["index_in_file"] == 1
    assert "element: Cu" in nnpal_data("check", tmp_path / "good.h5", "--elements", "Ni", code=1)
    assert "on atom" in nnpal_data("check", tmp_path / "good.h5", "--max-force", "0.5", code=1)
    assert "expected more than 0" in nnpal_data("check", tmp_path / "good.h5", "--max-force", "-1", code=1)


def test_info(tmp_path: Path) -> None:
    frames = sound_frames()
    write_dataset(tmp_path / "set.h5", frames, provenance={"oracle": "EMT"})
    said = json.loads(nnpal_data("info", tmp_path / "set.h5", "--json"))
    assert said["configurations"] == 4
    assert said["formulas"] == {"Cu4": 4}
    assert said["labeled"] == {"energy": 4, "forces": 4, "stress": 4}
    assert said["energy_ev_per_atom"] == pytest.approx({"min": -3.5, "mean": -3.4625, "max": -3.425})
    assert said["largest_force_ev_per_angstrom"]["max"] == pytest.approx(
        max(np.linalg.norm(frame.get_forces(), axis=1).max() for frame in frames)
    )
    assert said["content_hash"] == content_hash(frames)
    assert said["provenance"] == {"oracle": "EMT"}
    assert said["units"] == "eV Å eV/Å eV/Å^3"
    table = nnpal_data("info", tmp_path / "set.h5")
    assert re.search(r"provenance +oracle: EMT *\n", table)
    assert re.search(r"formulas +Cu4: 4 *\n", table)
    assert re.search(r"atoms per configuration +4 *\n", table)
    assert re.search(r"periodic +x, y, z: 4 *\n", table)
    assert re.search(r"energy \(eV/atom\) +-3.5 to -3.425, mean -3.4625 *\n", table)
    (tmp_path / "mine.txt").write_text(
        '1\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 pbc="T T F" my_energy=-3.0\nCu 0 0 0\n'
    )
    given = ["--format", "extxyz", "--energy-key", "my_energy", "--energy-unit", "eV", "--length-unit", "Å"]
    table = nnpal_data("info", tmp_path / "mine.txt", *given)
    assert re.search(r"energy \(eV/atom\) +-3 to -3, mean -3 *\n", table)
    assert re.search(r"periodic +x, y: 1 *\n", table)
    assert nnpal_data("info", tmp_path / "no.h5", code=1) == f"nnpal data info: {tmp_path}/no.h5: no such file\n"


class Whole(Section):
    data: DataSection = Field(description="labeled configurations")


def config(folder: Path, text: str) -> DataSection:
    (folder / "nnpal.toml").write_text("[data]\n" + text)
    return read_toml(folder / "nnpal.toml", Whole).data


def test_files_of_a_config(tmp_path: Path) -> None:
    frames = sound_frames(6)
    (tmp_path / "sets").mkdir()
    write_dataset(tmp_path / "sets" / "a.h5", frames[:3], provenance={})
    write_extxyz(tmp_path / "sets" / "b.xyz", frames[3:5])
    write_extxyz(tmp_path / "sets" / "c.xyz", frames[5:])
    section = config(
        tmp_path,
        "train = ['sets/a.h5', {path = 'sets/b.xyz', units = 'eV Å', tag = 'b', symbols = ['Cu=Ag']}]\n"
        "test = ['sets/c.xyz']\n",
    )
    found = load(section, tmp_path)
    assert len(found) == 5
    assert [str(frame.symbols) for frame in found[2:4]] == ["Cu4", "Ag4"]
    assert found[3].info["tag"] == "b"
    assert len(section.load(tmp_path, "test")) == 1
    with pytest.raises(ValueError, match="part 'tset': unknown; did you mean test"):
        section.load(tmp_path, "tset")
    with pytest.raises(FileNotFoundError, match=r"sets/a\.h5: no such file"):
        section.load(tmp_path / "sets")
    with pytest.raises(ValueError, match="element: Ag, expected one of Cu"):
        section.load(tmp_path, symbols=["Cu"])


def test_unsound_data_of_a_config(tmp_path: Path) -> None:
    write_dataset(tmp_path / "a.h5", sound_frames(), provenance={})
    section = config(tmp_path, "train = ['a.h5']\n[data.limits]\nmax_force = 0.5\n")
    with pytest.raises(ValueError, match=r"data\.train: 4 of 4 configurations are invalid:\n  configuration 0"):
        section.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train = []", "data.train"),
        ("", "data.train: missing"),
        ("trian = ['a.h5']\ntrain = ['a.h5']", "data.trian: unknown key; did you mean train"),
        ("train = [{path = 'a.h5', units = 'metl'}]", "did you mean metal"),
        ("train = [{path = 'a.h5', format = 'h5'}]", "unknown; did you mean hdf5"),
        ("train = [{path = 'a.h5', keys = {stress = 'a', virial = 'b'}}]", "expected one at most"),
        ("train = ['a.h5']\n[data.limits]\nmax_force = 0", "data.limits.max_force = 0"),
    ],
)
def test_wrong_configs(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(tmp_path, text)
    assert message in str(error.value)
