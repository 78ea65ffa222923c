"""Pictures of structures on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.data.colors import jmol_colors
from ase.visualize.plot import plot_atoms
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D

from nnpal.report.figure import Figure
from nnpal.report.style import RED, say_empty

COLUMNS = 3
MOST = 12
CELL_ROTATION = "-75x,-15y"
"""A cell seen from the side and slightly from above."""


@dataclass(frozen=True)
class Snapshot:
    """A structure to be drawn.

    Attributes:
        atoms: any.
        label: under it; a line or two.
        marked: atoms drawn red, such as those above the threshold.
    """

    atoms: Atoms
    label: str
    marked: Sequence[int] = ()


def structures(snapshots: Sequence[Snapshot], *, name: str = "structures", most: int = MOST) -> Figure:
    """Return pictures of structures: molecules along their longest axis, periodic ones with their cell.

    Arguments:
        snapshots: any number; of more than ``most`` evenly spaced ones are drawn.
        name: of the files.
        most: pictures drawn.
    """
    places = np.unique(np.linspace(0, max(0, len(snapshots) - 1), min(most, len(snapshots))).round().astype(int))
    shown = [snapshots[k] for k in places] if len(snapshots) else []
    symbols = list(dict.fromkeys(symbol for snapshot in shown for symbol in snapshot.atoms.get_chemical_symbols()))
    rows = max(1, -(-len(shown) // COLUMNS))

    def draw(*panels: Axes) -> None:
        if not shown:
            say_empty(panels[0], "no structure was chosen")
        for axes in panels[len(shown) :] if shown else panels[1:]:
            axes.set_axis_off()
        for axes, snapshot in zip(panels, shown, strict=False):
            _draw(axes, snapshot)
        handles = [_dot(symbol, to_hex(jmol_colors[atomic_numbers[symbol]])) for symbol in symbols]
        if any(snapshot.marked for snapshot in shown):
            handles.append(_dot("marked", RED))
        if handles:
            panels[0].figure.legend(handles=handles, loc="outside lower center", ncols=6)

    columns: dict[str, list[float | int | str]] = {
        h: [] for h in ("structure", "label", "symbol", "x", "y", "z", "marked")
    }
    for number, snapshot in enumerate(shown):
        atoms = snapshot.atoms
        columns["structure"] += [number] * len(atoms)
        columns["label"] += [snapshot.label.replace("\n", " ")] * len(atoms)
        columns["symbol"] += atoms.get_chemical_symbols()
        for axis, values in zip("xyz", atoms.get_positions().T.tolist(), strict=True):
            columns[axis] += values
        columns["marked"] += np.isin(np.arange(len(atoms)), list(snapshot.marked)).astype(int).tolist()
    part = f" {len(shown)} of {len(snapshots)} are drawn." if len(shown) < len(snapshots) else ""
    return Figure(
        name=name,
        title="Structures chosen",
        caption=f"Structures chosen for labels (positions in Å in the CSV file).{part}",
        alt="; ".join(snapshot.label.replace("\n", ", ") for snapshot in shown) or "No structure was chosen",
        columns=columns,
        draw=draw,
        grid=(rows, min(COLUMNS, max(1, len(shown)))),
        size=(4.8, 1.7 * rows + 0.4),
    )


def _draw(axes: Axes, snapshot: Snapshot) -> None:
    atoms = snapshot.atoms
    axes.set_xlabel(snapshot.label, fontsize=8)
    if not len(atoms) or not np.isfinite(atoms.positions).all():
        say_empty(axes, "no atoms" if not len(atoms) else "positions are\nnot finite")
        return
    colours = jmol_colors[atoms.numbers].copy()
    colours[list(snapshot.marked)] = to_rgb(RED)
    if atoms.pbc.any():
        plot_atoms(atoms, axes, rotation=CELL_ROTATION, show_unit_cell=2, colors=colours)
    else:
        plot_atoms(_along(atoms), axes, show_unit_cell=0, colors=colours)
    axes.set_axis_on()
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set(xticks=[], yticks=[])


def _along(atoms: Atoms) -> Atoms:
    """Return a molecule with its longest axis to the right and its shortest towards the eye."""
    centred = atoms.positions - atoms.positions.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=True)
    largest = np.abs(axes).argmax(1)
    axes[:2] *= np.sign(axes[:2][[0, 1], largest[:2]])[:, None]
    axes[2] = np.cross(axes[0], axes[1])
    return Atoms(atoms.numbers, centred @ axes.T)


def _dot(label: str, colour: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", markersize=6, color=colour, markeredgecolor="black", label=label)
