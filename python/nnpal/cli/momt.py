"""The `nnpal momt` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnpal.cli.errors import in_words

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.momt.analysis import Summary

app = typer.Typer(help="MOMT: reweight what a run sampled.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """MOMT: reweight what a run sampled."""


@app.command()
def report(
    bias: Annotated[Path, typer.Argument(help="Bias file of the run, e.g. momt.h5.")],
    traces: Annotated[list[Path], typer.Argument(help="Its trace, or one of each walker.")],
    temperature: Annotated[list[float] | None, typer.Option(help="Repeat for several; T0 by default.")] = None,
    divide: Annotated[float | None, typer.Option(help="Order parameter between two phases; found by default.")] = None,
    discard: Annotated[int, typer.Option(help="Rows to leave out at the beginning of production.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Folder for figures and summary.json.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Print enthalpy, volume, heat capacity and the coexistence temperature, with errors; draw figures.

    Of a run that is still learning: how far it has come, its bias and time series.
    """
    from json import dumps

    from rich.console import Console

    from nnpal.momt import read_bias, read_trace
    from nnpal.momt.analysis import is_learning, save_figures, summarize, summarize_learning
    from nnpal.momt.reweighting import from_traces
    from nnpal.runtime.json_files import write_json

    try:
        if output is not None and output.exists() and not output.is_dir():
            raise ValueError(f"--output {output}: expected a folder, found a file; give another name")
        learned = read_bias(bias)
        walks = [read_trace(path) for path in traces]
        learning = is_learning(walks) and discard == 0
        samples = None if learning else from_traces(walks, discard, learned.axes)
        temps = temperature or [learned.temp]
        if samples is None:
            summary = summarize_learning(learned, walks, temps, divide)
        else:
            summary = summarize(learned, samples, temps, divide)
        if output is not None:
            summary["figures"] = [str(path) for path in save_figures(learned, walks, samples, temps, output)]
            write_json(output / "summary.json", summary, sort_keys=False)
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal momt report: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(dumps(summary, indent=2))
    else:
        _print(summary, Console())


def _print(summary: Summary, console: Console) -> None:
    from rich.table import Table

    learning = "learning_rows" in summary
    rows = f"{summary['learning_rows']} rows of learning" if learning else f"{summary['samples']} samples"
    console.print(
        f"{rows} of {summary['walkers']} walker(s), grid {', '.join(summary['grid'])}, "
        f"{summary['visited_bins']} of {summary['bins']} bins visited, {summary['round_trips']} round trips"
    )
    if learning:
        console.print(
            f"no production rows yet (ln f = {summary['ln_f']:.3g} kT): a bias that changes cannot be reweighted, so "
            "there are no averages; run on until learning ends (ln_f_end, or learn STEPS), or freeze the bias: "
            "start FILE phase production"
        )
        return
    if summary["outside"]:
        share = summary["outside"] / (summary["outside"] + summary["samples"])
        console.print(f"{summary['outside']} rows outside the grid ({share:.1%}) are left out")
    if summary["covered"]:
        low, high = summary["covered"]
        console.print(f"temperatures reached: {low:.5g} to {high:.5g}")
    else:
        console.print("temperatures reached: none yet")
    table = Table(box=None, pad_edge=False)
    for name in ("T", "enthalpy", "volume", "heat capacity", "effective rows"):
        table.add_column(name, justify="right")
    for row in summary["temperatures"]:
        if "error" in row:
            console.print(f"T = {row['temp']:g}: {row['error']}")
            continue
        cells = [
            f"{row['enthalpy']:.6g} ± {row['enthalpy_error']:.2g}",
            f"{row['volume']:.6g} ± {row['volume_error']:.2g}",
            f"{row['heat_capacity']:.6g} ± {row['heat_capacity_error']:.2g}",
        ]
        table.add_row(f"{row['temp']:g}", *cells, f"{row['n_effective']:.0f}")
    if table.row_count:
        console.print(table)
    coexistence = summary.get("coexistence")
    if coexistence and "error" in coexistence:
        console.print(f"coexistence: {coexistence['error']}")
    elif coexistence:
        console.print(
            f"coexistence temperature {coexistence['temp']:.5g} ± {coexistence['temp_error']:.2g} "
            f"(phases divided at O = {coexistence['divide']:.3g})"
        )
