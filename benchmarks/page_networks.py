"""Section of docs/performance.md on types of network."""

from __future__ import annotations

import statistics

from page_format import Record, number, quartiles, source, table


def networks(record: Record) -> str:
    rows = [
        [
            f"{system}: {contender.replace(', a member', ', one member')}",
            f"{own['edges_per_atom']:.0f}",
            number(statistics.median(own["us_per_atom"])) + quartiles(own["us_per_atom"]),
            number(own["over_ani"]),
        ]
        for system, contenders in record["systems"].items()
        for contender, own in contenders.items()
    ]
    return f"""
## Kinds of network

CPU time of one thread, µs per atom, for energies and the forces of each member in Python, without the neighbor list.

- **ANI**: the default ensemble for nickel, and the sizes of ANI-2x for n-butane; kernel `fused`, all members in one
  pass.
- **SchNet**: one member with the stated numbers of features, interactions and Gaussians, cutoff 5 Å, by TorchScript.
  Members run one after another, so multiply by the number of members. SchNet computes a filter for each edge (an atom
  and a neighbor within the cutoff), so its cost grows with the number of edges.

[Networks](networks.md) describes when to use which.

{table(["", "edges per atom", "µs per atom", "ratio to ANI"], rows)}
""" + source(record, "networks")
