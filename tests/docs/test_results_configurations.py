"""The files behind the results pages: configurations are read, scripts run on small data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Hartree

from doc_blocks import ROOT
from nnpal.active_learning.config import RunConfig, read_run_config
from nnpal.cli.document import Config, read_config
from nnpal.data import write_dataset

RESULTS = ROOT / "docs" / "examples" / "results"


LOOPS = ("rare_events", "distillation", "translation")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.toml")), ids=lambda path: path.name)
def test_configuration_is_read(path: Path) -> None:
    """Those of loops by nnpal run, others by nnpal train and nnpal evaluate."""
    if any(f"[{kind}]" in path.read_text() for kind in LOOPS):
        assert isinstance(read_run_config(path), RunConfig)
    else:
        assert isinstance(read_config(path), Config)


def test_self_energies_minimize_the_mean_absolute_error(tmp_path: Path) -> None:
    """Of one element it is the median of E/N, which an outlier does not move as it does the mean."""
    frames = []
    for k, energy in enumerate((-4.5, -4.4, -4.6, -4.45, 10.0)):
        atoms = Atoms("Ni2", positions=[[0, 0, 0], [2.5 + 0.01 * k, 0, 0]])
        atoms.calc = SinglePointCalculator(atoms, energy=2 * energy, forces=np.zeros((2, 3)))
        frames.append(atoms)
    write_dataset(tmp_path / "ni.h5", frames, provenance={})
    script = [sys.executable, str(RESULTS / "self_energies.py"), f"crystal={tmp_path / 'ni.h5'}"]
    told = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    name, symbol, n, in_hartree, in_ev, mean = (cell.strip() for cell in told[-1].strip("|").split("|"))
    assert (name, symbol, n, in_ev) == ("crystal", "Ni", "5", "-4.4500")
    assert float(in_hartree) == pytest.approx(-4.45 / Hartree, abs=1e-6)
    assert mean.startswith("-1.5900")
