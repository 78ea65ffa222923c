"""Relaxed crystals of models and of the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.style import MILLI, drawable

NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Crystal:
    """A relaxed crystal.

    Attributes:
        name: name, such as "Ni-FCC (32)".
        bond: shortest distance, Å; NaN if the relaxation failed.
        energy: energy, eV/atom.
        note: remark, such as "turned into fcc".
    """

    name: str
    bond: float
    energy: float
    note: str = ""


def relax_table(oracle: Sequence[Crystal], models: Mapping[str, Sequence[Crystal]]) -> Table:
    """Return a table of bond lengths and energies per atom: Tables S6 and S7 of the data-distillation supplement.

    Arguments:
        oracle: crystals relaxed by the oracle.
        models: name of the model -> the same crystals in the same order.

    Raises:
        ValueError: a model has other crystals.
    """
    names = [crystal.name for crystal in oracle]
    order = _order(oracle)
    rows: list[list[Any]] = [["oracle", *(_cell(c, o) for c, o in zip(oracle, order, strict=True)), None, None, None]]
    for model, crystals in models.items():
        if [crystal.name for crystal in crystals] != names:
            found = [crystal.name for crystal in crystals]
            raise ValueError(f"relax_table: {model} has {found}, expected the oracle's {names}, in this order")
        ours = _order(crystals)
        cells = [_cell(c, o, truth) for c, o, truth in zip(crystals, ours, oracle, strict=True)]
        bonds = np.array([c.bond - truth.bond for c, truth in zip(crystals, oracle, strict=True)])
        energies = np.array([c.energy - truth.energy for c, truth in zip(crystals, oracle, strict=True)])
        whole = len(names) > 0 and bool(np.isfinite([*bonds, *energies]).all())
        right = Cell(ours == order, tone="good" if ours == order else "bad") if whole else Cell(None)
        rows.append(
            [
                model,
                *cells,
                Cell(float(np.abs(bonds).sum()) if whole else None, decimals=3),
                Cell(float(MILLI * np.ptp(energies)) if whole else None, decimals=1),
                right,
            ]
        )
    return Table(
        caption="Relaxed crystals: shortest bond (Å) and energy (eV/atom), errors from the oracle in parentheses; "
        "the spread is the largest minus the smallest error of the energy.",
        header=["", *names, "sum of |bond errors| (Å)", "spread of energy errors (meV/atom)", "right order"],
        rows=rows,
    )


def _order(crystals: Sequence[Crystal]) -> list[str]:
    """Return the rank of each crystal's energy: lowest, highest or "2 of 4"; empty if unknown."""
    known = drawable([crystal.energy for crystal in crystals])
    said = []
    for crystal in crystals:
        if not np.isfinite(crystal.energy) or len(known) < 2:
            said.append("")
        else:
            rank = int((known < crystal.energy).sum())
            said.append(
                "lowest" if rank == 0 else "highest" if rank == len(known) - 1 else f"{rank + 1} of {len(known)}"
            )
    return said


def _cell(crystal: Crystal, order: str, truth: Crystal | None = None) -> Cell:
    if not np.isfinite([crystal.bond, crystal.energy]).all():
        return Cell(crystal.note or "did not relax", tone="bad")
    notes = [order]
    if truth is not None and np.isfinite([truth.bond, truth.energy]).all():
        errors = (f"{crystal.bond - truth.bond:+.3f} Å", f"{MILLI * (crystal.energy - truth.energy):+.1f} meV")
        notes.append(f"({', '.join(errors)})".replace("-", "−"))
    notes = [note.replace(" ", NO_BREAK) for note in notes]
    notes.append(crystal.note)
    text = f"{crystal.bond:.3f} Å, {crystal.energy:.4f} eV".replace("-", "−")
    return Cell(text, " ".join(filter(None, notes)), "warning" if crystal.note else "plain")
