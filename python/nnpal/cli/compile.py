"""The `nnpal compile` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words


def compile(
    model: Annotated[Path, typer.Argument(help="Model file with SchNet networks, such as ni.nnp.pt.")],
    output: Annotated[
        Path | None, typer.Option(help="Model file to write. Default: MODEL with the suffix .pt2 instead of .pt.")
    ] = None,
) -> None:
    """Compile the networks of a model file for this CPU. Takes minutes and requires a C++ compiler."""
    from nnpal.model import compile_model

    try:
        written = compile_model(model, output)
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal compile: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"Wrote {written}")
