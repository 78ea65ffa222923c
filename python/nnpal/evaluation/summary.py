"""Summary of an evaluation as JSON and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypedDict

from rich.table import Table

from nnpal.evaluation.calibration import CalibrationFigures
from nnpal.evaluation.crystals import CrystalFigures
from nnpal.evaluation.metrics import Accuracy, Errors, ErrorsOfElement

_OfEnergy = Literal["energy_mae", "energy_rmse", "energy_mean"]
_OF_ENERGY: tuple[_OfEnergy, ...] = ("energy_mae", "energy_rmse", "energy_mean")
_OF_FORCE: tuple[Literal["force_mae", "force_rmse"], ...] = ("force_mae", "force_rmse")
_OF_STRESS: tuple[Literal["stress_mae_GPa", "stress_rmse_GPa"], ...] = ("stress_mae_GPa", "stress_rmse_GPa")


class ModelFacts(TypedDict):
    """Description of the model file in a summary."""

    path: str
    elements: list[str]
    n_members: int
    dtype: str
    dataset_hash: str | None


class _OfFrames(TypedDict, total=False):
    accuracy: Accuracy
    calibration: list[CalibrationFigures]
    figures: list[str]


class _OfCrystals(TypedDict, total=False):
    relaxed: dict[str, CrystalFigures]


class Summary(_OfFrames, _OfCrystals):
    """Contents of ``summary.json``; ``accuracy``, ``calibration`` and ``figures`` only if there are labels."""

    nnpal: str
    settings: dict[str, Any]
    model: ModelFacts


def tables(summary: Summary) -> Iterator[Table | str]:
    """Yield tables and notes for the terminal."""
    if "accuracy" in summary:
        yield _accuracy(summary["accuracy"])
        if len(summary["accuracy"]["by_element"]) > 1:
            yield _elements(summary["accuracy"]["by_element"])
        if summary["calibration"]:
            yield _calibration(summary["calibration"])
        else:
            yield "note: the model has one member, and so no uncertainty"
    for element, found in summary.get("relaxed", {}).items():
        yield _relaxed(element, found)
        if "oracle" in found:
            yield (
                f"{element}: summed bond error {_number(found['summed_bond_error'], 3)} Å, spread of energy errors "
                f"{_number(found['energy_error_spread'], 1)} meV/atom, order {' < '.join(found['model_order'])} "
                f"({'right' if found['right_order'] else 'oracle: ' + ' < '.join(found['oracle_order'])})"
            )
        yield from (f"note: {note}" for note in found["notes"])


def _accuracy(found: Accuracy) -> Table:
    rows: list[tuple[str, int | str, Errors]] = [("ensemble", found["n_frames"], found["ensemble"])]
    rows += [(f"member {m}", "", errors) for m, errors in enumerate(found.get("members", []))]
    if len(found["by_tag"]) > 1:
        rows += [(tag, errors["n_frames"], errors) for tag, errors in found["by_tag"].items()]
    heads = ["energy\nMAE", "energy\nRMSE", "energy\nmean", "force\nMAE", "force\nRMSE"]
    title = "Errors (meV/atom, meV/Å)"
    has_stress = any("stress_mae" in errors for _, _, errors in rows)
    if has_stress:
        heads += ["stress\nMAE", "stress\nRMSE"]
        title = "Errors (meV/atom, meV/Å, GPa)"
    table = _table(title, ["", "frames", *heads])
    for name, n_frames, errors in rows:
        cells = [_number(errors[key]) for key in _OF_ENERGY] + [_number(errors[key], 1) for key in _OF_FORCE]
        if has_stress:
            cells += [_number(errors.get(key), 3) for key in _OF_STRESS]
        table.add_row(name, str(n_frames), *cells)
    return table


def _elements(found: dict[str, ErrorsOfElement]) -> Table:
    table = _table("Errors of forces by element (meV/Å)", ["", "atoms", "MAE", "RMSE"])
    for symbol, errors in found.items():
        table.add_row(symbol, str(errors["n_atoms"]), f"{errors['force_mae']:.1f}", f"{errors['force_rmse']:.1f}")
    return table


def _calibration(found: Sequence[CalibrationFigures]) -> Table:
    heads = ["error", "uncertainty", "values", "rank\ncorr.", "RMS\nratio", "miscal.\narea", "within\n68/90 %"]
    table = _table("Uncertainty against error", heads)
    for row in found:
        table.add_row(
            row["error"],
            row["uncertainty"],
            str(row["n_values"]),
            f"{_number(row['spearman'])}±{_number(row['spearman_error'])}",
            "" if row["ratio"] is None else f"{row['ratio']:.2f}±{_number(row['ratio_error'])}",
            _number(row["miscalibration_area"], 3),
            "" if row["coverage"] is None else "/".join(f"{100 * share:.0f}" for share in row["coverage"]),
        )
    return table


def _relaxed(element: str, found: CrystalFigures) -> Table:
    heads = ["", "model\nbond (Å)", "model\neV/atom"]
    if "oracle" in found:
        heads += ["oracle\nbond (Å)", "oracle\neV/atom", "error\n(Å)", "error\nmeV/atom"]
    table = _table(f"Relaxed crystals of {element}", heads)
    for i, (name, mine) in enumerate(found["model"].items()):
        cells = [_number(mine["bond"], 3), _number(mine["energy"], 4)]
        if "oracle" in found:
            theirs = found["oracle"][name]
            energy_error = found["energy_errors"][i]
            cells += [
                _number(theirs["bond"], 3),
                _number(theirs["energy"], 4),
                _number(found["bond_errors"][i], 3, "+"),
                _number(None if energy_error is None else 1e3 * energy_error, 1, "+"),
            ]
        table.add_row(name, *cells)
    return table


def _table(title: str, heads: Sequence[str]) -> Table:
    # seven numbers fit in 80 columns, and the title in one line
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, min_width=len(title))
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right", no_wrap=number > 0, overflow="fold")
    return table


def _number(value: float | None, digits: int = 2, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.{digits}f}"
