"""The comparison of the networks of [also_train] with those used for sampling, for a report."""

from __future__ import annotations

from collections.abc import Sequence

from nnpal.active_learning.report import Section, Table
from nnpal.active_learning.report.table import Cell
from nnpal.active_learning.shared.facts import Errors, TrainFacts
from nnpal.active_learning.shared.report_page import section
from nnpal.figures.style import MILLI
from nnpal.observables import Difference

NAMES = {"ani": "ANI", "schnet": "SchNet"}


def name_of(kind: str) -> str:
    """Return the common name of a kind of network."""
    return NAMES.get(kind, kind)


def second_name(kind: str, of_second: str) -> str:
    """Return a name for the networks of [also_train] that differs from that of [network], even for the same kind."""
    return f"second {name_of(of_second)}" if kind == of_second else name_of(of_second)


def second_sections(
    trainings: Sequence[TrainFacts],
    unseen: Sequence[Errors | None] = (),
    activation_energies: Sequence[float | None] = (),
    differences: Sequence[Difference | None] = (),
) -> list[Section]:
    """Return a section with a table of both ensembles by iteration; none without a second ensemble.

    Arguments:
        trainings: facts of the training in each iteration.
        unseen: errors of all members of [network] on held-out data, by iteration; empty without such data.
        activation_energies: activation energy under the second ensemble, eV, by iteration; None: not available. Empty:
            no pulls.
        differences: differences from the oracle's over pairs of pulls, kcal/mol, by iteration; None: unknown. Empty: no
            reference.
    """
    rows: list[list[object]] = []
    for iteration, train in enumerate(trainings):
        if train.second is None:
            continue
        row = [iteration, *_errors(train.validation_errors), *_errors(train.second.validation)]
        if unseen:
            row += [*_errors(unseen[iteration]), *_errors(train.second.unseen)]
        if activation_energies:
            found = differences[iteration] if differences else None
            row += [Cell(activation_energies[iteration], decimals=3), _error(found)]
        rows.append(row)
    last = trainings[-1]
    if not rows or last.second is None:
        return []
    own, other = name_of(last.kind), second_name(last.kind, last.second.kind)
    parts = ("validation", "unseen") if unseen else ("validation",)
    header = ["iteration"]
    header += [f"{who} {part}, {what}" for part in parts for who in (own, other) for what in _QUANTITIES]
    if activation_energies:
        header += [f"{other} E_a (eV)", "E_a - oracle (kcal/mol)"]
    caption = (
        f"{last.second.members} {other} networks ([also_train]), trained on the same data as the {own} networks of "
        "[network]. Mean absolute errors of the best member on its validation data"
        f"{', and of all members on data that no model was trained on' if unseen else ''}."
    )
    failed = "; ".join(f"member {number} failed: {why}" for number, why in last.second.failed_members.items())
    return [
        section(
            f"{other} on the same data", Table(caption=caption, header=header, rows=rows), *([failed] if failed else [])
        )
    ]


_QUANTITIES = ("energy (meV/atom)", "force (meV/Å)")


def _error(found: Difference | None) -> Cell:
    if found is None:
        return Cell(None)
    interval = found.interval()
    note = "" if interval is None else f"95 %: {interval[0]:+.2f} to {interval[1]:+.2f}".replace("-", "−")
    return Cell(found.mean, note, decimals=2)


def _errors(errors: Errors | None) -> list[Cell]:
    if errors is None:
        return [Cell(None), Cell(None)]
    return [Cell(MILLI * errors.energy_mae, decimals=2), Cell(MILLI * errors.force_mae, decimals=1)]
