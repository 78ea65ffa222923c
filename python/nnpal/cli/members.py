"""What reports of sampling share: options for error bars from the members, and their energies of saved frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

Model = Annotated[
    Path | None, typer.Option(help="Model file of the run: adds the error bar from its members, with --frames.")
]
Frames = Annotated[
    list[Path] | None,
    typer.Option(help="Frames that the run saved, such as its LAMMPS dump; one file for each, in the same order."),
]
Symbols = Annotated[str | None, typer.Option(help="Elements of the dump's atom types, such as C,H.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N; evaluates the members.")]
Factor = Annotated[
    float | None,
    typer.Option(help="Multiply the members' spread by this, instead of the calibration in the model file."),
]


def require_both(
    model: Path | None, frames: Sequence[Path] | None, n_files: int, what: str, option: str = "--model"
) -> bool:
    """Return whether there are frames to evaluate.

    Raises:
        ValueError: the model's option or --frames without the other, or another number of files.
    """
    if model is None and not frames:
        return False
    if model is None or not frames:
        given, missing = ("--frames", option) if model is None else (option, "--frames")
        raise ValueError(f"{given} without {missing}: give both, for energies of the model on frames of the run")
    if len(frames) != n_files:
        raise ValueError(f"--frames: {len(frames)} files for {n_files} {what}; give one for each, in the same order")
    return True


def evaluate_members(
    model: Path, files: Sequence[Path], unit_style: str, symbols: str | None, device: str, factor: float | None
) -> tuple[list[np.ndarray], list[np.ndarray], float | None]:
    """Return steps [n_frames] and members' energies [n_members, n_frames] of each file, and the calibration factor.

    Energies are in the unit style.

    Raises:
        FileNotFoundError: no such file.
        ValueError: units without a scale of their own, frames that cannot be read or evaluated, or one member.
    """
    from rich.console import Console
    from rich.progress import Progress

    from nnpal.data import Units
    from nnpal.data.trajectory import read_trajectory
    from nnpal.evaluation.members import member_energies
    from nnpal.lammps.units import UNITS

    if unit_style not in UNITS:
        raise ValueError(f"units {unit_style}: expected metal or real, whose energies a model has")
    words = None if symbols is None else symbols.replace(",", " ").split()
    read = [read_trajectory(path, units=Units.lammps(unit_style), symbols=words) for path in files]
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("frames", total=sum(len(frames) for _, frames in read))
        found = [
            member_energies(model, frames, device=device, on_batch=lambda n: progress.advance(bar, n))
            for _, frames in read
        ]
    if n_outside := sum(one.n_outside for one in found):
        n_frames = sum(len(frames) for _, frames in read)
        typer.echo(
            f"note: the members differ on {n_outside} of {n_frames} frames by more than on any "
            "configuration of the calibration, whose factor says nothing there",
            err=True,
        )
    energies = [one.energies * UNITS[unit_style].energy for one in found]
    return [steps for steps, _ in read], energies, found[0].factor if factor is None else factor


def calibration_text(factor: float | None) -> str:
    """Say what the error bar from the members is worth."""
    if factor is None:
        return "the bare spread, uncalibrated: often several times too small (the model file has no factor; --factor)"
    return f"the spread times {factor:.3g}, which holds near the training data only"
