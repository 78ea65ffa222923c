"""Pictures of structures on a grid."""

from __future__ import annotations

import itertools
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

from nnpal.figures.figure import Figure
from nnpal.figures.style import COLUMN, RED, say_empty

COLUMNS = 3
MOST = 12
WIDTH = 1.2
"""Width of a picture if there are more than :data:`COLUMNS` columns, inches."""
MARGIN = 2.4
"""Margin around the outermost atoms, Å."""
LINE_HEIGHT = 0.21
"""Line height of a label, inches."""
CELL_TURNS = ((-75.0, "x"), (15.0, "y"))
"""Rotations (degrees, axis) that show a cell from the side and slightly from above."""
RADII_OF_CELLS = 0.6
"""Atomic radii in units of covalent radii, so that inner atoms are visible."""


@dataclass(frozen=True)
class Snapshot:
    """A structure to draw.

    Attributes:
        atoms: the structure.
        label: text below it, one or more lines.
        marked: indices of atoms drawn in red, such as those above the threshold.
    """

    atoms: Atoms
    label: str
    marked: Sequence[int] = ()


def structures(
    snapshots: Sequence[Snapshot],
    *,
    name: str = "structures",
    most: int = MOST,
    marked: str = "marked",
    columns: int = COLUMNS,
    title: str = "Structures chosen",
    caption: str = "Structures selected for labeling",
) -> Figure:
    """Return pictures of structures: molecules along their longest axis, periodic ones with their cell.

    Arguments:
        snapshots: structures; if there are more than ``most``, evenly spaced ones are drawn.
        name: file name without suffix.
        most: largest number of pictures.
        marked: name of marked atoms in the legend.
        columns: number of pictures in a row.
        title, caption: title and caption of the figure.
    """
    places = np.unique(np.linspace(0, max(0, len(snapshots) - 1), min(most, len(snapshots))).round().astype(int))
    shown = [snapshots[k] for k in places] if len(snapshots) else []
    symbols = list(dict.fromkeys(symbol for snapshot in shown for symbol in snapshot.atoms.get_chemical_symbols()))
    rows, used = max(1, -(-len(shown) // columns)), min(columns, max(1, len(shown)))
    pictures = [_turned(snapshot.atoms) for snapshot in shown]
    spans = [_span(picture) for picture in pictures if _can_be_drawn(picture)]
    width, height = np.max(spans, axis=0) + MARGIN if spans else (1.0, 1.0)

    total = COLUMN if columns <= COLUMNS else WIDTH * columns
    n_lines = max([2, *(1 + snapshot.label.count("\n") for snapshot in shown)])

    def draw(*panels: Axes) -> None:
        if not shown:
            say_empty(panels[0], "no structure was selected")
        for axes in panels[len(shown) :] if shown else panels[1:]:
            axes.set_axis_off()
        for axes, snapshot, picture in zip(panels, shown, pictures, strict=False):
            _draw(axes, snapshot, picture)
            middle = [float(np.mean(limits)) for limits in (axes.get_xlim(), axes.get_ylim())]
            if _can_be_drawn(picture):  # all have the same scale
                axes.set_xlim(middle[0] - width / 2, middle[0] + width / 2)
                axes.set_ylim(middle[1] - height / 2, middle[1] + height / 2)
        handles = [_dot(symbol, to_hex(jmol_colors[atomic_numbers[symbol]])) for symbol in symbols]
        if any(snapshot.marked for snapshot in shown):
            handles.append(_dot(marked, RED))
        if handles:
            panels[0].figure.legend(handles=handles, loc="outside lower center", ncols=6)

    numbers: dict[str, list[float | int | str]] = {
        h: [] for h in ("structure", "label", "symbol", "x", "y", "z", "marked")
    }
    for number, snapshot in enumerate(shown):
        atoms = snapshot.atoms
        numbers["structure"] += [number] * len(atoms)
        numbers["label"] += [snapshot.label.replace("\n", " ")] * len(atoms)
        numbers["symbol"] += atoms.get_chemical_symbols()
        for axis, values in zip("xyz", atoms.get_positions().T.tolist(), strict=True):
            numbers[axis] += values
        numbers["marked"] += np.isin(np.arange(len(atoms)), list(snapshot.marked)).astype(int).tolist()
    part = f" {len(shown)} of {len(snapshots)} are drawn." if len(shown) < len(snapshots) else ""
    return Figure(
        name=name,
        title=title,
        caption=f"{caption} (positions in Å in the CSV file).{part}",
        alt="; ".join(snapshot.label.replace("\n", ", ") for snapshot in shown) or "No structure was selected",
        columns=numbers,
        draw=draw,
        grid=(rows, used),
        size=(
            total,
            rows * (min(total / used * height / width, 1.5 * total / used) + n_lines * LINE_HEIGHT) + 0.4,
        ),
    )


def _can_be_drawn(atoms: Atoms) -> bool:
    return len(atoms) > 0 and bool(np.isfinite(atoms.positions).all())


def _span(picture: Atoms) -> np.ndarray:
    """Return width and height of the atoms, including the cell if periodic, Å."""
    points = picture.positions
    if picture.pbc.any():
        corners = np.array(list(itertools.product((0, 1), repeat=3))) @ picture.cell.array
        points = np.vstack((points, corners))
    return np.ptp(points[:, :2], axis=0)


def _draw(axes: Axes, snapshot: Snapshot, picture: Atoms) -> None:
    axes.set_xlabel(snapshot.label, fontsize=8)
    if not _can_be_drawn(picture):
        say_empty(axes, "positions are\nnot finite" if len(picture) else "no atoms")
    else:
        colors = jmol_colors[picture.numbers].copy()
        colors[list(snapshot.marked)] = to_rgb(RED)
        periodic = picture.pbc.any()
        radii = RADII_OF_CELLS if periodic else None
        plot_atoms(picture, axes, show_unit_cell=2 if periodic else 0, colors=colors, radii=radii)
        axes.set_axis_on()  # for the label
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set(xticks=[], yticks=[])


def _turned(atoms: Atoms) -> Atoms:
    """Rotate a molecule (longest axis to the right, shortest toward the viewer) or a cell (oblique view)."""
    picture = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if not _can_be_drawn(atoms):
        return picture
    if atoms.pbc.any():
        for angle, axis in CELL_TURNS:
            picture.rotate(angle, axis, rotate_cell=True)
        return picture
    centered = atoms.positions - atoms.positions.mean(0)
    _, _, axes = np.linalg.svd(centered, full_matrices=True)
    largest = np.abs(axes).argmax(1)
    axes[:2] *= np.sign(axes[:2][[0, 1], largest[:2]])[:, None]
    axes[2] = np.cross(axes[0], axes[1])
    picture.positions = centered @ axes.T
    return picture


def _dot(label: str, color: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", markersize=6, color=color, markeredgecolor="black", label=label)
