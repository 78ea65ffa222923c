"""On a cluster the executor says how LAMMPS is started; by hand and on other nodes a run is the same."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from explore_runs import eam_oracle, momt_settings, morse_oracle, run_folder, smd_settings, write_dimer
from loop_runs import TESTS, WATER
from nnpal.active_learning.sampling import momt, oracle_md, read_smd, smd
from processes import run

LAUNCHER = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/launched"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Have PARSL_MPI_PREFIX name a launcher that notes its words, and return how often and with which it was called."""
    path = tmp_path / "bin" / "srun"
    path.parent.mkdir()
    path.write_text(LAUNCHER)
    path.chmod(0o755)
    monkeypatch.setenv("PARSL_MPI_PREFIX", f"{path} --ntasks 1 --nodelist 'n[7]' --")
    log = path.parent / "launched"
    return lambda: log.read_text().splitlines() if log.exists() else []


def pull(tmp_path, folder, **changes):
    settings = smd_settings(length=0.05, **changes)
    return smd(folder, settings=settings, force_field=morse_oracle(), structure=write_dimer(tmp_path), rate=0.5, seed=5)


def test_explorations_start_lammps_by_the_words_of_the_executor(tmp_path, launched):
    folder = run_folder(tmp_path)
    assert pull(tmp_path, folder)["ended"] == "complete"
    [words] = launched()
    assert words.startswith("--ntasks 1 --nodelist n[7] -- ")
    assert "-m nnpal.lammps.launcher" in words
    assert "-in in.smd" in words


def test_an_end_holds_on_other_nodes_and_the_script_does_not_name_nodes(tmp_path, launched, monkeypatch):
    folder = run_folder(tmp_path)
    first = pull(tmp_path, folder)
    assert "n[7]" not in (folder / "in.smd").read_text()
    monkeypatch.setenv("PARSL_MPI_PREFIX", "no-such-srun --nodelist n8")
    assert pull(tmp_path, folder) == first
    assert len(launched()) == 1


def test_the_configuration_s_own_launcher_outdoes_the_executor_s(tmp_path, launched):
    folder = run_folder(tmp_path)
    pull(tmp_path, folder, launch=["env"])
    assert launched() == []
    assert "env lmp -in in.smd" in (folder / "in.smd").read_text()


def test_the_oracle_s_dynamics_and_sampling_start_so_too(tmp_path, launched):
    settings = {"structure": "dimer.xyz", "steps": 20, "every": 10, "equilibration": 0}
    oracle_md(
        run_folder(tmp_path, "md"), settings=settings, force_field=morse_oracle(), structure=write_dimer(tmp_path),
        temperature=10.0, seed=2,
    )  # fmt: skip
    settings = momt_settings(steps=40, every=20, equilibration=20)
    momt(run_folder(tmp_path, "momt"), settings=settings, force_field=eam_oracle(), seed=2)
    assert [re.search(r"-in (\S+)", words)[1] for words in launched()] == ["in.md", "in.momt"]


@pytest.mark.mpi
def test_walkers_are_dealt_the_ranks_of_the_executor(tmp_path, monkeypatch):
    mpirun = Path(sys.executable).parent / "mpirun"
    if not mpirun.exists():
        pytest.skip("needs mpirun beside this Python")
    monkeypatch.setenv("PARSL_MPI_PREFIX", f"{mpirun} -n 4")
    folder = run_folder(tmp_path)
    settings = momt_settings(steps=40, every=20, equilibration=20, walkers=2)
    assert momt(folder, settings=settings, force_field=eam_oracle(), seed=2)["ended"] == "complete"
    assert "mpirun -np 4 lmp -in in.momt -partition 2x2" in (folder / "in.momt").read_text()
    [grid] = re.findall(r"(\d) by (\d) by (\d) MPI processor grid", (folder / "log.lammps.0").read_text())
    assert np.prod([int(n) for n in grid]) == 2


def test_a_calculator_beside_the_configuration_is_found_wherever_the_task_was_started(tmp_path):
    """A pull's input runs by hand, even if Python had the calculator's folder on its path as it was written."""
    (tmp_path / "water.xyz").write_text(WATER)
    (tmp_path / "water_oracle.py").write_text((TESTS / "support/oracles/water_oracle.py").read_text())
    folder = run_folder(tmp_path)
    code = (
        "import sys, json; from pathlib import Path; from nnpal.active_learning.sampling import smd; "
        "smd(Path(sys.argv[1]), **json.loads(sys.argv[2]))"
    )
    arguments = {
        "settings": smd_settings(structure="water.xyz", length=0.02, start=0.96, every=10, equilibration=0),
        "force_field": {"kind": "ase", "calculator": "water_oracle:Water", "folder": ".."},
        "structure": "../water.xyz", "rate": 2.0, "seed": 3,
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = run([sys.executable, "-c", code, "run", json.dumps(arguments)], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert read_smd(folder).complete
    assert "PYTHONPATH=.. lmp -in in.smd" in (folder / "in.smd").read_text()
