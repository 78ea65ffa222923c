"""`nnpal label`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from nnpal.cli.errors import in_words
from nnpal.runtime.caution import cautions_to_stderr

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.label.batch import Batch


def label(
    config: Annotated[
        Path,
        typer.Argument(help="Configuration file (TOML) with tables [oracle], [label] and, optionally, [augmentation]."),
    ],
    output: Annotated[Path | None, typer.Option(help="Dataset to write. Overrides label.output.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of worker processes. Overrides label.workers.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Repeat calculations that failed earlier.")
    ] = False,
) -> None:
    """Compute reference energies and forces of structures. Labels computed earlier are taken from the label store."""
    with cautions_to_stderr("nnpal label"):
        _label(config, output, workers, retry_failed)


def _label(config: Path, output: Path | None, workers: int | None, retry_failed: bool) -> None:
    from rich.console import Console

    from nnpal.cli.document import needed, read_config
    from nnpal.label.batch import run_batch
    from nnpal.label.progress import LabelProgress
    from nnpal.oracle.settings import oracle_from

    console = Console()
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        document = read_config(config)
        section = needed(document.label, "label", config)
        changes = {"output": output and output.resolve(), "workers": workers, "retry_failed": retry_failed or None}
        section = section.model_copy(update={key: value for key, value in changes.items() if value is not None})
        base = config.resolve().parent
        oracle = oracle_from(needed(document.oracle, "oracle", config), base)
        frames = section.read(base)
        if document.augmentation is not None:
            frames = document.augmentation.apply(frames)
        with LabelProgress(Console(stderr=True)) as progress:
            batch = run_batch(frames, oracle, section, base, progress.update)
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal label: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo(
            "nnpal label: stopped; finished labels are in the store; repeat the same command to resume", err=True
        )
        raise typer.Exit(130) from error
    finally:
        signal.signal(signal.SIGTERM, before)
    _tell(batch, len(frames), console)
    if batch.output is None:
        raise typer.Exit(1)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _tell(batch: Batch, n_frames: int, console: Console) -> None:
    report = batch.report
    n_kept = len(report.labeled) - len(batch.put_aside)
    lines = [
        f"{n_kept} of {n_frames} configurations labeled: {report.from_store} from the store, "
        f"{report.calculations} calculations, {len(report.failed)} failed, {len(batch.put_aside)} outside limits"
    ]
    higher = {rung: n for rung, n in report.rungs.items() if rung > 0}
    if higher:
        counts = ", ".join(f"{n} with oracle.ladder[{rung - 1}]" for rung, n in sorted(higher.items()))
        lines.append(f"Fallback settings were needed for some: {counts}; the dataset records this as their source")
    if batch.failures is not None:
        first = (report.failed or batch.put_aside)[0]
        lines.append(f"First one without a label: configuration {first.index}: {first.reason}")
        lines.append(f"All configurations without a label, with reasons: {batch.failures}")
    n_unanswered = sum(failure.unfinished for failure in report.failed)
    if n_unanswered:
        lines.append(
            f"{n_unanswered} have no result because workers were killed; repeat the same command to compute them"
        )
    if len(report.failed) > n_unanswered:
        lines.append(
            "Failed calculations are not repeated. To try them again, run nnpal label --retry-failed, or add fallback "
            "settings to oracle.ladder"
        )
    if batch.output is not None:
        lines.append(f"Wrote {batch.output} (content {batch.content_hash[:16]})")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
