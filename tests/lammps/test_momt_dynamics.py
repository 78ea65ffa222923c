"""Dynamics under MOMT: known biases, the conserved quantity, broken runs, ranks."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hook_scripts import ENV, al_start, thermo
from lmp_runner import Lmp
from momt_biases import NKTV2P, frozen, write_function
from nnpal.momt import read_bias
from nnpal.momt.grid import Axis

H_AXIS = Axis("H", -130.0, -60.0, 30)
O_AXIS = Axis("O", -5.0, 40.0, 45)
V_AXIS = Axis("V", 300.0, 900.0, 20)

# Trajectories that are the same but for rounding: it grows by chaos, over 60 steps to less than this
SAME_TRAJECTORY = 1e-8

MOMT_OUT = [f"f_momt[{i}]" for i in range(1, 9)]


def test_bias_linear_in_volume_is_a_shift_of_pressure(lmp: Lmp) -> None:
    """δH = p V: the box moves as under the external pressure P0 + p (a lost virial or a factor of 2 would show)."""
    p0, p = 5000.0, 15000.0
    axes = (V_AXIS, H_AXIS)
    write_function(lmp.folder / "bias.h5", axes, lambda v, h: p * v / NKTV2P + 0 * h, temp=900, press=p0, n_cells=None)
    columns = thermo("step", "vol", "pe", "ke")
    nph = "fix b all nph iso {p} {p} 0.3 pchain 0\n"
    biased = lmp(
        al_start() + frozen(axes, temp=900, press=p0, lattice=None) + nph.format(p=p0) + columns + "run 60\n"
    ).thermo[0]
    plain = lmp(al_start() + nph.format(p=p0 + p) + columns + "run 60\n").thermo[0]
    assert abs(plain["Volume"][-1] / plain["Volume"][0] - 1) > 0.01, "the volume must move for this test"
    for name in ("Volume", "KinEng"):
        np.testing.assert_allclose(biased[name], plain[name], rtol=SAME_TRAJECTORY)
    np.testing.assert_allclose(biased["PotEng"], plain["PotEng"] + p * plain["Volume"] / NKTV2P, rtol=SAME_TRAJECTORY)


def test_bias_linear_in_enthalpy_is_a_scaled_temperature(lmp: Lmp) -> None:
    """δH = α H: with velocities times √(1+α) and times by 1/√(1+α) the box and atoms go the same way, P0 included."""
    alpha, p0 = 0.44, 20000.0
    speed = np.sqrt(1 + alpha)
    write_function(lmp.folder / "bias.h5", (H_AXIS,), lambda h: alpha * h, temp=900, press=p0, n_cells=None)
    columns = thermo("step", "vol", "pe", "ke")
    nph = "timestep {dt:.17g}\nfix b all nph iso {p} {p} {damp:.17g} pchain 0\n"
    faster = f"variable vx atom vx*{speed:.17g}\nvariable vy atom vy*{speed:.17g}\nvariable vz atom vz*{speed:.17g}\n"
    biased = lmp(
        al_start()
        + faster
        + "velocity all set v_vx v_vy v_vz\n"
        + frozen((H_AXIS,), temp=900, press=p0, lattice=None)
        + nph.format(p=p0, dt=0.002 / speed, damp=0.3 / speed)
        + columns
        + "run 60\n"
    ).thermo[0]
    plain = lmp(al_start() + nph.format(p=p0, dt=0.002, damp=0.3) + columns + "run 60\n").thermo[0]
    assert abs(plain["Volume"][-1] / plain["Volume"][0] - 1) > 0.01, "the volume must move for this test"
    np.testing.assert_allclose(biased["Volume"], plain["Volume"], rtol=SAME_TRAJECTORY)
    np.testing.assert_allclose(biased["KinEng"], (1 + alpha) * plain["KinEng"], rtol=SAME_TRAJECTORY)
    enthalpy = plain["PotEng"] + p0 * plain["Volume"] / NKTV2P
    np.testing.assert_allclose(biased["PotEng"], plain["PotEng"] + alpha * enthalpy, rtol=SAME_TRAJECTORY)


def smooth(h: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Vary by several eV, with slopes up to 0.5 in H."""
    return 2 * np.sin(h / 4) + 1.5 * np.cos(o / 4)


