"""Sections of docs/performance.md on LAMMPS steps: pair style, uncertainty, breakdown of a step, and hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from page_format import Record, atoms, is_gpu, label, names_of, number, quartiles, source, table, wanted


def times_and_ratios(results: Sequence[Record], names: Mapping[str, str], scatter: bool) -> str:
    """Return the table of contenders: µs per atom and step, and in parentheses the ratio to the networks.

    Arguments:
        results: results of the record, one per number of atoms.
        names: contenders of the record and their names in the table.
        scatter: whether to add quartiles of the times if rounds scatter.
    """

    def cell(result: Record, name: str) -> str:
        time, ratio = result["microseconds_per_atom_and_step"][name], result["ratio_to_networks"][name]
        more = quartiles([one[name] for one in result["rounds"]]) if scatter else ""
        return f"{number(time)} ({number(ratio)}){more}"

    rows = [[shown, *(cell(result, name) for result in results)] for name, shown in names.items()]
    return table(["", *(atoms(r["n_atoms"]) for r in results)], rows)


def pair_step(record: Record) -> str:
    results = record["results"]
    names = {name: name for name in results[0]["microseconds_per_atom_and_step"]}
    aims = [
        [f"{label(aim['what'])}, {atoms(r['n_atoms'])}", wanted(aim["aim"]), number(aim["reached"])]
        for r in results
        for aim in r["aims"]
    ]
    force = max(d["of_the_largest_force"] for r in results for d in r["difference_from_torchani"].values())
    compared = names_of(results[0]["difference_from_torchani"])
    return f"""
## A step of the pair style

µs per atom and step for energies and forces with five members; in parentheses, the ratio to the networks. One core and
kernel `fused` unless stated otherwise. Medians of {len(results[0]["rounds"])} rounds.

{times_and_ratios(results, names, scatter=True)}
Ratios to the networks at the sgemm rate, unless another rate is named:

{table(["", "target, at most", "reached"], aims)}
Forces differ from those of TorchANI in Python by at most {force:.0e} of the largest force. Compared were
{compared}.

""" + source(record, "pair_step")


def pair_step_before(record: Record) -> str:
    results = record["results"]
    ours = {
        name: name for name in results[0]["microseconds_per_atom_and_step"] if not name.startswith(("SNAP", "Torch"))
    }
    return f"""
### With libtorch, before nnpal's own core

The same on {record["date"][:10]}, when libtorch still evaluated every model file, by operations of the same name.

{times_and_ratios(results, ours, scatter=True)}
{at_best_rate(results)}""" + source(record, "pair_step_before", "pair_step.py")


def at_best_rate(results: Sequence[Record]) -> str:
    """Return the sentence on the ratio to the best sgemm rate, if it was measured."""
    step, key = "nnp + uq_energy", "ratio_to_best_sgemm_rate"
    if not all(key in r for r in results):
        return ""
    ratios = ", ".join(f"{number(r[key][step])} at {atoms(r['n_atoms'])}" for r in results)
    return f"Relative to the networks at the best sgemm rate, a step with uq_energy takes {ratios}.\n\n"


def times_off(row: Record, name: str) -> str:
    if name not in row["ratio_to_off"]:
        return ""  # one member has no spread
    return f"{row['ratio_to_off'][name]:.2f}" + quartiles(row["rounds"][name])


def uq_cost(record: Record) -> str:
    results = record["results"]
    names = list(results[-1]["ratio_to_off"])
    rows = [
        [
            f"{r['device']}, {atoms(r['n_atoms'])}, {r['members']}",
            number(r["off_microseconds_per_atom_and_step"]),
            *(times_off(r, name) for name in names),
        ]
        for r in results
    ]
    changed = [r.get("changed_by_uncertainty") for r in results if is_gpu(r)]
    forces = [own["forces"] for own in changed if own]
    on_gpu = f"; on the GPU forces differ by at most {max(forces):.0e} of the largest" if forces else ""
    return f"""
## What the uncertainty costs

µs per atom and step without uncertainty, then the ratio of the time with it to the time without it; each block of steps
with uncertainty runs between two blocks without. *Off, repeated* shows the noise. Energies, pressures, positions and
forces with and without uncertainty are equal on the CPU to the last bit{on_gpu}.

