"""in.momt_al and in.momt_ni run in short form and do what their first lines promise."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp
from nnpal.demo.eam import eam_potential
from nnpal.momt import read_bias, read_trace

INPUTS = Path(__file__).parents[2] / "lammps_inputs"
NI_POTENTIAL = Path(__file__).parents[3] / "shared" / "potentials" / "NiNb.eam.fs"
SHORT = ("-var", "steps", "1000", "-var", "equilibrate", "1000")


def run_script(lmp: Lmp, name: str, potentials: Path, *args: str, n_ranks: int = 1) -> str:
    text = (INPUTS / name).read_text()
    assert re.search(rf"^#\s+lmp -in {re.escape(name)}\b", text, re.M)
    run = lmp(text, args=(*SHORT, *args), n_ranks=n_ranks, env={"LAMMPS_POTENTIALS": str(potentials)})
    assert "WARNING" not in run.text
    return run.text


@pytest.mark.parametrize("name", ["in.momt_al", "in.momt_ni"])
def test_learns_from_the_first_step(lmp: Lmp, name: str) -> None:
    potential = eam_potential() if name == "in.momt_al" else NI_POTENTIAL
    if not potential.is_file():
        pytest.skip(f"needs {potential}")
    text = run_script(lmp, name, potential.parent)
    assert re.search(r"momt: step 1000 learning ln f 0\.3 kT .* visited \d+ of \d+ bins \(H .*, O .*\)", text)
    bias, trace = read_bias(lmp.folder / "momt.h5"), read_trace(lmp.folder / "momt.trace")
    published = {"in.momt_al": ["H -420 -290 60", "O -5 108 100"], "in.momt_ni": ["H -165 -125 60", "O -5 40 110"]}
    assert [str(axis) for axis in bias.axes] == published[name]
    assert trace.step.tolist() == list(range(100, 1001, 100))
    assert bias.n_updates == 99  # every tenth step; the last is learned from when the next begins
    assert bias.coefficients.sum() == pytest.approx(99 * 0.3 * bias.boltz * bias.temp, rel=1e-12)
    np.testing.assert_allclose(trace.dH[-1], bias.evaluate(H=trace.H[-1], O=trace.O[-1]), rtol=1e-12)


@pytest.mark.mpi
def test_walkers_go_their_own_ways(lmp: Lmp) -> None:
    run_script(lmp, "in.momt_al", eam_potential().parent, "-partition", "2x1", "-var", "walkers", "yes", n_ranks=2)
    one, two = (read_trace(lmp.folder / f"momt.{i}.trace") for i in range(2))
    assert np.abs(one.H - two.H).max() > 0.1
    assert read_bias(lmp.folder / "momt.h5").walkers == 2
