"""`nnpal run` and `nnpal status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnpal.cli.errors import in_words
from nnpal.runtime.caution import cautions_to_stderr


def run(
    config: Annotated[
        Path,
        typer.Argument(help="Configuration file (TOML) with a table [rare_events], [distillation] or [translation]."),
    ],
    redo: Annotated[
        bool,
        typer.Option("--redo", help="Recompute the stages that a change of the configuration or code has made stale."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the finished stages although the configuration or code has changed.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Check the configuration and print the plan, without running or writing anything."
        ),
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Stop after this stage of the current iteration: initial, train, explore, ...")
    ] = None,
) -> None:
    """Run or resume an active-learning workflow. Repeat the same command to resume, whatever ended the run."""
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
                console.print("All checks passed; nothing was run.", markup=False)
                return
            outcome = run_file(
                config,
                redo=redo,
                keep=keep,
                only=only,
                log=lambda text: console.print(text, markup=False),
                watch=shown_on(console),
            )
    except KeyboardInterrupt as error:  # before the run starts, which handles signals itself
        raise typer.Exit(130) from error
    except (LoopError, ValueError, OSError) as error:
        typer.echo(f"nnpal run: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if outcome.state != "finished":  # that is in the run's log, which is printed too
        console.print(f"{outcome.state}: {outcome.reason}", markup=False)
    if outcome.command is not None:
        console.print(f"to resume: {outcome.command}", markup=False)
    raise typer.Exit(outcome.exit_code)


def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a run (`nnpal run`), or training folder of `nnpal train`.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the progress of a run or a training. Members in training have one line each."""
    from json import dumps

    from nnpal.active_learning.engine.error import LoopError
    from nnpal.active_learning.shared.status import status as status_of

    try:
        found = status_of(folder)
    except (LoopError, ValueError, OSError) as error:
        typer.echo(f"nnpal status: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    typer.echo(dumps(found.as_dict(), indent=2) if json else found.as_text())
