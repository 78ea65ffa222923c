"""Learning curves: a figure and its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nnpal.figures.figure import Figure, Value, write_figure
from nnpal.figures.style import CYCLE, MILLI, PAGE, number_decades, shades
from nnpal.training.member import EpochRecord

PANELS = (
    ("loss", "loss (eV²)", 1.0),
    ("energy_mae", "energy MAE (meV/atom)", MILLI),
    ("force_mae", "force MAE (meV/Å)", MILLI),
)
TRAINING: dict[str, Any] = {"linewidth": 0.6, "alpha": 0.6, "linestyle": (0, (3, 1))}
VALIDATION: dict[str, Any] = {"linewidth": 1.0, "alpha": 1.0, "linestyle": "-"}


class Curve(Protocol):
    """The attributes of :class:`nnpal.training.TrainedMember` that are plotted."""

    @property
    def number(self) -> int: ...
    @property
    def history(self) -> list[EpochRecord]: ...
    @property
    def best_epoch(self) -> int: ...


def save_curves(folder: Path, members: Sequence[Curve]) -> list[Path]:
    """Write ``learning_curves.csv``, ``.png`` and ``.pdf`` into ``folder`` and return their paths."""
    files = write_figure(folder, learning_curves(members))
    return [files.csv, files.png, files.pdf]


def learning_curves(members: Sequence[Curve], *, name: str = "learning_curves") -> Figure:
    """Return a figure of the loss and MAEs of each member by epoch.

    Arguments:
        members: members of one ensemble.
        name: name of the figure's files.
    """
    rows: list[list[Value]] = [[m.number, *asdict(record).values()] for m in members for record in m.history]
    header = ["member", *(field.name for field in fields(EpochRecord))]
    lasts = [
        f"member {m.number}: {MILLI * m.history[m.best_epoch].validation_force_mae:.3g} meV/Å after "
        f"{m.best_epoch + 1} of {len(m.history)} epochs"
        for m in members
        if m.history
    ]
    return Figure(
        name=name,
        title="Learning curves of the members",
        caption="Loss and mean absolute errors of each member by epoch. Solid: validation, after the epoch; dashed: "
        "training, averaged over the epoch. Dots: the epoch whose weights are kept.",
        alt=f"Validation force MAE of {'; '.join(lasts)}" if lasts else "No epoch yet",
        columns={title: [row[k] for row in rows] for k, title in enumerate(header)},
        draw=lambda *axes: _draw(axes, members),
        grid=(1, len(PANELS)),
        size=(PAGE, 2.6),
    )


def _draw(axes: Sequence[Axes], members: Sequence[Curve]) -> None:
    colors = shades(len(members))
    for axis, (name, label, factor) in zip(axes, PANELS, strict=True):
        for member, color in zip(members, colors, strict=True):
            epochs = [record.epoch + 1 for record in member.history]
            for part, look in (("train", TRAINING), ("validation", VALIDATION)):
                values = [factor * getattr(record, f"{part}_{name}") for record in member.history]
                axis.plot(epochs, values, color=color, **look)
            if epochs:
                best = member.best_epoch
                axis.plot(epochs[best], values[best], "o", markersize=3, color=color)
        axis.set_yscale("log")
        number_decades(axis.yaxis)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        axis.set(xlabel="epoch", ylabel=label)
    handles = [Line2D([], [], color="0.3", label="validation", **VALIDATION)]
    handles += [Line2D([], [], color="0.3", label="training", **TRAINING)]
    if len(members) <= len(CYCLE):
        handles += [Line2D([], [], color=c, label=f"member {m.number}") for m, c in zip(members, colors, strict=True)]
    axes[0].figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
