"""Figures of pulls: work functions, and free energies by Jarzynski's equality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure
from nnpal.figures.style import CYCLE, ENERGY, LENGTH, TIME, column_name, say_empty
from nnpal.smd.protocols import Protocol

MOST_POINTS = 401
"""Number of points of a pull that is drawn individually."""
MOST_PULLS = 20
"""Largest number of pulls of one protocol that are drawn individually; for more, only the band is drawn."""
REFERENCE = "reference"
Named = Sequence[tuple[str, str, Protocol]]
"""Name, color and pulls of each protocol."""


def work_functions(groups: Sequence[Protocol], units: str, reference: Sequence[Protocol] = ()) -> Figure:
    """Return a figure of W(λ): mean over the pulls of each protocol, a band of ± one standard deviation, and each pull.

    Arguments:
        groups: protocols of the pulls.
        units: LAMMPS unit style.
        reference: protocols of the pulls to compare with, drawn dashed.
    """
    energy, length = ENERGY[units], LENGTH[units]
    named = _named(groups, units, reference)
    rows = _rows_of_works(named)

    def draw(axes: Axes) -> None:
        for name, color, group in named:
            if len(group.pulls) > 1 and (len(group.pulls) <= MOST_PULLS or group.work is None):
                for target, work in _each(group):
                    axes.plot(target, work, color=color, linewidth=0.4, alpha=0.5)
            if group.work is not None:
                _draw_band(axes, name, color, group.work.target, group.work.mean, group.work.deviation)
            else:
                axes.plot([], [], color=color, linewidth=0.8, label=name)
        axes.set(xlabel=f"spring position λ ({length})", ylabel=f"work W ({energy})")
        axes.legend()

    ends = [f"{name}: {group.work.mean[-1]:.3g} {energy}" for name, _, group in named if group.work is not None]
    return Figure(
        name="work_functions",
        title="Work functions",
        caption=f"Work ({energy}) against the position of the spring ({length}). Thick: mean over the pulls of each "
        "rate; band: ± one standard deviation over pulls; thin: each pull.",
        alt=f"Mean work at the end: {'; '.join(ends)}" if ends else "Pulls without a mean",
        columns={
            "curve": [row[0] for row in rows],
            f"lambda_{column_name(length)}": [row[1] for row in rows],
            f"work_{column_name(energy)}": [row[2] for row in rows],
            f"standard_deviation_{column_name(energy)}": [row[3] for row in rows],
        },
        draw=draw,
    )


def free_energies(groups: Sequence[Protocol], units: str, reference: Sequence[Protocol] = ()) -> Figure:
    """Return a figure of ΔF(λ) by Jarzynski's equality, a band of ± one standard error, and the second cumulant.

    Arguments: see :func:`work_functions`.
    """
    energy, length = ENERGY[units], LENGTH[units]
    known = [
        (name, color, *group.free_energy)
        for name, color, group in _named(groups, units, reference)
        if group.free_energy is not None
    ]

    def draw(axes: Axes) -> None:
        if not known:
            say_empty(axes, "two pulls of one rate\nare needed")
            return
        for name, color, at, free in known:
            _draw_band(axes, name, color, at, free.value, free.error)
            axes.plot(at, free.cumulant, ":", color=color, linewidth=0.8)
        axes.plot([], [], ":", color="0.3", linewidth=0.8, label="second cumulant")
        axes.set(xlabel=f"spring position λ ({length})", ylabel=f"free energy ΔF ({energy})")
        axes.legend()

    def joined(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([*values, np.empty(0)])

    unit = column_name(energy)
    ends = [f"{name}: {free.value[-1]:.3g} ± {free.error[-1]:.2g} {energy}" for name, _, _, free in known]
    return Figure(
        name="free_energy",
        title="Free energy along the pull",
        caption=f"Free energy ({energy}) of the system with its spring at λ ({length}) by Jarzynski's equality; band: "
        "± one standard error over pulls (jackknife); dotted: second cumulant.",
        alt=f"ΔF at the end: {'; '.join(ends)}" if ends else "No two pulls of one rate",
        columns={
            "curve": np.repeat([name for name, *_ in known], [len(at) for _, _, at, _ in known]),
            f"lambda_{column_name(length)}": joined([at for _, _, at, _ in known]),
            f"free_energy_{unit}": joined([free.value for *_, free in known]),
            f"standard_error_{unit}": joined([free.error for *_, free in known]),
            f"bias_{unit}": joined([free.bias for *_, free in known]),
            f"second_cumulant_{unit}": joined([free.cumulant for *_, free in known]),
            "effective_pulls": joined([free.n_effective for *_, free in known]),
        },
        draw=draw,
    )


def _draw_band(axes: Axes, name: str, color: str, at: np.ndarray, value: np.ndarray, band: np.ndarray) -> None:
    """Draw a curve with a band around it, dashed for pulls to compare with."""
    axes.plot(at, value, "--" if name.startswith(REFERENCE) else "-", color=color, label=name)
    axes.fill_between(at, value - band, value + band, color=color, alpha=0.2, linewidth=0)


def _named(groups: Sequence[Protocol], units: str, reference: Sequence[Protocol]) -> Named:
    found = [(_name(group, units), CYCLE[k % len(CYCLE)], group) for k, group in enumerate(groups)]
    return found + [(f"{REFERENCE}, {_name(group, units)}", "black", group) for group in reference]


def _name(group: Protocol, units: str) -> str:
    n = len(group.pulls)
    pulls = f"{n} pull{'s' if n > 1 else ''}"
    time = {"metal": "ps", "real": "fs"}.get(units, TIME[units][1])
    return pulls if group.rate is None else f"{group.rate:g} {LENGTH[units]}/{time}, {pulls}"


def _each(group: Protocol) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return λ and W of each pull, on the grid of the mean if there is one, otherwise thinned records."""
    if group.work is not None:
        return [(group.work.target, work) for work in group.work.works]
    found = []
    for pull in group.pulls:
        rows = np.linspace(0, len(pull.work) - 1, min(len(pull.work), MOST_POINTS)).round().astype(np.int64)
        found.append((pull.target[rows], pull.work[rows]))
    return found


def _rows_of_works(named: Named) -> list[tuple[str, float, float, float]]:
    rows: list[tuple[str, float, float, float]] = []
    for name, _, group in named:
        for pull, (target, work) in zip(group.pulls, _each(group), strict=True):
            curve = Path(pull.name).name
            rows += [(curve, at, to, float("nan")) for at, to in zip(target.tolist(), work.tolist(), strict=True)]
        if group.work is not None:
            columns = (group.work.target, group.work.mean, group.work.deviation)
            rows += [
                (f"mean, {name}", at, to, band)
                for at, to, band in zip(*(column.tolist() for column in columns), strict=True)
            ]
    return rows
