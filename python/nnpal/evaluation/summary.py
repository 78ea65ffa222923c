"""An evaluation as JSON and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from nnpal.runtime.json_files import write_json


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary`` as JSON."""
    write_json(path, summary, sort_keys=False)


def tables(summary: Mapping[str, Any]) -> Iterator[Table | str]:
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
                f"{element}: summed bond error {found['summed_bond_error']:.3f} Å, spread of energy errors "
                f"{found['energy_error_spread']:.1f} meV/atom, order {' < '.join(found['model_order'])} "
                f"({'right' if found['right_order'] else 'oracle: ' + ' < '.join(found['oracle_order'])})"
            )
        yield from (f"note: {note}" for note in found["notes"])


def _accuracy(found: Mapping[str, Any]) -> Table:
    rows = [("ensemble", found["n_frames"], found["ensemble"])]
    rows += [(f"member {m}", "", errors) for m, errors in enumerate(found.get("members", []))]
    if len(found["by_tag"]) > 1:
        rows += [(tag, errors["n_frames"], errors) for tag, errors in found["by_tag"].items()]
    names = ["energy_mae", "energy_rmse", "energy_mean", "force_mae", "force_rmse"]
    heads = ["energy\nMAE", "energy\nRMSE", "energy\nmean", "force\nMAE", "force\nRMSE"]
    title = "Errors (meV/atom, meV/Å)"
    if any("stress_mae" in errors for _, _, errors in rows):
        names += ["stress_mae_GPa", "stress_rmse_GPa"]
        heads += ["stress\nMAE", "stress\nRMSE"]
        title = "Errors (meV/atom, meV/Å, GPa)"
    table = _table(title, ["", "frames", *heads])
    for name, n_frames, errors in rows:
        cells = [_number(errors.get(key), 3 if "GPa" in key else 1 if "force" in key else 2) for key in names]
        table.add_row(name, str(n_frames), *cells)
    return table


def _elements(found: Mapping[str, Any]) -> Table:
    table = _table("Errors of forces by element (meV/Å)", ["", "atoms", "MAE", "RMSE"])
    for symbol, errors in found.items():
        table.add_row(symbol, str(errors["n_atoms"]), f"{errors['force_mae']:.1f}", f"{errors['force_rmse']:.1f}")
    return table


def _calibration(found: Sequence[Mapping[str, Any]]) -> Table:
    heads = ["error", "uncertainty", "values", "rank\ncorrelation", "RMS error /\nuncertainty", "miscalibration\narea"]
    table = _table("Uncertainty against error", heads)
    for row in found:
        table.add_row(
            row["error"],
            row["uncertainty"],
            str(row["n_values"]),
            f"{_number(row['spearman'])} ± {_number(row['spearman_error'])}",
            "" if row["ratio"] is None else f"{row['ratio']:.2f} ± {_number(row['ratio_error'])}",
            _number(row["miscalibration_area"], 3),
        )
    return table


def _relaxed(element: str, found: Mapping[str, Any]) -> Table:
    heads = ["", "model\nbond (Å)", "model\neV/atom"]
    if "oracle" in found:
        heads += ["oracle\nbond (Å)", "oracle\neV/atom", "error\n(Å)", "error\nmeV/atom"]
    table = _table(f"Relaxed crystals of {element}", heads)
    for i, (name, mine) in enumerate(found["model"].items()):
        cells = [f"{mine['bond']:.3f}", f"{mine['energy']:.4f}"]
        if "oracle" in found:
            theirs = found["oracle"][name]
            errors = found["bond_errors"][i], 1e3 * found["energy_errors"][i]
            cells += [f"{theirs['bond']:.3f}", f"{theirs['energy']:.4f}", f"{errors[0]:+.3f}", f"{errors[1]:+.1f}"]
        table.add_row(name, *cells)
    return table


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
