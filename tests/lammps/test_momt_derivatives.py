"""Forces and virial of MOMT are the derivatives of H_momt = U + P0 V + δH, on warm, strained and triclinic cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hook_scripts import al_start, thermo
from lmp_runner import Lmp
from momt_biases import NKTV2P, frozen, write_function
from nnpal.momt.grid import Axis

TEMP, PRESS = 1000.0, 20000.0  # bar: P0 V is 13 eV of these cells, so that a forgotten term shows

H_AXIS = Axis("H", -160.0, -60.0, 20)
O_AXIS = Axis("O", -5.0, 40.0, 30)
V_AXIS = Axis("V", 300.0, 900.0, 20)


def h_and_o(h: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Slopes of order 1 in H and of order 1 eV in O, all curvatures present."""
    return 4 * np.sin(h / 7) + 3 * np.cos(o / 5 + h / 9) + 0.02 * o**2


BIASES: dict[str, tuple[tuple[Axis, ...], Callable[..., np.ndarray]]] = {
    "H O": ((H_AXIS, O_AXIS), h_and_o),
    "H": ((H_AXIS,), lambda h: 4 * np.sin(h / 7)),
    "O": ((O_AXIS,), lambda o: 3 * np.cos(o / 5)),
    "V H": ((V_AXIS, H_AXIS), lambda v, h: 4 * np.sin(h / 7 + v / 30) + 3 * np.cos(v / 25)),
    # The crystal that the script begins with lies inside, the warm one outside in H and in O
    "H O beyond the grid": ((Axis("H", -160.0, -101.0, 12), Axis("O", 28.0, 40.0, 8)), h_and_o),
    # ... and the box that it begins with, which is lower by 0.1, lies inside in V
    "V H beyond the grid": (
        (Axis("V", 300.0, 526.0, 12), Axis("H", -160.0, -97.0, 12)),
        lambda v, h: 4 * np.sin(h / 7 + v / 30 + 1),
    ),
}

TILTS = {"xy": 1.6, "xz": -1.2, "yz": 1.0}

BOXES = {
    "cubic": "",
    "strained": "change_box all x scale 1.03 y scale 0.98 z scale 1.01 remap\n",
    "triclinic": "change_box all triclinic\n"
    + "".join(f"change_box all {t} final {v} remap units box\n" for t, v in TILTS.items()),
}

# Steps of the central differences: an error of h²/6 times third derivatives of order 10 eV/Å³, against rounding of
# 1e-12 eV in energies of 100 eV divided by h
STEP, STRAIN = 1e-4, 2e-5
FORCE_TOLERANCE = 2e-6  # eV/Å of forces of order 1
VIRIAL_TOLERANCE = 3e-5  # eV of virials of order 10 to 100


def script(bias: str, box: str, moves: list[tuple[str, str, str]]) -> str:
    """Return a script that evaluates at rest, and on either side of every move."""
    axes, _ = BIASES[bias]
    text = (
        al_start(jiggle=0)
        + "group one id 5\nchange_box all z final 0 8.0 remap units box\n"
        + frozen(axes, temp=TEMP, press=PRESS)
        + "run 0\nchange_box all z final 0 8.1 remap units box\ndisplace_atoms all random 0.25 0.25 0.25 99 units box\n"
        + BOXES[box]
        + "compute w all pressure NULL virial\n"
        + thermo("step", "pe", "vol", "lx", *(f"c_w[{i}]" for i in range(1, 7)), *(f"f_momt[{i}]" for i in range(1, 6)))
        + "dump d all custom 1 dump id x y z fx fy fz\ndump_modify d format float %22.17g\nrun 0\nundump d\n"
    )
    for forth, back, home in moves:
        text += f"{forth}\nrun 0\n{back}\nrun 0\n{home}\n"
    return text


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("bias", BIASES)
def test_forces(lmp: Lmp, bias: str, box: str) -> None:
    axes, function = BIASES[bias]
    write_function(lmp.folder / "bias.h5", axes, function, temp=TEMP, press=PRESS)
    move = "displace_atoms one move {} {} {} units box"
    steps = [tuple(STEP if d == e else 0 for d in range(3)) for e in range(3)]
    moves = [(move.format(*s), move.format(*(-2 * c for c in s)), move.format(*s)) for s in steps]
    run = lmp(script(bias, box, moves))
    energies = [float(table["PotEng"][-1]) for table in run.thermo[1:]]  # the first is the one at rest
    expected = [-(energies[2 * d] - energies[2 * d + 1]) / (2 * STEP) for d in range(3)]
    (at_rest,) = run.dump("dump")
    forces = at_rest.forces[4]
    bias_energy = run.thermo[0]["f_momt[3]"][0]
    assert abs(bias_energy) > 0.1, "the bias must matter for this test"
    np.testing.assert_allclose(forces, expected, atol=FORCE_TOLERANCE)
    assert np.abs(at_rest.forces.sum(axis=0)).max() < 1e-9, "the bias moves no center of mass"


