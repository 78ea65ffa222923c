"""Files and folders that no command can use: a sentence that names each and what helps, exit code 1, no traceback."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner, Result

from damaged_files import write_model_in_a_new_process
from nnpal.cli.app import app
from nnpal.data import read_frames, write_dataset

XYZ = (
    '2\nLattice="8 0 0 0 8 0 0 0 8" Properties=species:S:1:pos:R:3:REF_forces:R:3 REF_energy=-3 units="eV Å"\n'
    "Al 0 0 0 0 0 0.1\nAl 2.5 0 0 0 0 -0.1\n"
)
DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 8\n0 8\n0 8\n"
    "ITEM: ATOMS id type x y z\n1 a 0 0 0\n"
)
DATA = "title\n\n2 atoms\n1 atom types\n0 8 xlo xhi\n0 8 ylo yhi\n0 8 zlo zhi\n\nAtoms # atomic\n\n1 1 0 0 0\n"


def aluminum(n: int = 1) -> list[Atoms]:
    frames = []
    for index in range(n):
        atoms = Atoms("Al2", positions=[[0, 0, 0], [2.5 + 0.1 * index, 0, 0]], cell=[8.0] * 3, pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=np.zeros((2, 3)))
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold one file or folder of every kind that some command cannot use."""
    here = tmp_path_factory.mktemp("bad")
    (here / "folder.h5").mkdir()
    write_dataset(here / "good.h5", aluminum(3), provenance={})
    (here / "text").write_text("hello world\n")
    for name in ("nothing.dump", "nothing.h5", "nothing.traj"):
        (here / name).touch()
    (here / "nan.xyz").write_text(XYZ.replace("REF_energy=-3", "REF_energy=nan"))
    (here / "bare.xyz").write_text(XYZ.replace("REF_", "other_"))
    (here / "text.h5").write_text("hello world\n")
    (here / "binary").write_bytes(bytes(range(128, 256)))
    (here / "unknown.xyz").write_text(XYZ.replace("Al 0", "Xx 0"))
    (here / "words.xyz").write_text(XYZ.replace("REF_energy=-3", "REF_energy=high"))
    (here / "huge.xyz").write_text("9" * 20 + XYZ[1:])
    (here / "cut.xyz.gz").write_bytes(gzip.compress(XYZ.encode())[:-12])
    (here / "good.xyz.bz2").write_bytes(b"BZh9")
    (here / "types.dump").write_text(DUMP)
    (here / "short.data").write_text(DATA)
    with h5py.File(here / "bias.h5", "w") as file:
        file.attrs.update({"format": "nnpal-momt", "format_version": 2, "axes": 3})
    (here / "config.toml").write_text('[oracle]\nkind = "lammps"\n')
    return here


