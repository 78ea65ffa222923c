"""Shared by the reports on sampling: options for error bars from the members, and member energies of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

Model = Annotated[
    Path | None,
    typer.Option(help="Model file used in the run. Adds an error bar from its ensemble members; requires --frames."),
]
Frames = Annotated[
    list[Path] | None,
    typer.Option(help="Frames saved by the run, such as a LAMMPS dump. One file per pull or trace, in the same order."),
]
Symbols = Annotated[str | None, typer.Option(help="Elements of the atom types in the LAMMPS dump, such as C,H.")]
Device = Annotated[str, typer.Option(help="Device that evaluates the members: cpu, cuda or cuda:N.")]
Factor = Annotated[
    float | None,
    typer.Option(help="Factor for the spread of the members, instead of the calibration factor in the model file."),
]


def require_both(
    model: Path | None, frames: Sequence[Path] | None, n_files: int, what: str, option: str = "--model"
) -> bool:
    """Return whether there are frames to evaluate.

    Raises:
        ValueError: the model's option or --frames without the other, or different numbers of files.
    """
    if model is None and not frames:
        return False
    if model is None or not frames:
        given, missing = ("--frames", option) if model is None else (option, "--frames")
        raise ValueError(f"{given} requires {missing}: give both to evaluate the model on the frames of the run")
    if len(frames) != n_files:
        raise ValueError(
            f"--frames: {len(frames)} files for {n_files} {what}; give one file for each, in the same order"
        )
    return True


def evaluate_members(
    model: Path, files: Sequence[Path], unit_style: str, symbols: str | None, device: str, factor: float | None
) -> tuple[list[np.ndarray], list[np.ndarray], float | None]:
    """Return steps [n_frames] and members' energies [n_members, n_frames] of each file, and the calibration factor.

    Energies are in the unit style.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a unit style other than metal and real, frames that cannot be read or evaluated, or one member.
    """
    from rich.console import Console
    from rich.progress import Progress

    from nnpal.data import Units
    from nnpal.data.trajectory import read_trajectory
    from nnpal.evaluation.members import member_energies
    from nnpal.lammps.units import UNITS

    if unit_style not in UNITS:
        raise ValueError(
            f"units {unit_style}: expected metal or real, the unit styles that a model can be evaluated in"
        )
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
            f"note: on {n_outside} of {n_frames} frames the members differ by more than on any configuration of the "
            "calibration set; the calibration factor is not valid there",
            err=True,
        )
    energies = [one.energies * UNITS[unit_style].energy for one in found]
    return [steps for steps, _ in read], energies, found[0].factor if factor is None else factor


def calibration_text(factor: float | None) -> str:
    """Describe how reliable the error bar from the members is."""
    if factor is None:
        return (
            "uncalibrated spread of the members, often several times too small (the model file has no calibration "
            "factor; give one with --factor)"
        )
    return f"spread of the members times {factor:.3g}, valid only near the training data"
