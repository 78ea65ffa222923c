"""`nnpal evaluate --cross`: every model on every dataset."""

from __future__ import annotations

import csv
import json
import re
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner, Result

from ensembles import one_element_ensemble
from nnpal.cli.app import app
from nnpal.cli.evaluate_cross import named
from nnpal.data import content_hash, read_frames, write_dataset
from nnpal.demo.eam import eam_potential, label
from nnpal.evaluation import predict
from nnpal.model import export_ensemble


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", "--cross", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, and a model that says it was made with the first of them."""
    folder = tmp_path_factory.mktemp("cross")
    for seed, name in enumerate(("crystal", "liquid")):
        atoms = [bulk("Al", cubic=True) for _ in range(seed + 2)]
        for k, each in enumerate(atoms):
            each.rattle(0.1 + 0.1 * seed, seed=10 * seed + k)
        write_dataset(folder / f"{name}.h5", label(atoms, eam_potential()), provenance={})
    ensemble = one_element_ensemble("Al", 2, self_energy=-3.4)
    mine = content_hash(read_frames(folder / "crystal.h5"))
    export_ensemble(ensemble, folder / "own.nnp.pt", dataset_hash=mine)
    export_ensemble(one_element_ensemble("Al", 1, self_energy=-3.0), folder / "other.nnp.pt")
    return folder


def test_every_pair_has_its_errors_and_a_models_own_data_are_marked(folder: Path, tmp_path: Path) -> None:
    files = [folder / "own.nnp.pt", f"second={folder / 'other.nnp.pt'}"]
    data = ["--data", folder / "crystal.h5", "--data", f"melt={folder / 'liquid.h5'}"]
    done = run(*files, *data, "--output", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary == json.loads((tmp_path / "out/cross.json").read_text())
    assert [(one["name"], one["n_members"]) for one in summary["models"]] == [("own", 2), ("second", 1)]
    assert [(one["name"], one["n_frames"], one["n_atoms"]) for one in summary["sets"]] == [
        ("crystal", 2, 8),
        ("melt", 3, 12),
    ]
    pairs = [(one["model"], one["data"], one["own"]) for one in summary["errors"]]
    assert pairs == [
        ("own", "crystal", True),
        ("own", "melt", False),
        ("second", "crystal", False),
        ("second", "melt", False),
    ]
    for one, (model, name) in zip(
        summary["errors"], [(m, d) for m in ("own", "other") for d in ("crystal", "liquid")], strict=True
    ):
        frames = read_frames(folder / f"{name}.h5")
        found = predict(folder / f"{model}.nnp.pt", frames)
        energy = [e - f.get_potential_energy() for e, f in zip(found.energies, frames, strict=True)]
        assert one["energy_mae"] == pytest.approx(1e3 * np.abs(energy).mean() / 4)
        forces = found.forces - np.concatenate([frame.get_forces() for frame in frames])
        assert one["force_mae"] == pytest.approx(1e3 * np.abs(forces).mean())
    with (tmp_path / "out/cross.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["data"], row["own"] == "1") for row in rows] == pairs
    assert float(rows[3]["force_mae_meV_angstrom"]) == pytest.approx(summary["errors"][3]["force_mae"])
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"out/cross.{suffix}").stat().st_size > 1000


def test_the_tables_mark_it_too(folder: Path, tmp_path: Path) -> None:
    done = run(folder / "own.nnp.pt", "--data", folder / "crystal.h5", "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert re.search(r"own +│ crystal \* │ +\d+\.\d\d │ +[+-]\d+\.\d\d │ +\d+\.\d │", done.output)
    assert "…" not in done.output  # numbers are whole, however narrow the terminal
    assert done.output.count("*") == 2  # the pair, and what it means
    names = [f"{name}_{'long' * 20}={folder / file}" for name, file in (("m", "own.nnp.pt"), ("d", "crystal.h5"))]
    long = run(names[0], "--data", names[1], "--output", tmp_path / "out")
    assert re.search(r"│ +\d+\.\d\d │ +[+-]\d+\.\d\d │ +\d+\.\d │ +\d+\.\d │", long.output)
    assert long.output.count("long") > 20  # names are whole too
    assert "* training and validation data of this model" in done.output


def test_a_sign_in_a_file_or_folder_that_is_there_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "lr=0.1").mkdir()
    for name in ("lr=0.1.pt", "lr=0.1/c.pt"):
        (tmp_path / name).touch()
    with chdir(tmp_path):
        assert named("MODEL", ["lr=0.1.pt", "a=b.pt", "lr=0.1/c.pt"]) == {
            "lr=0": Path("lr=0.1.pt"),
            "a": Path("b.pt"),
            "c": Path("lr=0.1/c.pt"),
        }


def test_what_cannot_be_compared_is_told(folder: Path, tmp_path: Path) -> None:
    bare, copper = tmp_path / "bare.extxyz", tmp_path / "copper.h5"
    bulk("Al", cubic=True).write(bare)
    atoms = label([bulk("Al", cubic=True)], eam_potential())[0]
    atoms.numbers[0] = 29
    write_dataset(copper, [_relabeled(atoms)], provenance={})
    model, data = folder / "own.nnp.pt", folder / "crystal.h5"
    for arguments, message in (
        ([model, folder / "own.nnp.pt", "--data", data], "are both named own; give different names, such as NAME="),
        ([model, "--data", data, "--data", data], "--data: "),
        ([model], "--cross: expected model files, and datasets with --data"),
        ([model, "--data", f"={data}"], "expected a file, or NAME=FILE"),
        ([model, "--data", bare], "bare.extxyz: no frame has 'energy'"),
        ([model, "--data", copper], "dataset copper holds Cu, model own ("),
        ([model, "--data", data, "--config", "x.toml"], "--config has no effect with --cross"),
        ([tmp_path / "none.nnp.pt", "--data", data], "none.nnp.pt"),
    ):
        failed = run(*arguments, "--output", tmp_path / "no")
        assert failed.exit_code == 1, failed.output
        assert message in failed.output
    alone = CliRunner().invoke(app, ["evaluate", str(model), "--data", str(data)])
    assert (alone.exit_code, "--data requires --cross" in alone.output) == (1, True)


def _relabeled(atoms: Atoms) -> Atoms:
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, energy=-1.0, forces=np.zeros((len(copy), 3)))
    return copy
