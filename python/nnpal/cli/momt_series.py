"""The `nnpal momt series` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnpal.cli.errors import in_words
from nnpal.cli.names import name_and_place

if TYPE_CHECKING:
    import numpy as np

WIDTH = 110
"""Smallest width of the table, characters, so that no number is truncated when the output goes to a file."""


def series(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders (FOLDER or NAME=FOLDER) of MOMT or NPT runs, or of distillation runs (their sampling)."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Output folder for figures (PNG, PDF) and their data (CSV).")] = Path(
        "series"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Plot time series of sampling runs: energy, enthalpy and order parameter, including the learning phase."""
    from json import dumps

    from rich.console import Console
    from rich.table import Table

    from nnpal.active_learning.distillation.time_series import read_time_series, series_table
    from nnpal.active_learning.report.table import Cell, text_of
    from nnpal.figures.figure import write_figure
    from nnpal.figures.time_series import energy_series, enthalpy_order_series
    from nnpal.runtime.places import require_folder

    try:
        require_folder("--output", output)
        places = [name_and_place(str(run)) for run in runs]
        found = [one for name, folder in places for one in read_time_series(Path(folder), name)]
        labels = [one.label for one in found]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(
                f"RUNS: several are named {twice[0]}; give each folder once, with a name of its own as NAME=FOLDER"
            )
        files = [write_figure(output, figure) for figure in (energy_series(found), enthalpy_order_series(found))]
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal momt series: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    averages = series_table(found)
    shown = [[cell.text if isinstance(cell, Cell) else text_of(cell) for cell in row] for row in averages.rows]
    if json:
        means = [
            {
                "run": one.label,
                "frames": len(one.time),
                "ps": float(one.time[-1]) if len(one.time) else None,
                "learning": float(one.learning.mean()) if len(one.time) else None,
                "U_eV": _mean(one.energy),
                "O": _mean(one.order),
            }
            for one in found
        ]
        typer.echo(dumps({"runs": means, "figures": [str(one.png) for one in files]}, indent=1))
        return
    console, table = Console(), Table(title=averages.caption, title_justify="left", box=None, pad_edge=False)
    console.width = max(console.width, WIDTH)
    for number, head in enumerate(averages.header):
        if number == 0:
            table.add_column(head, overflow="fold")  # fold long names rather than numbers
        else:
            table.add_column(head, justify="right", no_wrap=True)
    for row in shown:
        table.add_row(*row)
    console.print(table, highlight=False, markup=False)
    console.print(f"The figures are in {output}.")


def _mean(values: np.ndarray) -> float | None:
    """Return the mean of the values; None if there are none or if any is missing."""
    return float(values.mean()) if len(values) and bool((values == values).all()) else None
