"""Section of docs/performance.md on data files and the label store."""

from __future__ import annotations

from page_format import Record, source, table


def data_io(record: Record) -> str:
    rows = [
        [
            f"`nnpal data {one['command']}`, {one['file']}, {one['n']:,} configurations",
            f"{one['cpu_s']:.2f}",
            f"{one['file_mb']:.0f}",
            f"{one['peak_mb']:.0f} ({one['peak_mb'] / one['file_mb']:.1f})",
            f"{one['added_mb']:.0f} ({one['added_mb'] / one['file_mb']:.1f})",
        ]
        for one in record["commands"]
    ]
    floors = [one["peak_mb"] - one["added_mb"] for one in record["commands"]]
    least, most = min(floors), max(floors)
    alone, together = (next(one for one in record["stores"] if one["together"] is how) for how in (False, True))
    return f"""
## Data files and the label store

CPU time and memory of whole commands, including the start of Python, for configurations of 4 atoms with energies,
forces and (except for the LAMMPS dump) stress. *Peak memory* is the largest resident set. *Added memory* is the part
of it above the same command with ten configurations; the rest, {least:.0f} to {most:.0f} MB, is Python and its modules.
Memory divided by the size of the file is in parentheses.

{table(["", "CPU s", "file, MB", "peak memory, MB", "added memory, MB"], rows)}
A store of {together["n"]:,} labels of 32 atoms with stress takes {together["mb"]:.1f} MB. Storing a single label waits
for the disk ({alone["ms_per_put"]:.0f} ms here); in a group, a label takes {together["ms_per_put"]:.2f} ms.

""" + source(record, "data_io")
