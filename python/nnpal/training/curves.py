"""Learning curves: a figure and the numbers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnpal.figures.figure import save, styled, write_rows
from nnpal.figures.style import MILLI, number_decades
from nnpal.training.member import EpochRecord

PANELS = (
    ("loss", "loss (eV²)", 1.0),
    ("energy_mae", "energy MAE (meV/atom)", MILLI),
    ("force_mae", "force MAE (meV/Å)", MILLI),
)


class Curve(Protocol):
    """What is drawn of a member: :class:`nnpal.training.TrainedMember`."""

    @property
    def number(self) -> int: ...
    @property
    def history(self) -> list[EpochRecord]: ...
    @property
    def best_epoch(self) -> int: ...


def save_curves(folder: Path, members: Sequence[Curve]) -> list[Path]:
    """Write ``learning_curves.csv``, ``.png`` and ``.pdf`` into ``folder`` and return their paths."""
    paths = [folder / f"learning_curves.{suffix}" for suffix in ("csv", "png", "pdf")]
    header = ["member", *(field.name for field in fields(EpochRecord))]
    write_rows(paths[0], header, ([m.number, *asdict(record).values()] for m in members for record in m.history))
    save(draw_curves(members), *paths[1:], dpi=200)
    return paths


def draw_curves(members: Sequence[Curve]) -> Figure:
    """Draw loss and MAEs by epoch: a color a member, validation full, training thin, the epoch kept a dot."""
    with styled():
        figure = Figure(figsize=(9.0, 3.0), layout="constrained")
        _draw(list(figure.subplots(1, len(PANELS))), members)
    return figure


def _draw(axes: Sequence[Axes], members: Sequence[Curve]) -> None:
    for axis, (name, label, factor) in zip(axes, PANELS, strict=True):
        for member in members:
            color = f"C{member.number % 10}"
            epochs = [record.epoch + 1 for record in member.history]
            for part, width in (("train", 0.4), ("validation", 1.0)):
                values = [factor * getattr(record, f"{part}_{name}") for record in member.history]
                axis.plot(epochs, values, color=color, linewidth=width)
            axis.plot(epochs[member.best_epoch], values[member.best_epoch], "o", markersize=3, color=color)
        axis.set_yscale("log")
        number_decades(axis.yaxis)
        axis.set(xlabel="epoch", ylabel=label)
    last = axes[-1]
    last.text(
        0.97, 0.95, "thin: training\nbold: validation", transform=last.transAxes, ha="right", va="top", fontsize=8
    )
