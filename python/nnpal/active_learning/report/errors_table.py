"""Errors of one model on several datasets."""

from __future__ import annotations

from collections.abc import Mapping

from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.style import MILLI


def errors_table(errors: Mapping[str, Mapping[str, float]], *, note: str = "") -> Table:
    """Return a table with a row for each dataset.

    Arguments:
        errors: name of the dataset -> mean absolute errors ``energy_mae``, ``relative_energy_mae`` (eV/atom) and
            ``force_mae`` (eV/Å, of components); missing ones are shown as a dash.
        note: last sentence of the caption, such as which member was evaluated.
    """
    columns = {
        "energy MAE (meV/atom)": "energy_mae",
        "energy MAE after subtracting the mean difference (meV/atom)": "relative_energy_mae",
        "force MAE (meV/Å)": "force_mae",
    }
    return Table(
        caption=f"Mean absolute errors against the labels.{f' {note}' if note else ''}",
        header=["", *columns],
        rows=[
            [
                name,
                *(
                    Cell(None if (value := found.get(key)) is None else MILLI * value, decimals=2)
                    for key in columns.values()
                ),
            ]
            for name, found in errors.items()
        ],
    )
