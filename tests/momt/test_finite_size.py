"""The line in 1/N through transition temperatures, and `nnpal momt finite-size`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nnpal.cli.app import app
from nnpal.momt.finite_size import extrapolate


def test_line_through_two_sizes_and_its_error() -> None:
    """T_∞ = (N2 T2 - N1 T1)/(N2 - N1), errors propagated."""
    line = extrapolate([100, 300], [990.0, 950.0], [4.0, 2.0])
    assert line.infinite.value == pytest.approx((300 * 950 - 100 * 990) / 200)
    assert line.infinite.error == pytest.approx(np.hypot(300 * 2, 100 * 4) / 200)
    assert line.chi_squared is None


def test_line_through_three_sizes_is_weighted() -> None:
    sizes, slope, errors = np.array([108, 256, 500]), 5000.0, np.array([3.0, 3.0, 3.0])
    exact = extrapolate(sizes.tolist(), (926 + slope / sizes).tolist(), errors.tolist())
    assert (exact.infinite.value, exact.slope.value) == pytest.approx((926, slope))
    assert exact.chi_squared == pytest.approx(0, abs=1e-15)
    off = extrapolate(sizes.tolist(), (926 + slope / sizes + [0, 0, 100]).tolist(), [3.0, 3.0, 1e6])
    assert off.infinite.value == pytest.approx(926, abs=1e-3)  # the third has no weight
    rng = np.random.default_rng(1)
    drawn = [
        extrapolate(sizes.tolist(), rng.normal(926 + slope / sizes, errors).tolist(), errors.tolist())
        for _ in range(400)
    ]
    spread = np.std([one.infinite.value for one in drawn])
    assert spread == pytest.approx(exact.infinite.error, rel=4 / np.sqrt(800))
    assert np.mean([one.chi_squared for one in drawn]) == pytest.approx(1, abs=4 * np.sqrt(2 / 400))


def write(folder: Path, atoms: int, temp: float | None, press: float = 1.0) -> str:
    between = {"error": "one phase was not sampled"} if temp is None else {"temp": temp, "temp_error": 2.0}
    found = {"atoms": atoms, "press": press, "coexistence": between}
    path = folder / f"{atoms}-{press:g}.json"
    path.write_text(json.dumps(found))
    return str(path)


def run(*args: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, ["momt", "finite-size", *args])


def test_command_prints_and_draws(tmp_path: Path) -> None:
    files = [write(tmp_path, 108, 970.0), write(tmp_path, 256, 940.0)]
    result = run(*files, "--output", str(tmp_path / "out"), "--compare", "925", "3")
    assert result.exit_code == 0, result.output
    assert "1/N -> 0" in result.output
    assert "918.11 ± 3.8 (two sizes: the linear fit cannot be tested)" in result.output
    assert "compared with    925.00 ± 3: difference -6.89 ± 4.8" in result.output
    assert (tmp_path / "out" / "finite_size.png").read_bytes().startswith(b"\x89PNG")
    rows = (tmp_path / "out" / "finite_size.csv").read_text().splitlines()
    assert rows[-1] == "compared with,0,925,3"
    found = json.loads(run(*files, "--json").output)
    assert found["temp"] == pytest.approx(918.108, abs=1e-3)
    assert found["sizes"][1] == {"atoms": 256, "temp": 940.0, "temp_error": 2.0}
    assert "difference" not in found
    found = json.loads(run(*files, "--compare", "925", "3", "--json").output)
    assert found["difference"] == pytest.approx(918.108 - 925, abs=1e-3)
    third = write(tmp_path, 500, 930.0)
    assert "of 1 degree(s) of freedom" in run(*files, third).output


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    good = write(tmp_path, 108, 970.0)
    for files, message in (
        ([good], "two different sizes or more"),
        ([good, write(tmp_path, 32, None)], "32-1.json: no transition temperature: one phase was not sampled"),
        ([good, write(tmp_path, 256, 940.0, press=5000.0)], "256-5000.json: pressure 5000, "),
        ([good, str(tmp_path / "none.json")], "none.json: no such file"),
        ([good, _text(tmp_path / "half.json", '{"atoms": 10')], "half.json: no JSON ("),
        ([good, _text(tmp_path / "list.json", "[]")], "list.json: atoms = None, expected a number; expected the summ"),
        ([good, write(tmp_path, 500, 930.0), "--compare", "925", "-3"], "compare 925 -3: expected a temperature above"),
    ):
        result = run(*files)
        assert result.exit_code == 1
        assert message in result.output
        assert "Traceback" not in result.output


def _text(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)
