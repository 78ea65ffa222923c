"""`nnpal schema`: what the configuration file may hold."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    table: Annotated[str | None, typer.Argument(help="One table, such as training; all by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON Schema, for editors.")] = False,
) -> None:
    """Print the tables and keys of the configuration file, with kinds, defaults and meanings."""
    from json import dumps

    from rich.console import Console

    from nnpal.config.describe import describe
    from nnpal.config.document import Config
    from nnpal.suggest import did_you_mean

    known = list(Config.model_fields)
    if table is not None and table not in known:
        typer.echo(f"nnpal schema: no table {table}{did_you_mean(table, known)}", err=True)
        raise typer.Exit(1)
    if json:
        typer.echo(dumps(Config.model_json_schema(), indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in describe(Config, [table] if table else known):
        console.print(line, markup=False)