READ = {
    "no_such.h5": "no_such.h5: no such file",
    "folder.h5": "folder.h5: a folder, expected a file; name the files in it",
    "text": "text: neither suffix nor contents show the format; give format, one of hdf5, extxyz",
    "text.h5": "text.h5: damaged, or not an HDF5 file",
    "unknown.xyz": "unknown.xyz: frame 0: 'Xx' is not a chemical element; expected chemical symbols, such as Al",
    "words.xyz": "words.xyz: frame 0: REF_energy is 'high', expected numbers",
    "huge.xyz": "huge.xyz: frame 0 is not valid extended XYZ: line 1 says 99999999999999999999 atoms, but 2 lines of",
    **{f"nothing.{kind}": f"nothing.{kind}: empty (0 bytes), expected configur" for kind in ("dump", "h5", "traj")},
    "cut.xyz.gz": "cut.xyz.gz: damaged, or not compressed by gzip: Compressed file ended",
    "good.xyz.bz2": "good.xyz.bz2: compressed (.bz2); lammps-dump and extxyz are read as .gz, everything else is to be",
}
LAMMPS = {
    "types.dump": "types.dump: frame 0 (step 0): column `type`: invalid literal for int() with base 10: 'a'; expected",
    "short.data": "short.data: damaged, or not a LAMMPS data file: fewer lines than it says",
}
COMMANDS: dict[str, tuple[list[str], dict[str, str]]] = {
    "data check": (["data", "check", "{}"], READ),
    "data info": (["data", "info", "{}"], READ),
    "data convert": (
        ["data", "convert", "{}", "out.h5"],
        {
            **READ,
            "nan.xyz": "out.h5 is not written: 1 of 1 configurations are invalid:\n  configuration 0: error: "
            "not finite: 1 NaN or infinite values of energy",
            "bare.xyz": "name the key that holds it (keys in a configuration file or in Python, nnpal data convert "
            "--energy-key and --forces-key), remove the frames, or read structures without labels (labeled=False in "
            "Python, nnpal data convert --structures)",
        },
    ),
    "data split": (["data", "split", "{}", "a.h5", "b.h5"], READ),
    "data info of LAMMPS": (["data", "info", "{}", "--lammps-units", "metal", "--symbols", "Al"], LAMMPS),
    "evaluate": (["evaluate", "model.nnp.pt", "{}", "--output", "evaluated"], READ),
    "info": (
        ["info", "{}"],
        {
            "no_such.h5": "model file no_such.h5 does not exist",
            "folder.h5": "folder.h5: a folder; expected a model file, such as folder.h5/model.nnp.pt",
            "text": "text: not a TorchScript archive, or truncated or damaged (File is not a zip file)",
        },
    ),
    "evaluate with a model": (
        ["evaluate", "{}", "good.h5", "--output", "evaluated"],
        {
            "no_such.h5": "model file no_such.h5 does not exist",
            "folder.h5": "folder.h5: a folder; expected a model file",
            "text": "text: not a TorchScript archive",
        },
    ),
    "export": (
        ["export", "{}"],
        {
            "no_such": "no_such is not a training folder: expected a folder (No such file or directory); give the "
            "folder",
            "folder.h5": "folder.h5 is not a training folder: it holds no plan.json; give the folder that nnpal train",
            "text": "text is not a training folder: expected a folder (Not a directory)",
        },
    ),
    "momt report": (
        ["momt", "report", "{}", "text"],
        {
            "no_such.h5": "bias file no_such.h5: no such file",
            "folder.h5": "bias file folder.h5: a folder, expected a file that MOMT wrote, such as folder.h5/momt.h5",
            "text.h5": "bias file text.h5 cannot be read",
            "bias.h5": "bias file bias.h5 cannot be read",
        },
    ),
    "smd report": (
        ["smd", "report", "{}", "--temperature", "300"],
        {
            "no_such": "no_such: no such file",
            "folder.h5": "folder.h5: a folder, expected the file of a pull; name the files in it",
            "binary": "binary: no column step, d, lambda, force, work; expected a file of fix python/hook",
        },
    ),
    "status": (["status", "{}"], {"text": "text: not a run folder; expected a folder made by nnpal run"}),
    **{
        command: (
            [command, "{}"],
            {
                "no_such.toml": "no_such.toml: No such file or directory; expected a TOML file",
                "folder.h5": "folder.h5: Is a directory; expected a TOML file",
                "binary": "expected a TOML file",
                "text": "text: not TOML",
            },
        )
        for command in ("label", "train", "run")
    },
}
WRITTEN: dict[str, tuple[list[str], str]] = {
    "convert to a folder": (
        ["data", "convert", "good.h5", "folder.h5"],
        "the file to write: folder.h5 is a folder; give the name of a file",
    ),
    "convert to no folder": (
        ["data", "convert", "good.h5", "none/out.h5"],
        "the file to write: there is no folder none for none/out.h5; create it first, or give another name",
    ),
    "split to a folder": (["data", "split", "good.h5", "a.h5", "folder.h5"], "folder.h5 is a folder; give the name"),
    "split to another suffix": (["data", "split", "good.h5", "a.h5", "b.xyz"], "b.xyz: expected a name ending in .h5"),
    "evaluate in a file": (
        ["evaluate", "model.nnp.pt", "good.h5", "--output", "text"],
        "evaluate.output: text is a file, expected a folder; give another name",
    ),
    "evaluate below a file": (
        ["evaluate", "model.nnp.pt", "good.h5", "--output", "text/below"],
        "evaluate.output: text/below cannot be created, because ",
    ),
    "demo in a file": (["demo", "--output", "text"], "--output: text is a file, expected a folder; give another name"),
}


