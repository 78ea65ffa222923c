"""Write docs/performance.md from the results in benchmarks/results.

python benchmarks/performance_page.py [--results benchmarks/results] [--output docs/performance.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Record = dict[str, Any]

HEAD = """# Performance

What nnpal costs, as `make bench` measured it. `python benchmarks/performance_page.py` writes this page from
[benchmarks/results](../benchmarks/results); [benchmarks](../benchmarks/README.md) says what each script does. Each
section ends with machine, versions, date and the command that repeats it.

Ratios are medians of ratios within a round, in which contenders run one after another on the same crystals (nickel with
thermal displacements as at 600 K), with the same skin and rebuilds of the neighbour list, after a warm-up. Results are
compared in the same run before they are timed. The measure of all is *networks*: the matrix products of the ensemble's
networks, forward and back to the AEV, at the speed at which torch multiplies matrices on the same core. Members are of
224-192-160 on an AEV of 54, single precision.
"""

NO_GPU = """
## On a GPU

Nothing on this page was run on a GPU, and no figure for one is claimed. The aims for an H200 (5 members, uq_energy, a
million atoms: pair step at 20 million and LAMMPS step at 10 million atom-steps per second; an epoch of 20,000
configurations of 108 atoms in 2 s) are not measured. `uq_cost.py` measures on a GPU too where torch finds one.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, a line a row."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source(record: Record, script: str) -> str:
    """Return where, when and with what a record was measured."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['instructions']}, {machine['system']}; {versions}; "
        f"{record['date'][:10]}. `python benchmarks/{script}.py` writes "
        f"[{script}.json](../benchmarks/results/{script}.json).\n"
    )


def number(value: float) -> str:
    """Return three digits, or all of them before the point; thousands are set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def atoms(n_atoms: int) -> str:
    return f"{n_atoms:,} atoms"


def wanted(aim: float | None) -> str:
    return "none" if aim is None else f"{aim:.1f}"


def times_and_ratios(results: Sequence[Record], names: Mapping[str, str]) -> str:
    """Return the table of contenders under other names: µs per atom and step, in brackets times the networks."""
    rows = []
    for name, shown in names.items():
        pairs = [(r["microseconds_per_atom_and_step"][name], r["ratio_to_networks"][name]) for r in results]
        rows.append([shown, *(f"{number(time)} ({number(ratio)})" for time, ratio in pairs)])
    return table(["", *(atoms(r["n_atoms"]) for r in results)], rows)


def pair_step(record: Record) -> str:
    results = record["results"]
    names = {name: name for name in results[0]["microseconds_per_atom_and_step"]}
    aims = [
        [f"{aim['what']}, {atoms(r['n_atoms'])}", wanted(aim["aim"]), number(aim["reached"])]
        for r in results
        for aim in r["aims"]
    ]
    force = max(d["of_the_largest_force"] for r in results for d in r["difference_from_torchani"].values())
    return f"""
## A step of the pair style

Five members, energies and forces: µs per atom and step, in brackets times the networks. One core and kernel `fused`
where nothing else is said.

{times_and_ratios(results, names)}
Times the networks:

{table(["", "aim, at most", "reached"], aims)}
Forces of both kernels differ from TorchANI's in Python by at most {force:.0e} of the largest force.

""" + source(record, "pair_step")


def uq_cost(record: Record) -> str:
    results = record["results"]
    names = list(results[-1]["ratio_to_off"])
    rows = [
        [
            f"{r['device']}, {atoms(r['n_atoms'])}, {r['members']}",
            number(r["off_microseconds_per_atom_and_step"]),
            *(f"{r['ratio_to_off'][name]:.2f}" if name in r["ratio_to_off"] else "" for name in names),
        ]
        for r in results
    ]
    return f"""
## What the uncertainty costs

µs per atom and step without it, then times that with it, each block of steps beside two without. *Off, once more* is
the noise. Energies, pressures, positions and forces with and without it are equal to the last bit.

{table(["device, atoms, members", "off, µs", *names], rows)}
""" + source(record, "uq_cost")


def scaling(record: Record) -> str:
    rows = [
        [
            f"{r['n_atoms']:,}",
            number(r["microseconds_per_atom_and_step"]),
            number(r["peak_megabytes"]),
            *(number(r[key] / 1000) if key in r else "" for key in ("bytes_per_atom", "bytes_per_atom_with_uq")),
        ]
        for r in record["against_atoms"]
    ]
    strong = [
        [f"{atoms(r['n_atoms'])}, {name}", number(r["microseconds_per_atom_and_step"][name]), f"{value:.2f}"]
        for r in record["strong"]
        for name, value in r["speed_up"].items()
    ]
    weak = record["weak"]
    (one, two), times = weak["n_atoms"], [f"{1e3 * seconds:.0f} ms" for seconds in weak["seconds_per_step"]]
    head = ["atoms", "µs per atom and step", "peak, MiB", "kB per atom", "kB per atom with uq_energy and uq_force"]
    return f"""
## Scaling and memory

One core, five members, energies and forces. Memory per atom is what the largest resident set has above that of 864
atoms, for the networks' memory does not grow beyond 256 atoms.

{table(head, rows)}
Strong scaling on two cores; the energy does not depend on ranks and threads:

{table(["", "µs per atom and step", "times as fast as one rank"], strong)}
Weak scaling: a step of {atoms(one)} on one rank takes {times[0]}, one of {atoms(two)} on two ranks {times[1]}: an
efficiency of {weak["efficiency"]:.2f}.

""" + source(record, "scaling")


