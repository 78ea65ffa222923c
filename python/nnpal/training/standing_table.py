"""Status of a training as text: a table with a row for each member, and a summary line."""

from __future__ import annotations

from collections.abc import Sequence

from nnpal.training.standing import MemberStanding, Standing, State

MILLI = 1e3
"""Conversion from eV to meV."""
HEADER = ("member", "updates", "epochs", "train/val loss, eV²", "E, meV/atom", "F, meV/Å", "time left")


def row(member: MemberStanding) -> tuple[str, ...]:
    """Return the cells under :data:`HEADER`: training/validation loss, validation MAEs, and the time or the state."""
    last, left = member.last, member.seconds_left
    loss, energy, force = ("",) * 3
    if last is not None:
        loss = f"{last.train_loss:.3g}/{last.validation_loss:.3g}"
        energy = f"{MILLI * last.validation_energy_mae:.2f}"
        force = f"{MILLI * last.validation_force_mae:.1f}"
    return (
        str(member.member),
        f"{member.updates}/{member.total_updates}",
        f"{member.epochs}/{member.total_epochs}",
        loss,
        energy,
        force,
        member.state if left is None else duration(left),
    )


def summary(standing: Standing) -> str:
    """Return a line for all members: number in each state, updates, validation MAEs and the time left."""
    n = len(standing.members)
    counts = [f"{standing.n('finished')} of {n} members trained"]
    counts += [f"{standing.n(state)} {word}" for state, word in _WORDS if standing.n(state)]
    done, total = sum(m.updates for m in standing.members), sum(m.total_updates for m in standing.members)
    parts = [", ".join(counts), f"updates {done}/{total}"]
    records = [member.last for member in standing.members if member.last is not None]
    if records:
        energy = _range([MILLI * record.validation_energy_mae for record in records], ".2f")
        force = _range([MILLI * record.validation_force_mae for record in records], ".1f")
        loss = _range([record.validation_loss for record in records], ".3g")
        parts.append(f"validation: loss {loss} eV², E {energy} meV/atom, F {force} meV/Å")
    if standing.seconds_left is not None:
        parts.append(f"about {duration(standing.seconds_left)} left")
    return "; ".join(parts)


_WORDS: tuple[tuple[State, str], ...] = (("training", "in training"), ("waiting", "waiting"), ("failed", "failed"))


def lines(standing: Standing) -> list[str]:
    """Return the table and the summary as lines of text."""
    rows = [HEADER, *(row(member) for member in standing.members)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ["  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) for cells in rows]
    return [*aligned, summary(standing)]


def duration(seconds: float) -> str:
    """Return a readable time: 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = round(seconds)
    for limit, (unit, size), (part, part_size) in _DURATIONS:
        if whole < limit:
            rest = whole % size // part_size
            return f"{whole // size} {unit}" + (f" {rest} {part}" if part and rest else "")
    raise AssertionError("the last limit is infinite")


_DURATIONS = (
    (60, ("s", 1), ("", 1)),
    (3600, ("min", 60), ("s", 1)),
    (86400, ("h", 3600), ("min", 60)),
    (float("inf"), ("d", 86400), ("h", 3600)),
)


def _range(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"