{table(["device, atoms, members", "off, µs", *map(label, names)], rows)}
""" + source(record, "uq_cost")


def scaling(record: Record) -> str:
    rows = [
        [
            f"{r['n_atoms']:,}",
            number(r["microseconds_per_atom_and_step"]) + quartiles(r["rounds"]),
            number(r["peak_megabytes"]),
            *(number(r[key] / 1000) if key in r else "" for key in ("bytes_per_atom", "bytes_per_atom_with_uq")),
        ]
        for r in record["against_atoms"]
    ]
    strong = [
        [
            f"{atoms(r['n_atoms'])}, {name}",
            number(r["microseconds_per_atom_and_step"][name]) + quartiles([one[name] for one in r["rounds"]]),
            f"{value:.2f}",
        ]
        for r in record["strong"]
        for name, value in r["speed_up"].items()
    ]
    weak = record["weak"]
    (one, two), times = weak["n_atoms"], [f"{1e3 * seconds:.0f} ms" for seconds in weak["seconds_per_step"]]
    spread = quartiles([first / second for first, second in weak["rounds"]])
    compared = [d for ways in record.get("difference_from_torchani", {}).values() for d in ways.values()]
    agree = (
        f"For all numbers of ranks and threads, forces differ from those of TorchANI's modules by at most "
        f"{max(d['of_the_largest_force'] for d in compared):.0e} of the largest force, uncertainties by "
        f"{max(d['of_the_largest_uq_force'] for d in compared):.0e} of the largest.\n\n"
        if compared
        else ""
    )
    above = [
        [
            precision,
            f"{own['processor_seconds']:.3f}",
            f"{own['peak_megabytes']:.1f}",
            f"{own['bytes_per_atom'] / 1000:.2f}",
        ]
        for precision, key in (("single", "above_lammps"), ("double", "above_lammps_in_double"))
        if (own := record.get(key))
    ]
    start_up = (
        "Start-up time and memory of a process, in addition to LAMMPS alone (`pair_style zero` with the same neighbor\n"
        "list):\n\n"
        + table(
            ["precision", "CPU s before the first step", "MiB at 108 atoms", "kB per further atom"],
            [*above, ["target, at most", "0.05", "12 MB", "0.6"]],
        )
        + "\n"
        if above
        else ""
    )
    head = ["atoms", "µs per atom and step", "peak, MiB", "kB per atom", "kB per atom with uq_energy and uq_force"]
    return f"""
## Scaling and memory

Energies and forces with five members on one core. Memory per atom is the increase of the largest resident set above
that of 864 atoms, because the memory of the networks does not grow beyond 256 atoms.

{table(head, rows)}
Strong scaling on two cores:

{table(["", "µs per atom and step", "speed-up over one rank"], strong)}
Weak scaling: a step of {atoms(one)} takes {times[0]} on one rank, and a step of {atoms(two)} {times[1]} on two ranks,
an efficiency of {weak["efficiency"]:.2f}{spread}.

{start_up}{agree}""" + source(record, "scaling")


def scaling_before(record: Record) -> str:
    rows = [
        [
            f"{r['n_atoms']:,}",
            number(r["microseconds_per_atom_and_step"]) + quartiles(r["rounds"]),
            number(r["peak_megabytes"]),
            *(number(r[key] / 1000) if key in r else "" for key in ("bytes_per_atom", "bytes_per_atom_with_uq")),
        ]
        for r in record["against_atoms"]
    ]
    head = ["atoms", "µs per atom and step", "peak, MiB", "kB per atom", "kB per atom with uq_energy and uq_force"]
    return f"""
### Memory with libtorch, before nnpal's own core

As recorded, with libtorch in the process.

{table(head, rows)}
""" + source(record, "scaling_before", "scaling.py")


def cuda_step(record: Record) -> str:
    results = record["results"]

    def cell(result: Record, name: str) -> str:
        speed = result["million_atom_steps_per_second"]
        if name not in speed["pair"]:
            return "out of memory"
        scatter = quartiles([one["pair"] for one in result["rounds"][name]])
        return f"{number(speed['pair'][name])} ({number(speed['step'][name])}){scatter}"

    rows = [[name, *(cell(r, name) for r in results)] for name in results[0]["rounds"]]
    agree = [
        [
            f"{atoms(int(n_atoms))}, {precision}",
            *(f"{own[f'of_the_{key}']:.0e}" for key in COMPARED),
        ]
        for n_atoms, precisions in record["difference_from_cpu"].items()
        for precision, own in precisions.items()
    ]
    head = ["", "energy", "of the largest force", "of the largest uq_energy", "of the largest uq_force"]
    n_rounds = max(len(own) for own in results[0]["rounds"].values())
    cells = " ".join(str(round((r["n_atoms"] / 4) ** (1 / 3))) for r in results)
    return f"""
