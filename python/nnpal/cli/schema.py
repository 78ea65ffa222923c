"""`nnpal schema`: the tables and keys of configuration files."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    table: Annotated[
        str | None, typer.Argument(help="Print this table only, such as training. Default: all tables.")
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Print the tables of `nnpal run` instead of those of the other commands.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON Schema, which editors use for completion.")
    ] = False,
) -> None:
    """List the keys of configuration files. Prints every table with types, defaults and descriptions.

    Tables that only `nnpal run` reads, such as rare_events, do not need --loop.
    """
    from json import dumps

    from rich.console import Console

    from nnpal.active_learning.config import RunConfig
    from nnpal.cli.document import Config
    from nnpal.config.key_tables import describe
    from nnpal.runtime.spelling import did_you_mean

    of_loop = loop or (table in RunConfig.model_fields and table not in Config.model_fields)
    model = RunConfig if of_loop else Config
    known = list(model.model_fields)
    if table is not None and table not in known:
        names = known if loop else list(dict.fromkeys([*known, *RunConfig.model_fields]))
        typer.echo(f"nnpal schema: no table {table}{did_you_mean(table, names)}", err=True)
        raise typer.Exit(1)
    if json:
        typer.echo(dumps(model.model_json_schema(), indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in describe(model, [table] if table else known):
        console.print(line, markup=False)
