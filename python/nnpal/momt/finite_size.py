"""Transition temperatures of several system sizes, and their linear extrapolation in 1/N to the infinite system."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.reweighting.blocks import Estimate

if TYPE_CHECKING:
    from nnpal.figures.figure import Figure


@dataclass(frozen=True)
class Line:
    """The line T(N) = T_∞ + slope/N, by weighted least squares.

    Attributes:
        n_atoms, temps, errors: number of atoms, temperature and standard error for each size, [n].
        infinite: T_∞ and its standard error, from the errors of the temperatures.
        slope: slope and its standard error.
        chi_squared: χ² with n − 2 degrees of freedom; None for two sizes, which any line fits.
    """

    n_atoms: NDArray[np.int64]
    temps: NDArray[np.float64]
    errors: NDArray[np.float64]
    infinite: Estimate
    slope: Estimate
    chi_squared: float | None


def extrapolate(n_atoms: Sequence[int], temps: Sequence[float], errors: Sequence[float]) -> Line:
    """Fit a line in 1/N to transition temperatures.

    Arguments:
        n_atoms: number of atoms N of each system.
        temps, errors: transition temperatures and their standard errors.

    Raises:
        ValueError: there are fewer than two sizes, the lengths differ, or an error is not above 0.
    """
    n, t, e = (np.asarray(values, dtype=float) for values in (n_atoms, temps, errors))
    if not len(n) == len(t) == len(e) or len(np.unique(n)) < 2:
        raise ValueError(
            f"{len(n)} sizes with {len(t)} temperatures and {len(e)} errors: expected the same number of each, and two "
            "different sizes or more"
        )
    if not (np.isfinite(t).all() and np.isfinite(e).all() and (e > 0).all() and (n > 0).all()):
        raise ValueError(
            f"sizes {n.tolist()}, temperatures {t.tolist()}, errors {e.tolist()}: expected finite numbers, sizes and "
            "errors above 0"
        )
    design = np.stack([np.ones_like(n), 1 / n], axis=1) / e[:, None]
    covariance = np.linalg.inv(design.T @ design)
    fitted = covariance @ design.T @ (t / e)
    deviations = np.sqrt(np.diag(covariance))
    chi_squared = float(((design @ fitted - t / e) ** 2).sum()) if len(n) > 2 else None
    return Line(n, t, e, Estimate(fitted[0], deviations[0]), Estimate(fitted[1], deviations[1]), chi_squared)


def of_summaries(paths: Sequence[Path]) -> Line:
    """Fit the transition temperatures in `summary.json` files of `nnpal momt report`, one for each size.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file is not such a summary, has no transition temperature, or has another pressure than the rest.
    """
    found, pressures = [], []
    for path in paths:
        n_atoms, pressure, temp, error = _of_summary(path)
        found.append((n_atoms, temp, error))
        pressures.append(pressure)
        if pressure != pressures[0]:
            raise ValueError(
                f"{path}: pressure {pressure:g}, {paths[0]} has {pressures[0]:g}; give runs of one system at one "
                "pressure, which differ only in size"
            )
    return extrapolate(*zip(*found, strict=True))


def _of_summary(path: Path) -> tuple[float, float, float, float]:
    """Return the number of atoms, pressure, transition temperature and its error."""
    expected = "expected the summary.json that `nnpal momt report --output` writes of a run in production"
    try:
        summary = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: no JSON ({error}); {expected}") from error
    found = summary if isinstance(summary, dict) else {}
    between = found.get("coexistence") or {}
    if "error" in between:
        raise ValueError(f"{path}: no transition temperature: {between['error']}")
    values = {"atoms": found.get("atoms"), "press": found.get("press")}
    values |= {f"coexistence.{key}": between.get(key) for key in ("temp", "temp_error")}
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{path}: {key} = {value}, expected a number; {expected}")
    return float(found["atoms"]), float(found["press"]), float(between["temp"]), float(between["temp_error"])


def compared(temp: float, error: float) -> tuple[str, float, float]:
    """Return a transition temperature from another source for :func:`figure`.

    Raises:
        ValueError: the temperature is not finite and above 0, or its error not finite and 0 or more.
    """
    if not (0 < temp < inf and 0 <= error < inf):
        raise ValueError(
            f"compare {temp:g} {error:g}: expected a temperature above 0 and its standard error, 0 or more"
        )
    return "compared with", temp, error


def difference(line: Line, other: tuple[str, float, float]) -> tuple[float, float]:
    """Return T_∞ minus a temperature from another source, and the standard error of the difference."""
    _, temp, error = other
    return float(line.infinite.value) - temp, hypot(float(line.infinite.error), error)


def figure(line: Line, other: tuple[str, float, float] | None = None) -> Figure:
    """Return a figure of the temperatures over 1/N and the fitted line.

    Arguments:
        line: temperatures and their fit.
        other: name, temperature and error of another source, shown at 1/N = 0.
    """
    from nnpal.figures.figure import Figure

    inverse = np.append(1 / line.n_atoms, 0.0)
    infinite = line.infinite
    names = [f"{n:.0f} atoms" for n in line.n_atoms] + ["line"]
    temps, errors = np.append(line.temps, infinite.value), np.append(line.errors, infinite.error)
    if other is not None:
        names.append(other[0])
        inverse, temps, errors = np.append(inverse, 0.0), np.append(temps, other[1]), np.append(errors, other[2])

    def draw(axes) -> None:  # type: ignore[no-untyped-def]
        ends = np.array([0.0, inverse.max() * 1.05])
        axes.plot(ends, infinite.value + line.slope.value * ends, color="0.5", lw=1)
        n = len(line.n_atoms)
        axes.errorbar(inverse[:n], temps[:n], errors[:n], fmt="o", capsize=3, label="MOMT")
        axes.errorbar(0, infinite.value, infinite.error, fmt="s", capsize=3, mfc="white", label="line")
        if other is not None:
            axes.errorbar(0, other[1], other[2], fmt="^", capsize=3, label=other[0])
        axes.set(xlabel="1/N", ylabel="temperature (K)")
        axes.legend(frameon=False)

    text = f"{float(infinite.value):.5g} ± {float(infinite.error):.2g} K at 1/N = 0"
    return Figure(
        name="finite_size",
        title="Transition temperature and size",
        caption=f"Temperatures at which the phases are equally likely, in periodic boxes of N atoms; line: {text}.",
        alt=f"Transition temperatures lie along a line in 1/N that gives {text}.",
        columns={"size": names, "1/N": inverse, "temperature, K": temps, "standard error, K": errors},
        draw=draw,
    )