@pytest.mark.parametrize("bias", [name for name in BIASES if name.endswith("beyond the grid")])
def test_beyond_is_beyond(lmp: Lmp, bias: str) -> None:
    """The warm crystal lies outside along every axis, so that the tests above and below are of walls."""
    axes, function = BIASES[bias]
    write_function(lmp.folder / "bias.h5", axes, function, temp=TEMP, press=PRESS)
    row = lmp(script(bias, "triclinic", [])).thermo[0]
    values = {"H": row["f_momt[1]"][0], "O": row["f_momt[2]"][0], "V": row["Volume"][0]}
    for axis in axes:
        assert not axis.low <= values[axis.name] <= axis.high, axis.name


@pytest.mark.parametrize("bias", BIASES)
def test_virial(lmp: Lmp, bias: str) -> None:
    """-d(U + δH)/d(strain) at fixed fractional coordinates, all six components of a triclinic cell."""
    axes, function = BIASES[bias]
    write_function(lmp.folder / "bias.h5", axes, function, temp=TEMP, press=PRESS)
    change = STRAIN * 8.1
    moves = [
        (
            f"change_box all {d} final 0 {8.1 + change:.17g} remap units box",
            f"change_box all {d} final 0 {8.1 - change:.17g} remap units box",
            f"change_box all {d} final 0 8.1 remap units box",
        )
        for d in "xyz"
    ]
    moves += [
        (
            f"change_box all {t} final {v + change:.17g} remap units box",
            f"change_box all {t} final {v - change:.17g} remap units box",
            f"change_box all {t} final {v} remap units box",
        )
        for t, v in TILTS.items()
    ]
    run = lmp(script(bias, "triclinic", moves))
    base = run.thermo[0]
    virial = [base[f"c_w[{i}]"][0] * base["Volume"][0] / NKTV2P for i in range(1, 7)]
    energies = [float(table["PotEng"][-1]) for table in run.thermo[1:]]  # the first is the one at rest
    slopes = np.array([-(energies[2 * m] - energies[2 * m + 1]) / (2 * STRAIN) for m in range(6)])
    full = np.array(
        [[virial[0], virial[3], virial[4]], [virial[3], virial[1], virial[5]], [virial[4], virial[5], virial[2]]]
    )
    # Box vectors as rows: h + dh at fixed fractional coordinates takes r to r (1 + e), e = h^-1 dh
    xy, xz, yz = TILTS.values()
    box = np.array([[8.1, 0, 0], [xy, 8.1, 0], [xz, yz, 8.1]])
    expected = []
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 0), (2, 0), (2, 1)):
        dh = np.zeros((3, 3))
        dh[i, j] = 8.1
        expected.append(float((full * np.linalg.solve(box, dh)).sum()))
    assert np.abs(expected).max() > 5
    np.testing.assert_allclose(slopes, expected, atol=VIRIAL_TOLERANCE)
