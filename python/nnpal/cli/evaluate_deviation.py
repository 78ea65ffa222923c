"""`nnpal evaluate --model-deviation`: model deviations of structures, in the columns of DP-GEN."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ase import Atoms


def evaluate_deviation(
    model: Path,
    data: Sequence[Path],
    output: Path,
    *,
    units: str | None,
    symbols: Sequence[str] | None,
    device: str | None,
    trust: tuple[float | None, float | None],
) -> None:
    """Write the model deviations of structures and print their range.

    Arguments:
        model: model file.
        data: files in any format; labels are not used.
        output: file to write.
        units: units of files that do not state them.
        symbols: elements of LAMMPS atom types.
        device: device, by default cpu.
        trust: lower and upper bound of max_devi_f, eV/Å; None: no counts of classes.

    Raises:
        ValueError, OSError: files that cannot be read, or a model that cannot evaluate them or has one member.
    """
    from math import inf

    from rich.console import Console
    from rich.progress import Progress

    from nnpal.active_learning.selection.classes import classify
    from nnpal.data import Units, read_frames
    from nnpal.data.trajectory import steps_of
    from nnpal.evaluation import predict
    from nnpal.evaluation.model_deviation import COLUMNS, model_deviation, write_model_deviation
    from nnpal.model import read_metadata

    lower, upper = trust
    if upper is not None and lower is None:
        raise ValueError(f"--trust-hi {upper:g} without --trust-lo; give both, or --trust-lo alone")
    if lower is not None and not 0 <= lower < (inf if upper is None else upper):
        raise ValueError(f"--trust-lo {lower:g}: expected 0 or more, and less than --trust-hi ({upper})")
    if not data:
        raise ValueError("--model-deviation: no structures; give dumps, datasets or other files after the model file")
    if read_metadata(model).n_members < 2:
        raise ValueError(f"--model-deviation: model {model} has one member, so no deviation; give an ensemble")
    stated = Units.parse(units) if units else None
    frames: list[Atoms] = []
    steps: list[int] = []
    for path in data:
        read = read_frames(path, units=stated, symbols=symbols, labeled=False)
        found = [step for step in steps_of(path, read) if step is not None]
        steps += found if len(found) == len(read) else range(len(frames), len(frames) + len(read))
        frames += read
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("configurations", total=len(frames))
        predictions = predict(model, frames, device=device or "cpu", on_batch=lambda n: progress.advance(bar, n))
    deviations = model_deviation(predictions)
    write_model_deviation(output, steps, deviations)
    largest = deviations[:, COLUMNS.index("max_devi_f")]
    typer.echo(
        f"{output}: {len(frames)} configurations, max_devi_f from {largest.min():.4g} to {largest.max():.4g} eV/Å"
    )
    if lower is not None:
        classes = classify(largest, lower, inf if upper is None else upper, trajectory=False)
        typer.echo(", ".join(f"{name} {n}" for name, n in classes.counts().items()))
