"""Files and state of MOMT in real runs: trace, bias file, restarts, bias carried on, walkers over partitions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from colvar import read_colvar
from hook_scripts import al_start, thermo
from lmp_runner import Lmp, LmpRun
from nnpal._momt import SplineBias
from nnpal.momt import read_bias, read_trace

OPTIONS = "temp 900 press 1 lattice fcc H -130 -60 30 O -5 40 45"
NPT = "fix b all npt temp 900 900 0.1 iso 1 1 0.5\n"
OUT = thermo("step", "vol", *(f"f_momt[{i}]" for i in range(1, 9)))
POTENTIAL = "pair_style eam/fs\n" + re.findall(r"pair_coeff.*", al_start())[0] + "\ntimestep 0.002\n"


def momt(more: str = "", fix: str = "momt") -> str:
    return (
        f"fix {fix} all python/hook nnpal.momt:MOMT {OPTIONS} stride 2 every 2 {more}\n"
        f"fix_modify {fix} energy yes virial yes\n"
    )


def script(more: str = "", steps: int = 20) -> str:
    return al_start() + momt(more) + NPT + OUT + f"run {steps}\n"


def test_trace_rows_are_those_of_thermo(lmp: Lmp) -> None:
    table = lmp(script()).thermo[0]
    trace = read_trace(lmp.folder / "momt.trace")
    rows = slice(2, None, 2)
    assert trace.step.tolist() == table["Step"][rows].tolist() == list(range(2, 21, 2))
    for name, column in (
        ("V", "Volume"),
        ("H", "f_momt[1]"),
        ("O", "f_momt[2]"),
        ("dH", "f_momt[3]"),
        ("lnf", "f_momt[6]"),
    ):
        np.testing.assert_array_equal(getattr(trace, name), table[column][rows])
    np.testing.assert_allclose(trace.H - trace.V / trace.nktv2p, table["f_momt[1]"][rows] - trace.V / 1.6021765e6)
    assert (trace.temp, trace.press, trace.n_atoms, trace.units) == (900.0, 1.0, 32, "metal")
    bias = read_bias(lmp.folder / "momt.h5")
    h, o = bias.axes
    i = ((trace.H - h.low) / h.width).astype(int) * o.n_bins + ((trace.O - o.low) / o.width).astype(int)
    np.testing.assert_array_equal(trace.bin, i)


def test_every_update_is_in_the_bias(lmp: Lmp) -> None:
    """The bias of the file is the sum of bumps at the trace's points; each row's δH is of the bumps before it."""
    lmp(script(steps=40))
    trace, bias = read_trace(lmp.folder / "momt.trace"), read_bias(lmp.folder / "momt.h5")
    rebuilt = SplineBias([(a.low, a.high, a.n_bins) for a in bias.axes], [(False, False, 0.0, 1.0, False)] * 2)
    for h, o, expected in zip(trace.H, trace.O, trace.dH, strict=True):
        assert rebuilt.evaluate(h, o)[0] == pytest.approx(expected, abs=1e-13)
        final = rebuilt.coefficients.copy()
        rebuilt.deposit(0.3 * bias.boltz * 900, h, o)
    np.testing.assert_allclose(bias.coefficients, final, atol=1e-14)


def test_files_of_an_earlier_run_are_kept(lmp: Lmp) -> None:
    lmp(script())
    first = {name: (lmp.folder / name).read_bytes() for name in ("momt.h5", "momt.trace")}
    text = lmp(script("ln_f 0.2")).text
    for name, content in first.items():
        assert (lmp.folder / f"{name}.bak1").read_bytes() == content
        assert f"momt: {name} of an earlier run is kept as {name}.bak1" in text
        assert (lmp.folder / name).read_bytes() != content


def restarted(lmp: Lmp, file: str, more: str = "", steps: int = 20) -> LmpRun:
    return lmp(f"read_restart {file}\n" + POTENTIAL + momt(more) + NPT + OUT + f"run {steps}\n")


def test_restart_continues_the_trace(lmp: Lmp) -> None:
    """The first run went on beyond its restart file before it was killed."""
    lmp(al_start() + momt() + NPT + OUT + "run 20\nwrite_restart a.restart\nrun 12\n")
    before = (lmp.folder / "momt.trace").read_text().splitlines()
    restarted(lmp, "a.restart")
    trace = read_trace(lmp.folder / "momt.trace")
    assert trace.step.tolist() == list(range(2, 41, 2))
    assert (lmp.folder / "momt.trace").read_text().splitlines()[: len(before) - 6] == before[:-6]
    columns, constants = read_colvar(lmp.folder / "momt.trace")
    assert list(columns) == ["time", "step", "H", "V", "O", "dH", "bin", "phase", "lnf"]
    np.testing.assert_allclose(columns["time"], 0.002 * trace.step, rtol=1e-12)
    assert constants["grid"] == "H,-130,-60,30,O,-5,40,45"
    assert not list(lmp.folder.glob("*.bak*"))


def test_restart_with_other_walls_says_so(lmp: Lmp) -> None:
    lmp(al_start() + momt() + NPT + OUT + "run 4\nwrite_restart a.restart\n")
    said = "the walls differ from those of the run that wrote the restart file"
    assert said not in restarted(lmp, "a.restart", steps=2).text
    assert said in restarted(lmp, "a.restart", "wall_length 9", steps=2).text
    lengths = [wall.length for wall in read_bias(lmp.folder / "momt.h5").walls]
    np.testing.assert_allclose(lengths, [9 * 8.617343e-5 * 900, 0.02 * 45], rtol=1e-9)


def test_time_step_too_long_is_said_once(lmp: Lmp) -> None:
    """Bins and a wall far below what a step of 2 fs moves; the defaults are silent."""
    assert "WARNING" not in lmp(script(steps=150)).text
    said = lmp(script("wall_strength 0.1 wall_length 0.2", steps=300)).text
    assert (
        len(re.findall(r"momt: WARNING: H moves by .* too far for its walls: .*, a larger wall_length, or a", said))
        == 1
    )
    narrow = OPTIONS.replace("-60 30", "-60 6000")
    said = lmp(al_start() + momt().replace(OPTIONS, narrow) + NPT + "run 150\nrun 150\n").text
    assert len(re.findall(r"momt: WARNING: H moves by .* in a timestep, farther than a bin of 0\.0117", said)) == 1


def test_converged_run_does_not_learn_again(lmp: Lmp) -> None:
    first = lmp(al_start() + momt("learn 10") + NPT + OUT + "run 20\nwrite_restart a.restart\n")
    assert first.last("f_momt[8]") == 1
    bias = read_bias(lmp.folder / "momt.h5")
    again = restarted(lmp, "a.restart", "learn 10")
    assert np.all(again.thermo[0]["f_momt[8]"] == 1)
    after = read_bias(lmp.folder / "momt.h5")
    np.testing.assert_array_equal(after.coefficients, bias.coefficients)
    np.testing.assert_array_equal(after.visits, bias.visits)
    assert after.production_visits.sum() > bias.production_visits.sum() > 0


def test_bias_is_carried_to_a_retrained_potential(lmp: Lmp) -> None:
    """`start` carries δH; ln f and histograms begin anew, and the old file is kept."""
    lmp(script(steps=40))
    old = read_bias(lmp.folder / "momt.h5")
    table = lmp(script("start momt.h5 ln_f 0.07", steps=4)).thermo[0]
    new = read_bias(lmp.folder / "momt.h5")
    np.testing.assert_array_equal(read_bias(lmp.folder / "momt.h5.bak1").coefficients, old.coefficients)
    added = new.coefficients - old.coefficients
    assert added.sum() == pytest.approx(0.07 * new.boltz * 900, rel=1e-9)  # one update so far
    assert (new.n_updates, new.ln_f) == (1, 0.07)
    assert table["f_momt[3]"][0] == pytest.approx(
        old.evaluate(H=table["f_momt[1]"][0], O=table["f_momt[2]"][0]), rel=1e-12
    )


def test_production_of_a_carried_bias(lmp: Lmp) -> None:
    lmp(script(steps=40))
    old = read_bias(lmp.folder / "momt.h5")
    table = lmp(script("start momt.h5 phase production file made.h5")).thermo[0]
    assert np.all(table["f_momt[8]"] == 1)
    np.testing.assert_array_equal(read_bias(lmp.folder / "made.h5").coefficients, old.coefficients)
    np.testing.assert_allclose(
        table["f_momt[3]"], old.evaluate(H=table["f_momt[1]"], O=table["f_momt[2]"]), rtol=1e-12, atol=1e-14
    )


@pytest.mark.mpi
def test_walkers_share_one_bias(lmp: Lmp) -> None:
    """Two partitions: both sample the same bias, which is the sum of both walkers' bumps."""
    walk = al_start().replace("4711 loop geom", "${seed} loop geom")
    lmp(
        "variable seed world 1 2\n" + walk + momt("walkers yes") + NPT + OUT + "run 40\n",
        n_ranks=2,
        args=("-partition", "2x1"),
    )
    bias = read_bias(lmp.folder / "momt.h5")
    traces = [read_trace(lmp.folder / f"momt.{i}.trace") for i in range(2)]
    assert np.abs(traces[0].H - traces[1].H).max() > 0.01
    rebuilt = SplineBias([(a.low, a.high, a.n_bins) for a in bias.axes], [(False, False, 0.0, 1.0, False)] * 2)
    for row in range(len(traces[0])):
        for trace in traces:
            assert rebuilt.evaluate(trace.H[row], trace.O[row])[0] == pytest.approx(trace.dH[row], abs=1e-13)
        final = rebuilt.coefficients.copy()
        for trace in traces:
            rebuilt.deposit(0.3 * bias.boltz * 900, trace.H[row], trace.O[row])
    np.testing.assert_allclose(bias.coefficients, final, atol=1e-14)
    assert (bias.walkers, bias.n_updates, bias.visits.sum()) == (2, 38, 38)


@pytest.mark.mpi
def test_partitions_without_walkers_have_files_of_their_own(lmp: Lmp) -> None:
    lmp(script(), n_ranks=2, args=("-partition", "2x1"))
    names = {path.name for path in Path(lmp.folder).glob("momt*")}
    assert names == {"momt.0.h5", "momt.1.h5", "momt.0.trace", "momt.1.trace"}


def test_order_parameter_without_a_grid_of_it(lmp: Lmp) -> None:
    """H alone, with O measured for the trace, and without it."""
    for lattice, measured in (("lattice fcc ", True), ("", False)):
        lmp(
            al_start() + f"fix momt all python/hook nnpal.momt:MOMT temp 900 {lattice}H -130 -60 30 every 2\n"
            "fix n all nve\nrun 4\n"
        )
        assert np.isfinite(read_trace(lmp.folder / "momt.trace").O).all() == measured
