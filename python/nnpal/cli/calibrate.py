"""The `nnpal calibrate` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words


def calibrate(
    model: Annotated[Path, typer.Argument(help="Model file with at least two members.")],
    data: Annotated[
        list[Path], typer.Argument(help="Labeled configurations that are not in the training data of the model.")
    ],
    output: Annotated[Path | None, typer.Option(help="Model file to write. Default: MODEL, which is replaced.")] = None,
    units: Annotated[
        str | None, typer.Option(help="Units of data files that do not state them, such as 'eV Å' or metal.")
    ] = None,
    device: Annotated[str, typer.Option(help="Device: cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Calibrate the error estimates of a model file (error_force and error_energy) on labeled configurations."""
    from rich.console import Console
    from rich.progress import Progress

    from nnpal.calibration import calibrate as fit
    from nnpal.calibration.summary import sentences
    from nnpal.data import Units, read_frames
    from nnpal.evaluation.pairs import labeled_pairs
    from nnpal.model import read_metadata, write_calibrated
    from nnpal.runtime.places import require_file

    try:
        target = output or model
        require_file("--output", target)
        if any(path.exists() and target.exists() and path.samefile(target) for path in data):
            raise ValueError(f"--output {target} is one of the data files and would overwrite it; give another name")
        stated = Units.parse(units) if units else None
        frames = [frame for path in data for frame in read_frames(path, units=stated)]
        screen = Console(stderr=True)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
            bar = progress.add_task("configurations", total=len(frames))
            pairs = labeled_pairs(model, frames, device=device, on_batch=lambda n: progress.advance(bar, n))
        found = fit(pairs, read_metadata(model).elements)
        found.evidence["source"] = f"{len(frames)} labeled configurations given to nnpal calibrate"
        write_calibrated(model, found, target)
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal calibrate: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    for sentence in sentences(found):
        typer.echo(sentence)
    typer.echo(f"Wrote {target}")