## A step of the pair style on a GPU

{record["gpu"]}, {record["model"]["members"]} members: million atom-steps per second of the pair style; in parentheses,
of the whole LAMMPS step. Medians over the number of rounds in the command below. Targets for an H200 at a million
atoms, with uq_energy: 20 (10).

{table(["", *(atoms(r["n_atoms"]) for r in results)], rows)}
Relative differences from the CPU in double precision:

{table(head, agree)}
""" + source(record, "cuda_step", f"cuda_step.py --sizes {cells} --rounds {n_rounds}")


COMPARED = ("energy", "largest_force", "largest_uq_energy", "largest_uq_force")


def above(what: str) -> str:
    """Return the target of a hook as shown on the page; records contain ``A above B``."""
    hook, _, contender = what.partition(" above ")
    return f"{label(hook)}, in addition to {label(contender)}"


def hooks(record: Record) -> str:
    results = record["results"]
    rows = [["plain step (total)", *(number(r["plain_microseconds_per_step"]["median"]) for r in results)]]
    for name in results[0]["added_microseconds_per_step"]:
        rows.append([label(name), *(f"{r['added_microseconds_per_step'][name]['median']:+.1f}" for r in results)])
    aims = [
        [f"{above(aim['what'])}, {atoms(r['n_atoms'])}", wanted(aim["aim"]), f"{aim['reached']['median']:+.1f}"]
        for r in results
        for aim in r.get("aims", ())
    ]
    aimed = (
        f"µs per step in addition to LAMMPS's own tally of energy and virial, which MOMT needs, and in addition to\n"
        f"Colvars' restraint of the same distance, in the same round:\n\n"
        f"{table(['', 'target, at most', 'reached'], aims)}\n"
        if aims
        else ""
    )
    return f"""
## Python hooks

CPU time, µs on one core, that each hook adds to a plain LAMMPS step of aluminum with EAM.

{table(["", *(atoms(r["n_atoms"]) for r in results)], rows)}
{aimed}""" + source(record, "hooks")


PARTS = (
    "aev",
    "aev_vjp",
    "networks",
    "tiles, conversions, sums",
    "neighbor lists",
    "rest of LAMMPS",
)
MEANINGS = {
    "aev": "AEVs, forward",
    "aev_vjp": "AEVs, backward: gradients from AEVs to edges",
    "networks": "networks, forward and backward (difference)",
    "tiles, conversions, sums": "rest of the pair style: tiles of edges, sums (difference)",
    "neighbor lists": "LAMMPS's neighbor lists",
    "rest of LAMMPS": "communication, integration and others",
}


def profile_step(record: Record) -> str:
    time = record["microseconds_per_atom_and_step"]
    names = {**{part: MEANINGS[part] for part in PARTS}, "step": "whole step"}
    rows = [
        [
            shown,
            number(time[part]) + quartiles([one[part] for one in record["rounds"]]),
            f"{100 * time[part] / time['step']:.0f}",
        ]
        for part, shown in names.items()
    ]
    differences = record.get("differences")
    agree = (
        f"The whole step and its parts agree: forces differ by at most {differences['of_the_largest_force']:.0e} of "
        f"the largest, uq_force by {differences['of_the_largest_uq_force']:.0e}, gradients by "
        f"{differences['of_the_largest_gradient']:.0e}.\n\n"
        if differences
        else ""
    )
    aev = time["aev"] + time["aev_vjp"]
    return f"""
## Breakdown of a step

{atoms(record["n_atoms"])}, five members, one core, instruction set {record["instruction_set"]}. Parts are timed
separately, in the same round as the whole step; rows marked *difference* are the remainder.

{table(["", "µs per atom and step", "%"], rows)}
- Matrix products of the networks alone, by torch on all atoms at once, take {number(time["products"])} µs. In nnpal,
  with bias, activation and its derivative, and in the same pass as the AEVs, they take {number(time["networks"])} µs.
- What could still be reduced is the rest: AEVs forward and backward, {number(aev)} µs, and the work between LAMMPS's
  neighbor lists and the ensemble, {number(time["tiles, conversions, sums"])} µs.
- The gradients of each member, for uq_force, add {number(time["uq_force on top"])} µs: an additional backward pass
  through the AEVs for each member, but no matrix product.

{agree}""" + source(record, "profile_step")
