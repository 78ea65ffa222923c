"""Names, numbers and tables shared by the sections of docs/performance.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = dict[str, Any]
SCATTER = 0.05  # quartiles are shown if they differ by more than this fraction of the median


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source(record: Record, name: str, command: str = "") -> str:
    """Return processor, versions, date and command of a record; by default the script with the name of the record."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"*Measured on* {machine['cpu']}, {machine['cores']} cores, {machine['instructions']}, {machine['system']}; "
        f"{versions}; {record['date'][:10]}. *Command:* `python benchmarks/{command or name + '.py'}`, which writes "
        f"[{name}.json](../benchmarks/results/{name}.json).\n"
    )


def number(value: float) -> str:
    """Return a number with three digits, or without decimals from 100; thousands are separated by commas."""
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
"""Names on the page of contenders and targets in the records."""


def label(name: str) -> str:
    """Return the name on the page of a name in a record."""
    return LABELS.get(name, name)


def atoms(n_atoms: int) -> str:
    return f"{n_atoms:,} atoms"


def wanted(aim: float | None) -> str:
    return "none" if aim is None else f"{aim:.1f}"


def quartiles(values: Sequence[float]) -> str:
    """Return the quartiles of the rounds, to follow a median, or nothing if they differ little."""
    if len(values) < 2:
        return ""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f" [{number(low)} to {number(high)}]" if high - low > SCATTER * abs(median) else ""


def names_of(differences: Mapping[str, object]) -> str:
    return ", ".join(f"*{name}*" for name in differences)


def is_gpu(row: Record) -> bool:
    return row.get("device", "cpu") != "cpu"
