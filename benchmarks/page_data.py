"""The section of docs/performance.md on files of data and stores of labels."""

from __future__ import annotations

from page_format import Record, source, table


def data_io(record: Record) -> str:
    rows = [
        [
            f"`nnpal data {one['command']}`, {one['file']}, {one['n']:,} configurations",
            f"{one['cpu_s']:.2f}",
            f"{one['peak_mb']:.0f} ({one['file_mb']:.0f})",
        ]
        for one in record["commands"]
    ]
    alone, together = (next(one for one in record["stores"] if one["together"] is how) for how in (False, True))
    return f"""
## Reading data and keeping labels

Configurations of 4 atoms with energies and forces; the whole command, the start of Python included.

{table(["", "CPU s", "peak memory (file), MB"], rows)}
A store of {together["n"]:,} labels of 32 atoms with stress takes {together["mb"]:.1f} MB. A label put by itself waits
for the disk, {alone["ms_per_put"]:.0f} ms here; in a group it takes {together["ms_per_put"]:.2f} ms.

""" + source(record, "data_io")
