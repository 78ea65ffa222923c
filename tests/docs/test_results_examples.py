"""Input files and scripts of docs/examples/results, in short: melting temperatures, and curves over labels."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from doc_pages import EXAMPLES
from lmp_runner import run_lmp
from nnpal.active_learning.engine.manifest import Entry, Manifest, write_manifest
from nnpal.demo.eam import eam_potential
from nnpal.momt import read_bias, read_trace

RESULTS = EXAMPLES / "results"


def shortened(name: str, **variables: str) -> str:
    """Return an input file with other values of its variables."""
    text = (RESULTS / name).read_text()
    variables["potential"] = str(eam_potential())
    for variable, value in variables.items():
        text, n = re.subn(rf"^(variable {variable} +index )(\"[^\"]*\"|\S+)", rf"\g<1>{value}", text, flags=re.M)
        assert n == 1, f"{name} has no variable {variable}"
    return text


def test_input_of_melting_temperatures(tmp_path: Path) -> None:
    script = shortened("in.melting", cells="2", atoms="32", steps="300", bias='"learn 100"', dump="50")
    script = script.replace("run          5000", "run          100")
    run_lmp(script, tmp_path)
    trace = read_trace(tmp_path / "momt.trace")
    assert trace.n_atoms == 32
    assert trace.phase[-1] == 1
    assert (tmp_path / "momt.lammpstrj").read_text().count("ITEM: TIMESTEP") == 7
    assert [str(axis) for axis in read_bias(tmp_path / "momt.h5").axes] == ["O -4 32 21"]
    # the bias goes on under another potential, in production at once
    again = shortened(
        "in.melting", cells="2", atoms="32", steps="100", bias='"start momt.h5 phase production"', out="again"
    ).replace("run          5000", "run          100")
    run_lmp(again, tmp_path)
    assert (read_trace(tmp_path / "again.trace").phase == 1).all()


def test_input_of_coexistence(tmp_path: Path) -> None:
    script = shortened("in.coexistence", cells="2", steps="200")
    script = re.sub(r"^run +[345]000", "run 50", script, flags=re.M).replace("10 100 1000", "10 10 100")
    run_lmp(script, tmp_path)
    rows = np.loadtxt(tmp_path / "coexistence.txt")
    assert rows[:, 0].tolist() == [100.0, 200.0]
    assert ((rows[:, 1] > 500) & (rows[:, 1] < 1500)).all()


def test_curves_over_labels(tmp_path: Path) -> None:
    """Drawn of what is there: of random choice the second seed alone."""
    shutil.copy(RESULTS / "labels.py", tmp_path)
    runs = [("distilled", 1), ("distilled", 2), ("random", 2)]
    for kind, seed in runs:
        write_run(tmp_path / f"labels_{kind}_{seed}", error=0.01 * seed)
    subprocess.run([sys.executable, "labels.py", "draw"], cwd=tmp_path, check=True, timeout=120)
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text().splitlines()))
    assert [(row["choice"], row["seed"], row["labels"]) for row in rows] == [
        (kind, str(seed), labels) for kind, seed in runs for labels in ("120", "240")
    ]
    assert [float(row["force MAE, meV/Å"]) for row in rows[:4]] == [10.0, 5.0, 20.0, 10.0]
    assert [float(row["energy error spread, meV/atom"]) for row in rows[:2]] == [20.0, 10.0]
    assert (tmp_path / "labels.png").read_bytes().startswith(b"\x89PNG")


def write_run(folder: Path, error: float) -> None:
    """Write what labels.py reads of a run: the facts of its trainings."""
    entries = tuple(
        Entry(
            iteration=iteration,
            stage="train",
            key="",
            seed=1,
            config={},
            code={},
            outputs={},
            facts={
                "n_data": 120 * (iteration + 1),
                "test": {"energy_mae": error / (iteration + 1) / 10, "force_mae": error / (iteration + 1)},
                "crystals": {
                    "Al": {
                        "summed_bond_error": error / (iteration + 1),
                        "energy_error_spread": 2e3 * error / (iteration + 1),
                    }
                },
            },
        )
        for iteration in (0, 1)
    )
    folder.mkdir()
    write_manifest(folder, Manifest(entries))
