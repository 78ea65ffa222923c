"""The section of docs/performance.md on kinds of network."""

from __future__ import annotations

import statistics

from page_format import Record, number, quartiles, source, table


def networks(record: Record) -> str:
    rows = [
        [
            f"{system}: {contender}",
            f"{own['edges_per_atom']:.0f}",
            number(statistics.median(own["us_per_atom"])) + quartiles(own["us_per_atom"]),
            number(own["over_ani"]),
        ]
        for system, contenders in record["systems"].items()
        for contender, own in contenders.items()
    ]
    return f"""
## Kinds of network

Energies and each member's forces in Python, without the neighbor list: CPU time of one thread, µs an atom. ANI is the
default ensemble for nickel and ANI-2x's sizes for n-butane, kernel `fused`, all members in one pass. SchNet is one
member of *features, interactions, Gaussians*, cutoff 5 Å, by TorchScript; members run one after another, so an ensemble
costs as many times that. It computes a filter for each edge (an atom and a neighbor within the cutoff), so its cost
grows with their number, which is given for each row. [Networks](networks.md) says when to take which.

{table(["", "edges an atom", "µs an atom", "over ANI's"], rows)}
""" + source(record, "networks")
