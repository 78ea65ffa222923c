"""The `nnpal momt series` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words


def series(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs of MOMT or NPT dynamics, or of distillations, whose sampling is taken."),
    ],
    output: Annotated[Path, typer.Option(help="Folder for figures (PNG, PDF) and their numbers (CSV).")] = Path(
        "series"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Draw energy, enthalpy and order parameter of samplings over time, the learning phase too."""
    from json import dumps

    from rich.console import Console
    from rich.table import Table

    from nnpal.active_learning.distillation.time_series import read_time_series, series_table
    from nnpal.active_learning.report.table import text_of
    from nnpal.figures.figure import write_figure
    from nnpal.figures.time_series import energy_series, enthalpy_order_series
    from nnpal.runtime.places import require_folder

    try:
        require_folder("--output", output)
        found = [one for folder in runs for one in read_time_series(folder)]
        labels = [one.label for one in found]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"RUNS: several are named {twice[0]}; give each folder once, or rename one")
        files = [write_figure(output, figure) for figure in (energy_series(found), enthalpy_order_series(found))]
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal momt series: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    averages = series_table(found)
    rows = [[getattr(cell, "value", cell) for cell in row] for row in averages.rows]
    if json:
        named = [dict(zip(averages.header, row, strict=True)) for row in rows]
        typer.echo(dumps({"runs": named, "figures": [str(one.png) for one in files]}, indent=1, ensure_ascii=False))
        return
    console, table = Console(), Table(title=averages.caption, title_justify="left")
    for number, head in enumerate(averages.header):
        table.add_column(head, justify="left" if number == 0 else "right", no_wrap=True)
    for row in averages.rows:
        table.add_row(*(getattr(cell, "text", None) or text_of(cell) for cell in row))
    console.print(table, highlight=False, markup=False)
    console.print(f"Figures are in {output}.")
