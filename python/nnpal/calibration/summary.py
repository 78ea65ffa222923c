"""Description of a calibration as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnpal.calibration.recipe import Calibration
from nnpal.calibration.reliability import LEVELS


def sentences(calibration: Calibration) -> list[str]:
    """Return sentences on the data of a calibration, its quality in and out of distribution, and suspicious labels.

    They use the evidence of :func:`nnpal.calibration.calibrate`; a calibration without it gives none.
    """
    evidence = calibration.evidence
    if "reliability" not in evidence:
        return []
    atoms = ", ".join(f"{n} {symbol}" for symbol, n in evidence["atoms"].items())
    said = [
        f"Errors calibrated on {evidence['configurations']} configurations ({atoms} atoms): {_within(evidence)}"
        f"{_how(evidence)}; true over predicted error by tenth of it: {_range(evidence['reliability']['tenths'])}."
    ]
    if evidence.get("candidates"):
        said.append(f"{evidence['candidates']} candidates, out of distribution, were used as well.")
    if caution := evidence.get("caution"):
        said.append(caution)
    if calibration.energy is None:
        said.append("No error of energies: too few configurations.")
    if wild := evidence.get("wild"):
        said.append(
            f"{len(wild)} configurations have forces beyond 6 sigma, and are excluded: {_some(wild)}; check their "
            "labels."
        )
    return said


def recipe_lines(calibration: Calibration, symbols: Sequence[str]) -> list[str]:
    """Return lines with the parameters of each element and of the energy."""
    force, energy = calibration.force, calibration.energy
    lines = [
        f"{symbol}: error {error:.3g} eV/Å at a spread of {knee:.3g} eV/Å, exponent {exponent:.2f} below it"
        for symbol, knee, error, exponent in zip(symbols, force.knee, force.error_at_knee, force.exponent, strict=True)
    ]
    if energy is not None:
        lines.append(
            f"energy: {energy.factor:.3g} times the members' standard deviation, where that is at most "
            f"{1e3 * energy.largest_per_atom:.3g} meV/atom and no atom's spread above {energy.largest:.3g} times the "
            "one above"
        )
    return lines


def _within(evidence: dict[str, dict[str, list[float]]]) -> str:
    shares = evidence["reliability"]["coverage"]
    return " and ".join(f"{100 * share:.0f} %" for share in shares) + (
        " of force components lie within the intervals of " + " and ".join(f"{100 * level:.0f} %" for level in LEVELS)
    )


def _how(evidence: dict[str, Any]) -> str:
    return "" if evidence.get("cross_validated") else " of the same configurations, too few for cross-validation"


def _range(tenths: list[float]) -> str:
    return f"{min(tenths):.2f} to {max(tenths):.2f}"


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")
