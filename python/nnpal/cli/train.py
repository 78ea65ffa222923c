"""`nnpal train` and `nnpal export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnpal.cli.errors import in_words

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.data.check import Finding
    from nnpal.evaluation.gate import GateReport
    from nnpal.training import TrainedEnsemble


def train(
    config: Annotated[
        Path, typer.Argument(help="Configuration file (TOML) with a table [data]; all other tables have defaults.")
    ],
    output: Annotated[Path | None, typer.Option(help="Training folder. Overrides ensemble.folder.")] = None,
) -> None:
    """Train an ensemble. Repeat the same command to resume an interrupted training from its checkpoints."""
    from rich.console import Console

    from nnpal.cli.document import needed, read_config
    from nnpal.data.settings import load
    from nnpal.training import train_ensemble
    from nnpal.training.curves import save_curves
    from nnpal.training.progress import TrainingProgress
    from nnpal.training.standing import Observer

    console = Console()
    try:
        document = read_config(config)
        base = config.resolve().parent
        ensemble, training = document.ensemble.located(base), document.training.located(base)
        folder = output or Path(ensemble.folder)
        frames = load(needed(document.data, "data", config), base, lambda found: _warn(found, console))
        console.print(f"{len(frames)} configurations; training in {folder}", soft_wrap=True)
        with TrainingProgress(console, Observer(folder)) as progress:
            trained = train_ensemble(
                frames,
                folder,
                network=document.network,
                loss=document.loss,
                training=training,
                ensemble=ensemble,
                on_features=progress.on_features,
            )
        files = save_curves(folder, trained.members)
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal train: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo("nnpal train: stopped; repeat the same command to resume from the last checkpoints", err=True)
        raise typer.Exit(130) from error
    _print(trained, console)
    console.print(f"Learning curves in {files[1]}; next: nnpal export {folder}", soft_wrap=True)
    if trained.result.failed:
        raise typer.Exit(1)


def export(
    folder: Annotated[Path, typer.Argument(help="Training folder of `nnpal train`.")],
    output: Annotated[Path | None, typer.Option(help="Model file to write. Default: FOLDER/model.nnp.pt.")] = None,
    members: Annotated[str, typer.Option(help="Members to export: all, best, or numbers such as 0,2,3.")] = "all",
    dtype: Annotated[str, typer.Option(help="Floating-point type of the model file: float32 or float64.")] = "float32",
    gate: Annotated[
        bool,
        typer.Option(help="Compare LAMMPS, Python and finite differences; keep the model file only if they agree."),
    ] = True,
) -> None:
    """Export a trained ensemble to a model file. The file is kept only if LAMMPS and Python agree on it."""
    from rich.console import Console

    from nnpal.training import load_ensemble
    from nnpal.training.release import release

    try:
        ensemble = load_ensemble(folder)
        target = output or folder / "model.nnp.pt"
        report = release(ensemble, target, members=members, dtype=dtype, gate=gate)
    except (ValueError, OSError, RuntimeError) as error:
        typer.echo(f"nnpal export: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    console = Console()
    if report is not None:
        _print_gate(report, console)
    console.print(f"Wrote {target}", soft_wrap=True)


def _warn(findings: list[Finding], console: Console) -> None:
    console.print(f"{len(findings)} warnings about the data; run nnpal data check to list all of them:", soft_wrap=True)
    for finding in findings[:3]:
        console.print(f"  {finding}", markup=False, soft_wrap=True)


def _print_gate(report: GateReport, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("quantity")
    for name in ("difference", "tolerance", "unit"):
        table.add_column(name, justify="right")
    for check in report.worst():
        table.add_row(check.name, f"{check.difference:.2g}", f"{check.tolerance:.2g}", check.unit)
    console.print(table)


def _print(trained: TrainedEnsemble, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = ("member", "epochs", "best epoch", "loss, eV²", "energy MAE, meV/atom", "force MAE, meV/Å")
    for name in columns:
        table.add_column(name, justify="right")
    for member in trained.members:
        best = member.history[member.best_epoch]
        mark = "*" if member.number == trained.result.best_member else " "
        table.add_row(
            f"{member.number}{mark}",
            str(len(member.history)),
            str(member.best_epoch),
            f"{best.validation_loss:.4g}",
            f"{1e3 * best.validation_energy_mae:.2f}",
            f"{1e3 * best.validation_force_mae:.1f}",
        )
    console.print(table)
    console.print(
        "Values on the validation set of each member at its best epoch; * marks the best member.", soft_wrap=True
    )
    _print_calibration(trained, console)
    for number, reason in trained.result.failed.items():
        console.print(f"member {number} failed: {reason}", style="red", markup=False, soft_wrap=True)


def _print_calibration(trained: TrainedEnsemble, console: Console) -> None:
    from nnpal.calibration.summary import sentences

    if trained.calibration is None:
        console.print(f"No calibration of errors: {trained.uncalibrated}", markup=False, soft_wrap=True)
        return
    for sentence in sentences(trained.calibration):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
