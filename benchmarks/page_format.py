"""Words, numbers and tables of docs/performance.md, and what its sections have in common."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = dict[str, Any]
SCATTER = 0.05  # of the median, between the quartiles of the rounds


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, a line a row."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source(record: Record, name: str, command: str = "") -> str:
    """Return where, when and with what a record was measured, by the script of its name if by no other command."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"*Measured on* {machine['cpu']}, {machine['cores']} cores, {machine['instructions']}, {machine['system']}; "
        f"{versions}; {record['date'][:10]}. *Command:* `python benchmarks/{command or name + '.py'}`, which writes "
        f"[{name}.json](../benchmarks/results/{name}.json).\n"
    )


def number(value: float) -> str:
    """Return three digits, or all of them before the point; thousands are set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


LABELS = {
    "off, once more": "off, repeated",
    "uq_energy, every 10": "uq_energy, every 10 steps",
    "uq_force, every 10": "uq_force, every 10 steps",
    "nothing": "nothing (noise)",
    "tally by LAMMPS": "LAMMPS's tally of energy and virial",
    "distance restraint by Colvars": "Colvars' distance restraint",
    "step with uq_energy, of the networks at the best sgemm rate": "step with uq_energy / networks at the best rate",
    "uq_force on top": "uq_force, additional time",
    "nnpal, stored, by AdamW": "nnpal, stored, AdamW",
}
"""How the page names contenders and targets of the records."""


def label(name: str) -> str:
    """Return a name from a record as the page shows it."""
    return LABELS.get(name, name)


def atoms(n_atoms: int) -> str:
    return f"{n_atoms:,} atoms"


def wanted(aim: float | None) -> str:
    return "none" if aim is None else f"{aim:.1f}"


def quartiles(values: Sequence[float]) -> str:
    """Return the rounds' quartiles where they are apart, to stand behind a median."""
    if len(values) < 2:
        return ""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f" [{number(low)} to {number(high)}]" if high - low > SCATTER * abs(median) else ""


def names_of(differences: Mapping[str, object]) -> str:
    return ", ".join(f"*{name}*" for name in differences)


def is_gpu(row: Record) -> bool:
    return row.get("device", "cpu") != "cpu"
