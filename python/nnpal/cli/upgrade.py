"""The `nnpal upgrade` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words


def upgrade(
    model: Annotated[Path, typer.Argument(help="Model file written by an earlier version of nnpal.")],
    output: Annotated[Path | None, typer.Option(help="Model file to write. Default: MODEL, which is replaced.")] = None,
) -> None:
    """Convert an older model file to the current format. Networks and calibration do not change."""
    from nnpal.model import read_metadata, write_calibrated
    from nnpal.model.core_model import load_core_model

    target = output or model
    try:
        before = read_metadata(model)
        write_calibrated(model, before.calibration, target)
        needs_libtorch = load_core_model(target) is None
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal upgrade: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    after = read_metadata(target)
    typer.echo(
        f"Wrote {target}, format {after.format_version} (was {before.format_version}); on a CPU "
        + ("it is evaluated by libtorch" if needs_libtorch else "it needs no libtorch")
    )