def conserved(lmp: Lmp, momt: str, dt: float, ensemble: str, steps: int = 400) -> np.ndarray:
    columns = thermo("step", "econserve", "vol", "f_momt[3]" if momt else "pe")
    run = lmp(al_start() + momt + f"timestep {dt}\n{ensemble}\n{columns}run {steps}\n", env=ENV)
    table = run.thermo[0]
    assert np.ptp(table["Volume"]) > 5, "the volume must move for this test"
    if momt:
        assert np.ptp(table["f_momt[3]"]) > 0.5, "the bias must vary for this test"
    return table["Econserve"]


@pytest.mark.parametrize(
    "ensemble", ["fix b all nph iso 0 0 0.3 pchain 0", "fix b all npt temp 900 900 0.1 iso 0 0 0.3 pchain 0"]
)
def test_conserved_quantity(lmp: Lmp, ensemble: str) -> None:
    """The drift and wobble beside a plain run's, and what they become if the barostat were deaf to the bias."""
    axes = (H_AXIS, O_AXIS)
    write_function(lmp.folder / "bias.h5", axes, smooth, temp=900, press=0)
    momt = frozen(axes, temp=900, press=0)
    wobble = {
        "plain": np.ptp(conserved(lmp, "", 0.001, ensemble)),
        "biased": np.ptp(conserved(lmp, momt, 0.001, ensemble)),
        "half the step": np.ptp(conserved(lmp, momt, 0.0005, ensemble, 800)),
        "deaf": np.ptp(conserved(lmp, frozen(axes, temp=900, press=0, hook="deaf_momt:DeafMOMT"), 0.001, ensemble)),
    }
    # The bias makes forces stiffer, so a step's error is larger, but still the integrator's: it falls as dt² (4)
    assert wobble["biased"] < 6 * wobble["plain"], wobble
    assert wobble["biased"] / wobble["half the step"] > 3, wobble
    assert wobble["deaf"] > 10 * wobble["biased"], wobble


LEARNING = (
    "fix momt all python/hook nnpal.momt:MOMT temp 900 press 1 lattice fcc H -130 -60 30 O -5 40 45 "
    "stride 2 ln_f 0.05 every 5\nfix_modify momt energy yes virial yes\n"
)
NPT = "fix b all npt temp 900 900 0.1 iso 1 1 0.5\n"


@pytest.mark.mpi
def test_same_bias_on_any_number_of_ranks(lmp: Lmp) -> None:
    tables, biases = [], []
    for n_ranks in (1, 2, 4):
        script = al_start() + LEARNING + NPT + thermo("step", "vol", *MOMT_OUT, every=10) + "run 30\n"
        tables.append(lmp(script, n_ranks=n_ranks).thermo[0])
        biases.append(read_bias(lmp.folder / "momt.h5"))
    assert np.abs(biases[0].coefficients).max() > 1e-3
    for table, bias in zip(tables[1:], biases[1:], strict=True):
        for name in ("Volume", *MOMT_OUT[:6]):
            np.testing.assert_allclose(table[name], tables[0][name], rtol=1e-7, atol=1e-8)  # rounding over 30 steps
        np.testing.assert_allclose(bias.coefficients, biases[0].coefficients, atol=1e-9)
        np.testing.assert_array_equal(bias.visits, biases[0].visits)