def train_epoch(record: Record) -> str:
    ratios, once = record["times_networks_alone"], record["seconds_once"]
    rows = [[name, number(record["seconds"][name]["median"]), number(ratio)] for name, ratio in ratios.items()]
    return f"""
## An epoch of training

{record["n_configurations"]:,} configurations of {record["atoms"]} Ni atoms with forces, batches of {record["batch"]},
one member, one core. *Networks alone* are forward, gradient in the AEV, and parameter gradients of both.

{table(["", "s", "times the networks alone"], rows)}
The aim is at most {record["aim"]} times the networks alone; stored features reach {ratios["nnpal, stored"]:.2f}, those
recomputed at every update {ratios["nnpal, recomputed"]:.2f}. Once for all epochs and members: neighbours
{once["neighbours"]:.1f} s; stored features, neighbours included, {once["stored features"]:.1f} s. Losses and parameter
gradients of the three that train agree.

""" + source(record, "train_epoch")


def hooks(record: Record) -> str:
    results = record["results"]
    rows = [["(plain step)", *(number(r["plain_microseconds_per_step"]["median"]) for r in results)]]
    for name in results[0]["added_microseconds_per_step"]:
        rows.append([name, *(f"{r['added_microseconds_per_step'][name]['median']:+.1f}" for r in results)])
    return f"""
## Python hooks

µs per step that each adds to the plain step of aluminium under EAM, one core.

{table(["", *(atoms(r["n_atoms"]) for r in results)], rows)}
""" + source(record, "hooks")


PARTS = (
    "aev",
    "aev_vjp",
    "networks",
    "tiles, conversions, sums",
    "neighbour lists",
    "rest of LAMMPS",
)
MEANINGS = {
    "aev": "AEVs",
    "aev_vjp": "from gradients in the AEV to those in the edges",
    "networks": "networks, there and back (difference)",
    "tiles, conversions, sums": "the rest of the pair style: tiles of edges, conversions, sums (difference)",
    "neighbour lists": "LAMMPS's neighbour lists",
    "rest of LAMMPS": "communication, integration and others",
}


def profile_step(record: Record) -> str:
    time = record["microseconds_per_atom_and_step"]
    rows = [[MEANINGS[part], number(time[part]), f"{100 * time[part] / time['step']:.0f}"] for part in PARTS]
    rows.append(["whole step", number(time["step"]), "100"])
    aev = time["aev"] + time["aev_vjp"]
    return f"""
## Where a step spends its time

{atoms(record["n_atoms"])}, five members, one core, instruction set {record["instruction_set"]}: parts timed on their
own, in the same round as the whole.

{table(["", "µs per atom and step", "%"], rows)}
The networks' matrix products alone, by torch on all atoms at once, take {number(time["products"])} µs; with bias,
activation and its slope, and in the same pass as the AEVs, they take {number(time["networks"])} µs. What could still go
is the rest: AEVs and the way back from them, {number(aev)} µs, and what lies between LAMMPS's lists and the ensemble,
{number(time["tiles, conversions, sums"])} µs. The gradients of each member, for uq_force, add
{number(time["uq_force on top"])} µs to the ensemble: one more way back from the AEV for each, but no matrix product.

""" + source(record, "profile_step")


SECTIONS = {
    "pair_step": pair_step,
    "profile_step": profile_step,
    "uq_cost": uq_cost,
    "scaling": scaling,
    "train_epoch": train_epoch,
    "hooks": hooks,
}


def was_on_gpu(records: Iterable[Record]) -> bool:
    return any(row.get("device", "cpu") != "cpu" for record in records for row in record.get("results", ()))


def page(results: Path) -> str:
    """Return the page of the records in a folder."""
    records = {name: json.loads((results / f"{name}.json").read_text()) for name in SECTIONS}
    text = HEAD + "".join(write(records[name]) for name, write in SECTIONS.items())
    return text if was_on_gpu(records.values()) else text + NO_GPU


BEGIN, END = "<!-- speed: written by benchmarks/performance_page.py -->\n", "<!-- end of speed -->\n"
IN_README = {
    "nnp": "`pair_style nnp`",
    "nnp + uq_energy": "with `uq_energy` at every step",
    "nnp + uq_energy + uq_force": "with `uq_energy` and `uq_force` at every step",
    "nnp, 2 ranks": "`pair_style nnp` on two ranks",
    "nnp, kernel torchani": "a file of kernel `torchani`",
    "TorchANI eager": "the same model in TorchANI, eager",
    "SNAP": "SNAP (Ni_Zuo_JPCA2020)",
}


def readme(text: str, results: Path) -> str:
    """Return the README's text with the figures of the pair step between its marks."""
    record = json.loads((results / "pair_step.json").read_text())
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md has no lines {BEGIN.strip()} and {END.strip()}, between which the table stands")
    return before + BEGIN + times_and_ratios(record["results"], IN_README) + END + after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--root", type=Path, default=HERE.parent, help="the folder of README.md and docs")
    arguments = parser.parse_args()
    pages = {
        arguments.root / "docs" / "performance.md": page(arguments.results),
        arguments.root / "README.md": readme((arguments.root / "README.md").read_text(), arguments.results),
    }
    for path, text in pages.items():
        partial = path.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(path)
        print(f"Wrote {path}")


if __name__ == "__main__":
    main()
