"""Stresses and virials, frame by frame: by each frame's own key, compared, limited, and possible in the cell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from data_frames import sound_frames
from nnpal.cli.data import app
from nnpal.data import DatasetError, Keys, Limits, Units, attach, check_frames, labels_of, read_frames, write_dataset
from nnpal.data.settings import DataSection

ASE = Units("eV", "Å")
CUBE = 'Lattice="5 0 0 0 5 0 0 0 5"'
STRESS = 'stress="0.02 0 0 0 0.02 0 0 0 0.02"'
VIRIAL = 'virial="-2.5 0 0 0 -2.5 0 0 0 -2.5"'
UNITS = ("--energy-unit", "eV", "--length-unit", "Å")


def frame(labels: str, cell: str = CUBE, pbc: str = "T T T", shift: float = 0.0) -> str:
    header = f'{cell} Properties=species:S:1:pos:R:3:forces:R:3 energy={-1 - shift} {labels} pbc="{pbc}"'
    return f"2\n{header}\nNi {shift} 0 0 0.5 0 0\nNi 2.5 2.5 0 -0.5 0 0\n"


def written(tmp_path: Path, *frames: str) -> Path:
    path = tmp_path / "set.xyz"
    path.write_text("".join(frames))
    return path


def nnpal_data(*words: object, code: int) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return str(result.output)


def test_each_frame_by_its_own_key(tmp_path: Path) -> None:
    path = written(
        tmp_path, frame(STRESS), frame(VIRIAL, shift=0.1), frame("", shift=0.2), frame(STRESS + " " + VIRIAL, shift=0.3)
    )
    found = read_frames(path, units=ASE)
    assert ["stress" in labels_of(one) for one in found] == [True, True, False, True]
    for k in (0, 1, 3):
        np.testing.assert_allclose(found[k].get_stress(), [0.02, 0.02, 0.02, 0, 0, 0], rtol=1e-14)
    only = read_frames(path, units=ASE, keys=Keys(virial="virial"))
    assert ["stress" in labels_of(one) for one in only] == [False, True, False, True]


def test_some_by_stress_and_some_by_virial(tmp_path: Path) -> None:
    """Each is read rightly, and the check says where the key changes; both keys in one frame have been compared."""
    frames = [frame("")] + [frame(one, shift=k / 10) for k, one in enumerate((STRESS, STRESS, VIRIAL, VIRIAL), 1)]
    path = written(tmp_path, *frames)
    first = written(tmp_path / "..", frame(STRESS))
    findings = json.loads(nnpal_data("check", first, path, *UNITS, "--json", code=0))["findings"]
    (found,) = (one for one in findings if one["kind"] == "stress")
    assert (found["severity"], found["file"], found["index_in_file"]) == ("warning", str(path), 3)
    assert found["value"] == "read from virial here and in 1 more, from stress in frame 1 of this file"
    only = nnpal_data("check", written(tmp_path, frame(STRESS), frame(STRESS + " " + VIRIAL)), *UNITS, code=0)
    assert "stress:" not in only


SIGN = VIRIAL.replace("-", "")
BAD = {
    "another sign": (frame(STRESS + " " + SIGN), "stress 0.02 eV/Å^3 and -virial/volume -0.02 eV/Å^3 in xx contradict"),
    "another unit": (frame(VIRIAL + ' stress="3.2 0 0 0 3.2 0 0 0 3.2"'), "stress 3.2 eV/Å^3 and -virial/volume 0.02 "),
    "no cell": (frame(STRESS, "", "F F F"), "stress: stress in a configuration without cell, expected a cell with"),
    "no cell, virial": (frame(VIRIAL, "", "F F F"), "stress: virial in a configuration without cell, expected a cell"),
    "flat cell": (frame(STRESS, CUBE.replace(' 5"', ' 0"'), "T T F"), "stress: stress in a cell without volume"),
    "slab": (frame(STRESS, pbc="T T F"), "stress: stress in a cell that repeats along a, b only, expected a cell"),
    "box": (frame(VIRIAL, pbc="F F F"), "stress: virial in a cell that does not repeat, expected a cell"),
}


@pytest.mark.parametrize("name", BAD)
def test_readers_and_check_say_the_same(tmp_path: Path, name: str) -> None:
    text, message = BAD[name]
    path = written(tmp_path, frame(STRESS), text, frame(VIRIAL, shift=0.1), text)
    with pytest.raises(DatasetError) as error:
        read_frames(path, units=ASE)
    assert str(error.value).startswith(f"{path}: frame 1: stress: ")
    assert message in str(error.value)
    findings = json.loads(nnpal_data("check", path, *UNITS, "--json", code=1))["findings"]
    found = [one for one in findings if one["kind"] == "stress" and one["severity"] == "error"]
    assert [(one["severity"], one["file"], one["index_in_file"]) for one in found] == [
        ("error", str(path), 1),
        ("error", str(path), 3),
    ]
    words = f"stress: {found[0]['value']}, expected {found[0]['expected']}"
    assert str(error.value) == f"{path}: frame 1: {words}"
    assert f"configuration 1: error: {words} ({path}:1)" in nnpal_data("check", path, *UNITS, code=1)
    assert words in nnpal_data("convert", path, tmp_path / "out.h5", *UNITS, code=1)
    with pytest.raises(DatasetError, match="frame 1: stress"):
        DataSection.model_validate({"train": ({"path": str(path), "units": "eV Å"},)}).load()
    assert not (tmp_path / "out.h5").exists()
    nnpal_data("check", path, *UNITS, "--stress-key", "", code=0)
    assert len(read_frames(path, units=ASE, keys=Keys(stress=""))) == 4
    assert len(read_frames(path, units=ASE, labeled=False)) == 4


def test_printed_digits_do_not_contradict(tmp_path: Path) -> None:
    rounded = 'virial="-2.501 0 0 0 -2.5 0 0 0 -2.5"'
    assert len(read_frames(written(tmp_path, frame(STRESS + " " + rounded)), units=ASE)) == 1
    with pytest.raises(DatasetError, match="contradict"):
        read_frames(written(tmp_path, frame(STRESS + " " + rounded.replace("501", "51"))), units=ASE)


def test_stresses_in_another_unit_are_too_large(tmp_path: Path) -> None:
    path = written(tmp_path, frame('stress="32 0 0 0 -40 0 0 0 32"'))
    words = "stress: -40 eV/Å^3 (-6409 GPa) in yy, expected 1 eV/Å^3 (160.2 GPa) at most; give the unit"
    assert words in nnpal_data("check", path, *UNITS, code=1)
    assert words in nnpal_data("convert", path, tmp_path / "out.h5", *UNITS, code=1)
    train = ({"path": str(path), "units": "eV Å"},)
    with pytest.raises(ValueError, match=r"configuration 0: error: stress: -40 eV.* \(.*set\.xyz:0\)"):
        DataSection.model_validate({"train": train}).load()
    assert DataSection.model_validate({"train": train, "limits": {"max_stress": 50.0}}).load()
    nnpal_data("check", path, *UNITS, "--max-stress", 50, code=0)
    nnpal_data("check", path, *UNITS, "--stress-unit", "kbar", code=0)
    nnpal_data("convert", path, tmp_path / "out.h5", *UNITS, "--stress-unit", "kbar", code=0)
    np.testing.assert_allclose(labels_of(read_frames(tmp_path / "out.h5")[0])["stress"][1], -0.02497, atol=1e-5)
    with pytest.raises(ValueError, match="max_stress = 0, expected more than 0"):
        Limits(max_stress=0)


def test_datasets_of_before(tmp_path: Path) -> None:
    """A file that nnpal wrote of such frames is refused in the same words, and read without stresses."""
    molecule = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.8]])
    attach(molecule, energy=-1.0, forces=np.zeros((2, 3)), stress=np.full(6, 0.1))
    (finding,) = check_frames([*sound_frames(), molecule])
    assert (finding.index, finding.kind, finding.severity) == (4, "stress", "error")
    write_dataset(tmp_path / "set.h5", [*sound_frames(), molecule], provenance={})
    with pytest.raises(DatasetError, match=r"set\.h5: frame 4: stress: stress in a configuration without cell"):
        read_frames(tmp_path / "set.h5")
    assert set(labels_of(read_frames(tmp_path / "set.h5", keys=Keys(stress=""))[4])) == {"energy", "forces"}
