"""Section of docs/performance.md that compares processors, by ratios within one run on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from page_format import Record, number, table

Records = Mapping[str, Record]  # benchmark -> record
STEP = "nnp + uq_energy"
N_ATOMS = 864


def step(records: Records) -> Record:
    return next(own for own in records["pair_step"]["results"] if own["n_atoms"] == N_ATOMS)


def time_of(name: str) -> Callable[[Records], str]:
    return lambda records: number(step(records)["microseconds_per_atom_and_step"][name])


def of_best_rate(records: Records) -> str:
    return number(step(records)["ratio_to_best_sgemm_rate"][STEP])


def of_build_before(records: Records) -> str:
    """Return the ratio to the earlier build: from one run of both in turn, else from two runs on different days."""
    if "builds" in records:
        ratio = next(own["ratio"] for own in records["builds"]["results"] if own["n_atoms"] == N_ATOMS)
        return number(ratio)
    before = next(own for own in records["pair_step_before"]["results"] if own["n_atoms"] == N_ATOMS)
    times = [own["microseconds_per_atom_and_step"][STEP] for own in (step(records), before)]
    return f"{number(times[0] / times[1])} (two runs)"


def of_peer(name: str) -> Callable[[Records], str]:
    return lambda records: next(
        number(own["ratio"]) for own in records["own_metals"]["results"] if own["potential"] == name
    )


def of_torchani(n_atoms: int) -> Callable[[Records], str]:
    return lambda records: f"{records['molecules']['systems'][str(n_atoms)]['ratio']:.3f}"


def above_lammps(key: str, unit: str, factor: float = 1.0) -> Callable[[Records], str]:
    return lambda records: f"{records['scaling']['above_lammps'][key] * factor:.3g} {unit}"


def part_of_step(*parts: str) -> Callable[[Records], str]:
    def cell(records: Records) -> str:
        times = records["profile_step"]["microseconds_per_atom_and_step"]
        return f"{100 * sum(times[part] for part in parts) / times['step']:.0f} %"

    return cell


def of_set(name: str, key: str = "ratio") -> Callable[[Records], str]:
    def cell(records: Records) -> str:
        own = next(one for one in records["instruction_sets"]["results"] if one["n_atoms"] == N_ATOMS)
        return number(own[key][name] / own[key]["avx512"]) if {name, "avx512"} <= own[key].keys() else ""

    return cell


def of_hook(what: str) -> Callable[[Records], str]:
    def cell(records: Records) -> str:
        aims = next(own for own in records["hooks"]["results"] if own["n_atoms"] == 108)["aims"]
        reached = next(aim["reached"] for aim in aims if aim["what"].startswith(what))
        return f"{reached['median']:.0f} µs [{reached['lower_quartile']:.0f} to {reached['upper_quartile']:.0f}]"

    return cell


ROWS: tuple[tuple[str, str, str, Callable[[Records], str]], ...] = (  # benchmark, quantity, target (at most), result
    ("pair_step", "step with uq_energy, 5 members, 864 atoms: µs per atom", "", time_of(STEP)),
    ("pair_step", "same step in double precision: µs per atom", "", time_of(f"{STEP}, precision double")),
    ("pair_step", "same step on 2 MPI ranks: µs per atom", "", time_of(f"{STEP}, 2 ranks")),
    ("pair_step", "same step / networks at the best sgemm rate", "1.7", of_best_rate),
    ("pair_step", "same step / build before nnpal's own core", "0.6", of_build_before),
    ("instruction_sets", "same step, instruction set amx / avx512", "", of_set("amx")),
    ("instruction_sets", "rounding errors of its forces, amx / avx512", "", of_set("amx", "force_rms_error")),
    ("instruction_sets", "same step, avx2 / avx512", "", of_set("avx2")),
    ("profile_step", "share of the networks in a step, forward and backward", "", part_of_step("networks")),
    ("profile_step", "share of the AEVs in a step, forward and backward", "", part_of_step("aev", "aev_vjp")),
    ("own_metals", "step / UF3, Nb", "1", of_peer("UF3")),
    ("own_metals", "step / POD, Ta", "1", of_peer("POD")),
    ("own_metals", "step / SNAP, Ni", "1", of_peer("SNAP")),
    ("own_metals", "step / quadratic SNAP, Ni", "1", of_peer("quadratic SNAP")),
    ("molecules", "ANI-2x architecture, 8 members, 21 atoms: nnpal / TorchANI eager", "0.25", of_torchani(21)),
    ("molecules", "same, 192 atoms", "0.17", of_torchani(192)),
    ("molecules", "same, 2,700 atoms", "0.17", of_torchani(2700)),
    ("scaling", "start-up CPU time, more than LAMMPS alone", "0.05 s", above_lammps("processor_seconds", "s")),
    ("scaling", "memory at 108 atoms, more than LAMMPS alone", "12 MB", above_lammps("peak_megabytes", "MB", 1.048576)),
    ("scaling", "memory per further atom, more than LAMMPS alone", "600 B", above_lammps("bytes_per_atom", "B")),
    ("hooks", "MOMT, 108 atoms, per step: more than LAMMPS's tally", "25 µs", of_hook("MOMT")),
    ("hooks", "SMD, 108 atoms, per step: more than Colvars' restraint", "5 µs", of_hook("SMD")),
)


def processors(columns: Sequence[Records]) -> str:
    """Return the section, with a column for the records of each processor."""
    names = [records["own_metals"]["machine"]["cpu"] for records in columns]
    rows = [
        [what, aim, *(figure(records) if benchmark in records else "" for records in columns)]
        for benchmark, what, aim, figure in ROWS
    ]
    notes = "".join(
        f"\n{name}, `{benchmark}.py`: {record['note']}.\n"
        for name, records in zip(names, columns, strict=True)
        for benchmark, record in records.items()
        if "note" in record
    )
    days = ", ".join(sorted({record["date"][:10] for records in columns for record in records.values()}))
    return f"""
## Comparison of processors

Targets, and the results on each processor, on one core unless stated otherwise. The sections below give all results of
the first processor; those of the others are from the same scripts. Empty cells were not measured. A slash is a ratio of
times.

{table(["", "target, at most", *names], rows)}{notes}
Measured on {days}. The ratio to the earlier build is from `python benchmarks/builds.py`, or, if marked "two runs", from
the medians of pair_step.json and pair_step_before.json.
"""
