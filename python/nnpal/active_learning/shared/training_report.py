"""Training of the members in the last iteration: learning curves, and the epoch of the weights that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.report import Section, Table
from nnpal.active_learning.report.table import Cell
from nnpal.active_learning.shared.report_page import figures, section
from nnpal.active_learning.shared.train_ensemble import ENSEMBLE
from nnpal.figures.style import MILLI
from nnpal.training import TrainedMember, load_ensemble
from nnpal.training.curves import learning_curves


def training_section(ctx: StageContext) -> Section:
    """Return the section on the training of members in the last iteration.

    Arguments:
        ctx: context of the stage.

    Raises:
        nnpal.training.TrainingFolderError: files of the training folder are missing.
    """
    ensemble = load_ensemble(ctx.path(ctx.iteration, "train", ENSEMBLE))
    drawn = figures(ctx, [learning_curves(ensemble.members)])
    return section(
        "Training of the members", members_table(ensemble.members, ensemble.best.number, ensemble.result.failed), drawn
    )


def members_table(members: Sequence[TrainedMember], best: int, failed: Mapping[int, str]) -> Table:
    """Return a table with a row for each member: epochs, and errors at the epoch that is kept.

    Arguments:
        members: members that finished.
        best: number of the best member.
        failed: member -> reason why it did not finish.
    """
    header = ["member", "epochs", "epoch kept", "validation loss (eV²)"]
    header += [f"{part} {what}" for what in ("energy MAE (meV/atom)", "force MAE (meV/Å)")
               for part in ("training", "validation")]  # fmt: skip
    rows: list[list[object]] = []
    for member in members:
        kept = member.history[member.best_epoch]
        errors = [
            (kept.train_energy_mae, 2),
            (kept.validation_energy_mae, 2),
            (kept.train_force_mae, 1),
            (kept.validation_force_mae, 1),
        ]
        name = Cell(str(member.number), "best", "good") if member.number == best else Cell(str(member.number))
        cells = [Cell(MILLI * value, decimals=decimals) for value, decimals in errors]
        rows.append([name, len(member.history), member.best_epoch + 1, kept.validation_loss, *cells])
    rows += [[Cell(str(number), reason, "bad"), *[None] * (len(header) - 1)] for number, reason in failed.items()]
    return Table(
        caption="Members of the last iteration. Errors are those of the epoch whose weights are kept, on each member's "
        "own training and validation data; training errors are averages over the epoch, before each update.",
        header=header,
        rows=rows,
    )
