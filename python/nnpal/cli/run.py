"""`nnpal run` and `nnpal status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words
from nnpal.runtime.caution import cautions_to_stderr


def run(
    config: Annotated[Path, typer.Argument(help="TOML file with [rare_events], [distillation] or [translation].")],
    redo: Annotated[bool, typer.Option("--redo", help="Do again what a change has made stale.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep finished stages in spite of a change.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Check everything that can be checked now, print the plan, run nothing.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Stop after this stage of the iteration: initial, train, explore, ...")
    ] = None,
) -> None:
    """Carry out a loop of active learning; the same command goes on, whatever ended it."""
    from rich.console import Console

    from nnpal.active_learning.engine.error import LoopError
    from nnpal.active_learning.run import check as check_file
    from nnpal.active_learning.run import run as run_file
    from nnpal.active_learning.shared.train_progress import shown_on

    console = Console(soft_wrap=True, highlight=False)
    try:
        with cautions_to_stderr("nnpal run"):
            if check:
                console.print(check_file(config).as_text(), markup=False)
                console.print("all checks passed; nothing was run", markup=False)
                return
            outcome = run_file(
                config,
                redo=redo,
                keep=keep,
                only=only,
                log=lambda text: console.print(text, markup=False),
                watch=shown_on(console),
            )
    except KeyboardInterrupt as error:  # before the run begins, which answers signals itself
        raise typer.Exit(130) from error
    except (LoopError, ValueError, OSError) as error:
        typer.echo(f"nnpal run: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    console.print(f"{outcome.state}: {outcome.reason}", markup=False)
    if outcome.command is not None:
        console.print(f"to go on: {outcome.command}", markup=False)
    raise typer.Exit(outcome.exit_code)


def status(
    folder: Annotated[Path, typer.Argument(help="A run's folder, or the training folder of nnpal train.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say where a run or a training stands, with a line for each member that is trained."""
    from json import dumps

    from nnpal.active_learning.engine.error import LoopError
    from nnpal.active_learning.shared.status import status as status_of

    try:
        found = status_of(folder)
    except (LoopError, ValueError, OSError) as error:
        typer.echo(f"nnpal status: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    typer.echo(dumps(found.as_dict(), indent=2) if json else found.as_text())
