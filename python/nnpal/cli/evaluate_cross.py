"""`nnpal evaluate --cross`: every model on every dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nnpal.cli.names import name_and_place

if TYPE_CHECKING:
    from ase import Atoms
    from rich.table import Table

    from nnpal.evaluation.cross import CrossErrors


LEAST_WIDTH = 80
"""Smallest width of the table, characters; numbers would be truncated in a narrower one."""


def evaluate_cross(
    models: Sequence[Path], data: Sequence[str], output: Path, units: str | None, device: str | None, json: bool
) -> None:
    """Evaluate models on datasets and print their errors.

    Arguments:
        models: model files, or NAME=FILE.
        data: dataset files, or NAME=FILE.

    Raises:
        ValueError, OSError: a model or dataset cannot be evaluated.
    """
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from nnpal.data import Units, read_frames
    from nnpal.evaluation.cross import cross_evaluate
    from nnpal.runtime.places import require_folder

    files = named("MODEL", [str(path) for path in models])
    places = named("--data", data)
    if not files or not places:
        raise ValueError(
            "--cross: expected model files, and datasets with --data: --cross MODEL MODEL --data SET --data SET"
        )
    require_folder("--output", output)
    stated = Units.parse(units) if units else None
    sets: dict[str, list[Atoms]] = {name: list(read_frames(path, units=stated)) for name, path in places.items()}
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("configurations", total=len(files) * sum(map(len, sets.values())))
        summary = cross_evaluate(
            files, sets, output, device=device or "cpu", on_batch=lambda n: progress.advance(bar, n)
        )
    if json:
        typer.echo(dumps(summary, indent=1))
        return
    console = Console()
    console.width = max(console.width, LEAST_WIDTH)
    console.print(_table(summary["errors"]), highlight=False, markup=False)
    console.print("* training and validation data of this model", highlight=False, markup=False)
    console.print(f"Results are in {output}.")


def named(option: str, given: Sequence[str]) -> dict[str, Path]:
    """Return files by name: the name given as NAME=FILE, otherwise the file name without its suffixes.

    Raises:
        ValueError: two files have the same name.
    """
    found: dict[str, Path] = {}
    for text in given:
        given_name, path = name_and_place(text)
        name = Path(text).name.partition(".")[0] if given_name is None else given_name
        if not name or not path:
            raise ValueError(f"{option} {text}: expected a file, or NAME=FILE")
        if name in found:
            raise ValueError(
                f"{option}: {found[name]} and {path} are both named {name}; give different names, such as NAME={path}"
            )
        found[name] = Path(path)
    return found


def _table(errors: Sequence[CrossErrors]) -> Table:
    """Return one row per pair; one column per dataset would not fit in a terminal. Names wrap, numbers do not."""
    from rich.table import Table

    table = Table(title="Errors (meV/atom, meV/Å)", title_justify="left")
    for number, head in enumerate(["model", "dataset", "energy\nMAE", "energy\nmean", "force\nMAE", "force\nRMSE"]):
        if number < 2:
            table.add_column(head, overflow="fold")
        else:
            table.add_column(head, justify="right", no_wrap=True)
    before = None
    for one in errors:
        if before is not None and before != one["model"]:
            table.add_section()
        before = one["model"]
        table.add_row(
            one["model"],
            f"{one['data']}{' *' if one['own'] else ''}",
            f"{one['energy_mae']:.2f}",
            f"{one['energy_mean']:+.2f}",
            f"{one['force_mae']:.1f}",
            f"{one['force_rmse']:.1f}",
        )
    return table
