"""MOMT's spline bias, compiled and in Python: values, smoothness across bins and edges, walls, updates, files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.interpolate import BSpline

from nnpal._momt import SplineBias, fill_virial
from nnpal.hooks import HookError
from nnpal.momt import Bias, read_bias, write_bias
from nnpal.momt.bias_file import Walls
from nnpal.momt.grid import Axis, choose_axes
from nnpal.momt.settings import choose_walls
from nnpal.runtime.locks import Writer

H, O = Axis("H", -165.0, -125.0, 12), Axis("O", -5.0, 40.0, 9)  # noqa: E741


def bias_with(axes: tuple[Axis, ...], walls: tuple[Walls, ...], seed: int = 0) -> tuple[SplineBias, Bias]:
    """Return the same random bias, compiled and in Python."""
    spline = SplineBias([(a.low, a.high, a.n_bins) for a in axes], [dataclasses.astuple(w) for w in walls])
    spline.coefficients[:] = np.random.default_rng(seed).normal(size=spline.coefficients.shape)
    none = np.zeros([a.n_bins for a in axes], dtype=np.int64)
    return spline, Bias(
        units="metal",
        temp=2000.0,
        press=1.0,
        boltz=8.6e-5,
        nktv2p=1.6e6,
        axes=axes,
        walls=walls,
        coefficients=spline.coefficients.copy(),
        visits=none,
        flatness_visits=none,
        production_visits=none,
    )


OPEN = Walls(False, False, 1.0, 1.0, False)
HARMONIC, LIMITED = Walls(True, True, 0.7, 5.0, False), Walls(True, True, 0.7, 3.0, True)
CASES = {
    "H": ((H,), (OPEN,)),
    "H O": ((H, O), (OPEN, OPEN)),
    "walls": ((H, O), (LIMITED, HARMONIC)),
    "one bin": ((Axis("H", 0.0, 1.0, 1),), (LIMITED,)),
}


def points(axes: tuple[Axis, ...], n: int = 200) -> np.ndarray:
    """Return random points, a third of them outside the grid, [n, 2]."""
    rng = np.random.default_rng(1)
    columns = [rng.uniform(a.low - 0.25 * (a.high - a.low), a.high + 0.25 * (a.high - a.low), n) for a in axes]
    return np.stack([*columns, np.zeros(n)][:2], axis=1)


@pytest.mark.parametrize("case", CASES)
def test_compiled_and_python_agree(case: str) -> None:
    axes, walls = CASES[case]
    spline, bias = bias_with(axes, walls)
    s = points(axes)
    compiled = [spline.evaluate(*p)[0] for p in s]
    by_python = bias.evaluate(**{a.name: s[:, d] for d, a in enumerate(axes)})
    np.testing.assert_allclose(by_python, compiled, atol=1e-13)  # rounding of numbers of order 1


def test_inside_it_is_the_cubic_b_spline_of_the_textbook() -> None:
    spline, _ = bias_with((H,), (OPEN,))
    knots = H.low + H.width * np.arange(-3, H.n_bins + 4)
    inner = spline.coefficients
    mirrored = np.concatenate([inner[1:2], inner, inner[-2:-1]])
    reference = BSpline(knots, mirrored, 3)
    for s in np.linspace(H.low, H.high, 57):
        energy, slope, _ = spline.evaluate(s)
        assert energy == pytest.approx(float(reference(s)), abs=1e-13)
        assert slope == pytest.approx(float(reference(s, 1)), abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_slopes_are_derivatives_and_continuous(case: str) -> None:
    """Within bins, on either side of every bin edge, at the edges of the grid, where walls begin, and beyond."""
    axes, walls = CASES[case]
    spline, _ = bias_with(axes, walls)
    middle = [0.5 * (a.low + a.high) + 0.3 * a.width for a in axes]
    h = 1e-6
    for d, axis in enumerate(axes):
        edges = axis.low + axis.width * np.arange(-2, axis.n_bins + 3)
        for s in np.concatenate([edges, edges + 0.37 * axis.width]):
            here, left, right = (list(middle) for _ in range(3))
            here[d], left[d], right[d] = s, s - h, s + h
            e_left, e_right = spline.evaluate(*left)[0], spline.evaluate(*right)[0]
            slope = spline.evaluate(*here)[1 + d]
            # Across an edge of the grid curvature jumps, by numbers over width², which enters the difference with h
            assert slope == pytest.approx((e_right - e_left) / (2 * h), abs=2e-5 / axis.width**2)
            assert spline.evaluate(*left)[1 + d] == pytest.approx(
                spline.evaluate(*right)[1 + d], abs=2e-5 / axis.width**2
            )


def test_level_beyond_the_grid_without_walls() -> None:
    spline, _ = bias_with((H, O), (OPEN, OPEN))
    at_edge = spline.evaluate(H.high, 10.3)
    beyond = spline.evaluate(H.high + 50, 10.3)
    assert beyond[0] == pytest.approx(at_edge[0], abs=1e-14)
    assert beyond[1] == at_edge[1] == 0.0
    assert beyond[2] == pytest.approx(at_edge[2], abs=1e-14)


def test_walls_lead_back() -> None:
    spline, _ = bias_with((H, O), (LIMITED, HARMONIC))
    spline.coefficients[:] = 0
    for s, sign in ((H.low - 30, -1), (H.high + 30, 1)):
        slope = spline.evaluate(s, 0.0)[1]
        assert np.sign(slope) == sign
        assert 0.9 < abs(slope) * LIMITED.length / 0.7 <= 1.0, "the slope has a limit"
    assert spline.evaluate(-140.0, O.high + 3 * HARMONIC.length)[0] == pytest.approx(0.7 * 9 / 2, rel=1e-12)


def test_walls_of_the_options() -> None:
    axes = (H, O)
    assert [(w.low, w.high) for w in choose_walls(axes, ("yes",), 0.1)] == [(True, True), (True, True)]
    assert [(w.low, w.high) for w in choose_walls(axes, ("no",), 0.1)] == [(False, False), (False, False)]
    some = choose_walls(axes, ("H-", "O+"), 0.1, 2.0, 4.0)
    assert [(w.low, w.high, w.energy, w.slope_is_limited) for w in some] == [
        (True, False, 0.2, True),
        (False, True, 0.2, False),
    ]
    with pytest.raises(HookError, match=r"unknown edge V\+; expected yes, no or some of H- H\+ O- O\+"):
        choose_walls(axes, ("V+",), 0.1)


@pytest.mark.parametrize("axes", [(H,), (H, O)])
def test_update_adds_a_bump_at_the_point(axes: tuple[Axis, ...]) -> None:
    spline = SplineBias([(a.low, a.high, a.n_bins) for a in axes], [(False, False, 0.0, 1.0, False)] * len(axes))
    for point in ((-150.0, 17.0), (H.low, O.low), (-125.5, 39.9)):
        spline.coefficients[:] = 0
        spline.deposit(0.3, *point[: len(axes)])
        assert spline.coefficients.sum() == pytest.approx(0.3, rel=1e-12)
        here = spline.evaluate(*point[: len(axes)])[0]
        far = spline.evaluate(*(-150.0 if abs(point[0] + 150) > 15 else -128.0, 0.0)[: len(axes)])[0]
        assert here > 0.05
        assert far == 0.0


def test_bins() -> None:
    spline, _ = bias_with((H, O), (OPEN, OPEN))
    assert spline.bin(H.low, O.low) == 0
    assert spline.bin(H.high, O.high) == 12 * 9 - 1
    assert spline.bin(H.low + 1.5 * H.width, O.low + 2.5 * O.width) == 9 + 2
    for outside in ((H.low - 1e-9, 0.0), (H.high + 1e-9, 0.0), (-150.0, O.high + 1e-9), (float("nan"), 0.0)):
        assert spline.bin(*outside) == -1


def test_virial_of_the_bias() -> None:
    out, w = np.zeros(6), np.arange(1.0, 7.0)
    fill_virial(out, w, 0.5, 2.0)
    np.testing.assert_array_equal(out, [-1.5, -1.0, -0.5, 2.0, 2.5, 3.0])


def test_choices_of_axes() -> None:
    grid = (0.0, 1.0, 3)
    names = [tuple(a.name for a in choose_axes(dict.fromkeys("HOV") | dict.fromkeys(given, grid))) for given in
             (("H",), ("O",), ("O", "H"), ("H", "V"))]  # fmt: skip
    assert names == [("H",), ("O",), ("H", "O"), ("V", "H")]
    for given in ((), ("V",), ("O", "V"), ("H", "O", "V")):
        with pytest.raises(HookError, match="expected grids of H, O, H and O, V and H"):
            choose_axes(dict.fromkeys("HOV") | dict.fromkeys(given, grid))


@pytest.mark.parametrize(("low", "high", "n"), [(1.0, 1.0, 5), (2.0, 1.0, 5), (float("nan"), 1.0, 5), (0.0, 1.0, 0)])
def test_empty_and_swapped_grids(low: float, high: float, n: int) -> None:
    with pytest.raises(HookError, match=rf"grid H {low:g} {high:g} {n}: expected .*; write H LOW HIGH BINS"):
        Axis("H", low, high, n)


def test_file_keeps_every_bit(tmp_path: Path) -> None:
    _, bias = bias_with((H, O), (LIMITED, OPEN))
    bias.visits[3, 4] = 2**40
    write_bias(tmp_path / "momt.h5", bias)
    back = read_bias(tmp_path / "momt.h5")
    assert (back.axes, back.walls) == (bias.axes, bias.walls)
    for name in ("units", "temp", "press", "boltz", "nktv2p", "lattice", "ln_f", "phase", "step", "walkers"):
        assert getattr(back, name) == getattr(bias, name)
    for name in ("coefficients", "visits", "reciprocal_vectors"):
        np.testing.assert_array_equal(getattr(back, name), getattr(bias, name))
    with pytest.raises(TypeError, match="evaluate takes H, O, not H"):
        back.evaluate(H=1.0)


def test_stopped_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    _, bias = bias_with((H,), (OPEN,))
    write_bias(tmp_path / "momt.h5", bias)
    (tmp_path / "momt.h5.partial").write_bytes(b"the user's")
    with pytest.raises(TypeError):
        write_bias(tmp_path / "momt.h5", dataclasses.replace(bias, units=object()))  # type: ignore[arg-type]
    assert read_bias(tmp_path / "momt.h5").axes == (H,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["momt.h5", "momt.h5.partial"]
    assert (tmp_path / "momt.h5.partial").read_bytes() == b"the user's"


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    _, bias = bias_with((H,), (OPEN,))
    (tmp_path / ".1234.momt.h5").write_bytes(b"cut off")
    with Writer(tmp_path / "momt.h5"):
        write_bias(tmp_path / "momt.h5", bias)
    assert [path.name for path in tmp_path.iterdir()] == ["momt.h5"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HookError, match=r"bias file .*none\.h5: no such file"):
        read_bias(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(HookError, match=r"text\.h5 cannot be read"):
        read_bias(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = "something"
    with pytest.raises(HookError, match="format something None, expected nnpal-momt 1 or 2"):
        read_bias(tmp_path / "other.h5")
    write_bias(tmp_path / "gap.h5", bias_with((H,), (OPEN,))[1])
    with h5py.File(tmp_path / "gap.h5", "a") as file:
        del file["coefficients"]
    with pytest.raises(HookError, match=r"gap\.h5 cannot be read.*coefficients"):
        read_bias(tmp_path / "gap.h5")
    with h5py.File(tmp_path / "gap.h5", "a") as file:
        file["coefficients"] = np.zeros(7)
    with pytest.raises(HookError, match=r"gap\.h5: coefficients of shape \(7,\), expected \(13,\) of the grid H -165"):
        read_bias(tmp_path / "gap.h5")
    write_bias(tmp_path / "nan.h5", dataclasses.replace(bias_with((H,), (OPEN,))[1], coefficients=np.full(13, np.nan)))
    with pytest.raises(HookError, match=r"nan\.h5: coefficients that are NaN or infinite"):
        read_bias(tmp_path / "nan.h5")
