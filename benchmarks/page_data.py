"""The section of docs/performance.md on files of data and stores of labels."""

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
## Reading data and keeping labels

Configurations of 4 atoms with energies, forces and, but for the LAMMPS dump, stress; the whole command, the start of
Python included. Memory is the largest resident set, and what of it the command adds to the same command on ten
configurations: Python and its modules take the rest, {least:.0f} to {most:.0f} MB. In brackets it is given in sizes of
the file.

{table(["", "CPU s", "file, MB", "peak memory, MB", "of it added, MB"], rows)}
A store of {together["n"]:,} labels of 32 atoms with stress takes {together["mb"]:.1f} MB. A label put by itself waits
for the disk, {alone["ms_per_put"]:.0f} ms here; in a group it takes {together["ms_per_put"]:.2f} ms.

""" + source(record, "data_io")
