"""Errors of one model on several sets of data."""

from __future__ import annotations

from collections.abc import Mapping

from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.style import MILLI


def errors_table(errors: Mapping[str, Mapping[str, float]], *, note: str = "") -> Table:
    """Return a row for each set of data.

    Arguments:
        errors: name of the data -> mean absolute errors by ``energy_mae`` and ``relative_energy_mae`` (eV/atom) and
            ``force_mae`` (eV/Å, of components); one that is not known is a dash.
        note: closes the caption, such as which member was evaluated.
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
