"""The `nnpal smd` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnpal.cli.errors import in_words

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.smd.analysis import Report

app = typer.Typer(help="Steered molecular dynamics: analyze pulls.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Steered molecular dynamics: analyze pulls."""


@app.command()
def report(
    files: Annotated[list[Path], typer.Argument(help="One file a pull: of the hook, of fix print, or a LAMMPS log.")],
    temperature: Annotated[float, typer.Option(help="Of the pulls, K.")],
    window: Annotated[float, typer.Option(help="Way of λ over which forces are averaged to find the break.")] = 0.2,
    units: Annotated[str | None, typer.Option(help="metal, real or lj, for files that do not say it.")] = None,
    fix: Annotated[str | None, typer.Option(help="Fix ID, for logs that show several fixes.")] = None,
    equivalent_atoms: Annotated[
        bool, typer.Option("--equivalent-atoms", help="Average over pulls of different atoms, equivalent by symmetry.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, ΔF(λ) included.")] = False,
) -> None:
    """Print activation energy and breaking distance of each pull, and ΔF of all by Jarzynski's equality."""
    from json import dumps

    from rich.console import Console

    from nnpal.smd.analysis import make_report
    from nnpal.smd.reading import read_pull

    try:
        result = make_report([read_pull(path, fix) for path in files], temperature, window, units, equivalent_atoms)
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal smd report: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(dumps(result.to_json(), indent=2))
    else:
        _print(result, Console())


def _print(result: Report, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("pull", "activation energy", "breaking distance", "largest force", "broken"):
        table.add_column(name, justify="left" if name == "pull" else "right")
    for pull in result.pulls:
        numbers = (pull.activation_energy, pull.at.d, pull.at.force)
        table.add_row(pull.name, *(f"{value:.4f}" for value in numbers), "yes" if pull.at.broken else "no")
    console.print(table)
    p = result.profile
    if p:
        top = int(p["free_energy"].argmax())
        for label, i in (("largest", top), ("last", -1)):
            console.print(
                f"ΔF(λ), {label}: {p['free_energy'][i]:.4f} ± {p['error'][i]:.4f} at λ = {p['lambda'][i]:.4f} "
                f"(bias {p['bias'][i]:+.4f}, second cumulant {p['second_cumulant'][i]:.4f}, "
                f"{p['n_effective'][i]:.1f} effective pulls)",
                highlight=False,
                soft_wrap=True,
            )
    for note in result.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
