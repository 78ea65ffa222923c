"""Numbers of configurations selected on grids of the order parameter."""

from __future__ import annotations

from collections.abc import Sequence

from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.style import same_length


def grid_table(spacings: Sequence[float], selected: Sequence[int], deleted: Sequence[int]) -> Table:
    """Return a table of what each grid selects and deletes: Table S3 of the data-distillation supplement.

    Arguments:
        spacings: ΔO, dimensionless, [n].
        selected, deleted: numbers of configurations available to the grid that it selects and deletes, [n].

    Raises:
        ValueError: lengths differ.
    """
    same_length("grid_table", spacings=spacings, selected=selected, deleted=deleted)
    rows = []
    for spacing, kept, dropped in zip(spacings, selected, deleted, strict=True):
        total = int(kept) + int(dropped)
        rows.append(
            [f"{spacing:g}", int(kept), int(dropped), total, Cell(100.0 * kept / total if total else None, decimals=1)]
        )
    return Table(
        caption="Selection on grids of spacing ΔO: configurations selected and not selected, of those available.",
        header=["ΔO", "selected", "deleted", "total", "selected (%)"],
        rows=rows,
    )