def test_broken_run_equals_the_unbroken_one(lmp: Lmp) -> None:
    """`run` twice, and a restart file, against one run: bias, trace and every number in thermo output, learning on."""
    columns = thermo("step", "vol", "press", *MOMT_OUT)
    whole = lmp(al_start() + LEARNING + NPT + columns + "run 60\n").thermo[0]
    bias = read_bias(lmp.folder / "momt.h5")
    rows = (lmp.folder / "momt.trace").read_text()
    twice = lmp(al_start() + LEARNING + NPT + columns + "run 30\nrun 30\n").thermo
    np.testing.assert_allclose(read_bias(lmp.folder / "momt.h5").coefficients, bias.coefficients, atol=1e-9)
    lmp(al_start() + LEARNING + NPT + columns + "run 30\nwrite_restart half.restart\nrun 10\n")
    potential = re.findall(r"pair_coeff.*", al_start())[0]
    resumed = lmp(
        f"read_restart half.restart\npair_style eam/fs\n{potential}\ntimestep 0.002\n"
        + LEARNING
        + NPT
        + columns
        + "run 30\n"
    ).thermo
    for second in (twice[1], resumed[0]):
        assert second["Step"][0] == 30
        for name in ("Volume", "Press", *MOMT_OUT):
            # Atoms are sorted anew, which changes the order of sums: rounding, grown over 30 steps. The first row
            # shows that setup measures and biases as any step does.
            np.testing.assert_allclose(second[name], whole[name][30:], rtol=1e-9, atol=1e-8)
    resumed_bias = read_bias(lmp.folder / "momt.h5")
    np.testing.assert_allclose(resumed_bias.coefficients, bias.coefficients, atol=1e-9)
    np.testing.assert_array_equal(resumed_bias.visits, bias.visits)
    # 30 points so far, the last of which is learned from when the next step begins
    assert (resumed_bias.step, resumed_bias.n_updates, resumed_bias.ln_f) == (60, 29, bias.ln_f)
    steps = [line.split()[1] for line in rows.splitlines() if not line.startswith("#")]
    resumed_rows = (lmp.folder / "momt.trace").read_text()
    assert [line.split()[1] for line in resumed_rows.splitlines() if not line.startswith("#")] == steps


def test_order_parameter_of_a_group(lmp: Lmp) -> None:
    """A group of half the crystal's planes: O counts it alone, and forces of the bias act on it alone."""
    axes = (Axis("O", -5.0, 40.0, 45),)
    write_function(lmp.folder / "bias.h5", axes, lambda o: 0.1 * o, temp=900, press=0)
    momt = frozen(axes, temp=900, press=0).replace("fix momt all", "fix momt half").replace("fcc", "fcc cells 2 2 2")
    dump = "dump d all custom 1 dump id x y z fx fy fz\ndump_modify d format float %20.15g\n"
    group = "group half id 1:16\n"
    biased = lmp(al_start() + group + momt + thermo("step", "f_momt[2]") + dump + "run 0\n")
    with_bias = biased.dump("dump")[0].forces
    plain = lmp(al_start() + dump + "run 0\n").dump("dump")[0]
    added = with_bias - plain.forces
    np.testing.assert_allclose(added[16:], 0, atol=1e-12)
    assert np.abs(added[:16]).max() > 0.01
    phase = 2 * np.pi * 2 * plain.positions[:16] / 8.1
    signs = np.array([[h, k, m] for h in (1, -1) for k in (1, -1) for m in (1, -1)])
    expected = np.mean(np.abs(np.exp(1j * phase @ signs.T).sum(axis=0)) ** 2) / 16
    assert biased.thermo[0]["f_momt[2]"][0] == pytest.approx(expected, rel=1e-9)


def test_stacks_on_thermostats_in_any_order(lmp: Lmp) -> None:
    """Langevin's friction and noise are not scaled, whichever fix is named first."""
    axes = (H_AXIS,)
    write_function(lmp.folder / "bias.h5", axes, lambda h: 0.5 * h, temp=900, press=0, n_cells=None)
    momt = frozen(axes, temp=900, press=0, lattice=None)
    langevin = "fix l all langevin 900 900 0.05 17\nfix n all nve\n"
    columns = thermo("step", "ke", "pe")
    first = lmp(al_start() + momt + langevin + columns + "run 40\n").thermo[0]
    last = lmp(al_start() + langevin + momt + columns + "run 40\n").thermo[0]
    np.testing.assert_allclose(first["KinEng"], last["KinEng"], rtol=1e-12)