def told(result: Result) -> str:
    """Require exit code 1 by a message, and return it."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert "[Errno" not in result.output
    return result.output


@pytest.mark.parametrize(
    ("command", "name"), [(command, name) for command, (_, messages) in COMMANDS.items() for name in messages]
)
def test_files_that_cannot_be_read(
    command: str, name: str, folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    words, messages = COMMANDS[command]
    text = told(CliRunner().invoke(app, [word.format(name) for word in words]))
    assert f"nnpal {' '.join(words[: 2 if words[0] in ('data', 'momt', 'smd') else 1])}: " in text
    assert messages[name] in text


@pytest.mark.parametrize("case", WRITTEN)
def test_places_that_cannot_be_written(case: str, folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words, message = WRITTEN[case]
    assert message in told(CliRunner().invoke(app, words))
    assert not (folder / "a.h5").exists()


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write_model_in_a_new_process(folder / "model.nnp.pt")


def test_gzipped_extended_xyz_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.xyz.gz"
    path.write_bytes(gzip.compress(XYZ.encode()))
    (frame,) = read_frames(path)
    assert frame.get_potential_energy() == -3.0
    assert frame.positions[1].tolist() == [2.5, 0.0, 0.0]


def train(folder: Path, data: str, output: str) -> Result:
    (folder / "train.toml").write_text(f'[data]\ntrain = ["{data}"]\n[ensemble]\nfolder = "{output}"\nmembers = 1\n')
    return CliRunner().invoke(app, ["train", str(folder / "train.toml")])


def test_train(folder: Path) -> None:
    assert "unknown.xyz: frame 0: 'Xx' is not a chemical element" in told(train(folder, "unknown.xyz", "trained"))
    text = told(train(folder, "good.h5", "text"))
    assert f"nnpal train: the training folder: {folder / 'text'} is a file, expected a folder; give another" in text


LABEL = """[oracle]
kind = "lammps"
elements = ["Al"]
commands = ["pair_style lj/cut 5.0", "pair_coeff * * 0.1 2.5"]
[label]
input = ["{input}"]
output = "{output}"
store = "{store}"
failures = "{failures}"
"""
PLACES: dict[str, tuple[dict[str, str], str]] = {
    "input is a folder": ({"input": "folder.h5"}, "folder.h5: a folder, expected a file"),
    "output is a folder": ({"output": "folder.h5"}, "label.output: {}/folder.h5 is a folder; give the name of a file"),
    "output is another's": (
        {"output": "text.h5"},
        "label.output: {}/text.h5 exists and is not a dataset of nnpal; it is",
    ),
    "output is the input": ({"output": "good.h5"}, "label.output: {}/good.h5 is read, as label.input; give another"),
    "output below a file": ({"output": "text/out.h5"}, "label: {}/text is a file, expected a folder"),
    "store is a folder": ({"store": "folder.h5"}, "label.store: {}/folder.h5 is a folder; give the name of a file"),
    "store is another's": ({"store": "text.h5"}, "text.h5: not a label store: file is not a database"),
    "store in no folder": (
        {"store": "none/store"},
        "label.store: there is no folder {}/none for {}/none/store; create",
    ),
    "failures is a folder": ({"failures": "folder.h5"}, "label.failures: {}/folder.h5 is a folder; give the name"),
    "failures is another's": (
        {"failures": "text"},
        "label.failures: {}/text exists and is not a list of failures of nnpal label; it is left unchanged. Give",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_label(case: str, folder: Path) -> None:
    changes, message = PLACES[case]
    names = {"input": "good.h5", "output": "out.h5", "store": "store", "failures": "failures.csv", **changes}
    (folder / "label.toml").write_text(LABEL.format(**names))
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    text = told(CliRunner().invoke(app, ["label", str(folder / "label.toml")]))
    assert message.replace("{}", str(folder)) in text
    assert all(path.read_bytes() == content for path, content in before.items())
