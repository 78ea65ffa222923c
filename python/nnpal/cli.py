"""The `nnpal` command. Only this module prints and sets exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

from nnpal import __version__

app = typer.Typer(
    help="Active learning of neural network potentials inside LAMMPS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"nnpal {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Active learning of neural network potentials inside LAMMPS."""


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check this installation and say what mends it; exit code 1 where something is at fault."""
    from rich.console import Console

    from nnpal.doctor import diagnose, report

    checks = diagnose()
    if json:
        typer.echo(report.to_json(checks))
    else:
        Console(soft_wrap=False).print(report.to_table(checks))
    if not report.is_well(checks):
        raise typer.Exit(1)
