"""The `nnpal compile` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words


def compile(
    model: Annotated[Path, typer.Argument(help="Model file of SchNet networks, e.g. ni.nnp.pt.")],
    output: Annotated[
        Path | None, typer.Option(help="New model file; MODEL with .pt2 in place of .pt by default.")
    ] = None,
) -> None:
    """Compile a model file's networks for CPUs like this one; takes minutes, and a C++ compiler."""
    from nnpal.model import compile_model

    try:
        written = compile_model(model, output)
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal compile: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"Wrote {written}")
