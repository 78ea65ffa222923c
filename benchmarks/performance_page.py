"""Write docs/performance.md from the results in benchmarks/results.

python benchmarks/performance_page.py [--results benchmarks/results] [--output docs/performance.md]
"""

from __future__ import annotations

import argparse
import json
import statistics
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
thermal displacements as at 600 K), with the same skin and rebuilds of the neighbour list, after a warm-up. Where the
rounds scatter, so that their quartiles are more than 5 % of the median apart, these stand in square brackets: other
work on the machine, or noise. Members are of 224-192-160 on an AEV of 54, single precision.

All scripts but `hooks.py` compare the results of what they time, in the same run, before they time it, and stop where
these are not equal within a stated tolerance; sections give the differences that were found and recorded. Matrix
products have random factors, and nothing to be compared with.

The measure is *networks*: the matrix products of the ensemble's networks, forward and back to the AEV, as torch
multiplies these matrices on the same core (*networks at the sgemm rate*). It is no limit: libraries' products do not
reach what a core can do, and nnpal's own networks are faster than that. *Networks at the best sgemm rate* are as many
operations at the rate of torch's fastest square matrices in the same round.
"""

NO_GPU = """
## On a GPU

Nothing on this page was run on a GPU, and no figure for one is claimed. The aims for an H200 (5 members, uq_energy, a
million atoms: pair step at 20 million and LAMMPS step at 10 million atom-steps per second; an epoch of 20,000
configurations of 108 atoms in 2 s) are not measured. `cuda_step.py`, `train_epoch.py --device cuda` and `uq_cost.py`
measure them where nnpal was built for a GPU and one is there.
"""

SCATTER = 0.05  # of the median, between the quartiles of the rounds


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, a line a row."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source(record: Record, name: str, command: str = "") -> str:
    """Return where, when and with what a record was measured, by the script of its name if by no other command."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['instructions']}, {machine['system']}; {versions}; "
        f"{record['date'][:10]}. `python benchmarks/{command or name + '.py'}` writes "
        f"[{name}.json](../benchmarks/results/{name}.json).\n"
    )


def number(value: float) -> str:
    """Return three digits, or all of them before the point; thousands are set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def atoms(n_atoms: int) -> str:
    return f"{n_atoms:,} atoms"


def wanted(aim: float | None) -> str:
    return "none" if aim is None else f"{aim:.1f}"


def quartiles(values: Sequence[float]) -> str:
    """Return the rounds' quartiles where they are apart, to stand behind a median."""
    if len(values) < 2:
        return ""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f" [{number(low)} to {number(high)}]" if high - low > SCATTER * abs(median) else ""


def times_and_ratios(results: Sequence[Record], names: Mapping[str, str], scatter: bool) -> str:
    """Return the table of contenders under other names: µs per atom and step, in brackets times the networks.

    Arguments:
        scatter: whether quartiles of the times are added where rounds scatter.
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
        [f"{aim['what']}, {atoms(r['n_atoms'])}", wanted(aim["aim"]), number(aim["reached"])]
        for r in results
        for aim in r["aims"]
    ]
    force = max(d["of_the_largest_force"] for r in results for d in r["difference_from_torchani"].values())
    compared = names_of(results[0]["difference_from_torchani"])
    return f"""
## A step of the pair style

Five members, energies and forces: µs per atom and step, in round brackets times the networks. One core and kernel
`fused` where nothing else is said. Medians of {len(results[0]["rounds"])} rounds.

{times_and_ratios(results, names, scatter=True)}
Times the networks at the sgemm rate:

{table(["", "aim, at most", "reached"], aims)}
{at_best_rate(results)}Forces differ from TorchANI's in Python by at most {force:.0e} of the largest force; compared
were {compared}.

""" + source(record, "pair_step")


def at_best_rate(results: Sequence[Record]) -> str:
    """Return the sentence on the other rate, where it was measured."""
    step, key = "nnp + uq_energy", "ratio_to_best_sgemm_rate"
    if not all(key in r for r in results):
        return ""
    ratios = ", ".join(f"{number(r[key][step])} at {atoms(r['n_atoms'])}" for r in results)
    return f"Times the networks at the best sgemm rate, a step with uq_energy takes {ratios}.\n\n"


def names_of(differences: Mapping[str, object]) -> str:
    return ", ".join(f"*{name}*" for name in differences)


def is_gpu(row: Record) -> bool:
    return row.get("device", "cpu") != "cpu"


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

µs per atom and step without it, then times that with it, each block of steps beside two without. *Off, once more* is
the noise. Energies, pressures, positions and forces with and without it are equal on the CPU to the last bit{on_gpu}.

{table(["device, atoms, members", "off, µs", *names], rows)}
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
        f"Forces of all, on their ranks and threads, differ from those of TorchANI's modules by at most "
        f"{max(d['of_the_largest_force'] for d in compared):.0e} of the largest force, uncertainties by "
        f"{max(d['of_the_largest_uq_force'] for d in compared):.0e} of the largest.\n\n"
        if compared
        else ""
    )
    head = ["atoms", "µs per atom and step", "peak, MiB", "kB per atom", "kB per atom with uq_energy and uq_force"]
    return f"""
## Scaling and memory

One core, five members, energies and forces. Memory per atom is what the largest resident set has above that of 864
atoms, for the networks' memory does not grow beyond 256 atoms.

{table(head, rows)}
Strong scaling on two cores:

{table(["", "µs per atom and step", "times as fast as one rank"], strong)}
Weak scaling: a step of {atoms(one)} on one rank takes {times[0]}, one of {atoms(two)} on two ranks {times[1]}: an
efficiency of {weak["efficiency"]:.2f}{spread}.

{agree}""" + source(record, "scaling")


def epoch_table(record: Record) -> str:
    """Return the contenders' seconds, and what they trained."""
    ratios = record["times_networks_alone"]
    rows = []
    for name, ratio in ratios.items():
        seconds = record["seconds"][name]
        rows.append([name, number(seconds["median"]) + quartiles(seconds["all"]), number(ratio)])
    once = "; ".join(f"{name} {number(seconds)} s" for name, seconds in record["seconds_once"].items())
    data = f"{record['n_configurations']:,} configurations of {record['atoms']} Ni atoms with forces"
    return f"""{data}, batches of {record["batch"]},
{how_many(record)}. *Networks alone* are forward, gradient in the AEV, and parameter gradients of both.

{table(["", "s", "times the networks alone"], rows)}
Once for all epochs and members: {once} (each with its neighbours). Losses and
parameter gradients of those that train agree.
"""


def how_many(record: Record) -> str:
    members = record.get("members", 1)
    if members == 1:
        return "one member" + (", one core" if not is_gpu(record) else "")
    return f"{members} members in one batched pass, TorchANI's one after another"


def train_epoch(record: Record) -> str:
    ratios = record["times_networks_alone"]
    reached = " and ".join(f"*{name}* {number(ratios[name])}" for name in ratios if name.startswith("nnpal"))
    return f"""
## An epoch of training

{epoch_table(record)}
The aim is at most {record["aim"]} times the networks alone; reached are {reached}.

""" + source(record, "train_epoch")


def cuda_epoch(record: Record) -> str:
    larger = record["larger_set_of_the_second_seed"]
    is_it = all(record[key] == larger[key] for key in ("n_configurations", "atoms"))
    aim = (
        f"The second seed needs {number(larger['seconds_there'])} s for as many configurations on its GPU; the aim is "
        f"{number(larger['aim_seconds'])} s.\n"
    )
    n_rounds, without = len(next(iter(record["seconds"].values()))["all"]), " --without-torchani"
    command = (
        f"train_epoch.py --device cuda --atoms {record['atoms']} --configurations {record['n_configurations']} "
        f"--members {record['members']} --rounds {n_rounds}{'' if 'TorchANI' in record['seconds'] else without}"
    )
    return f"""
## An epoch of training on a GPU

{record["gpu"]}. {epoch_table(record)}
{aim if is_it else ""}
""" + source(record, "cuda_epoch", command)


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

{record["gpu"]}, {record["model"]["members"]} members: million atom-steps per second of the pair style, in brackets of
the whole LAMMPS step; medians of as many rounds as the command below says. Aims for an H200 at a million atoms, with
uq_energy: 20 (10).

{table(["", *(atoms(r["n_atoms"]) for r in results)], rows)}
Differences from the CPU in double precision:

{table(head, agree)}
""" + source(record, "cuda_step", f"cuda_step.py --sizes {cells} --rounds {n_rounds}")


COMPARED = ("energy", "largest_force", "largest_uq_energy", "largest_uq_force")


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


def denormals(record: Record) -> str:
    seconds = record["cpu_seconds"]

    def cell(what: str) -> str:
        own = seconds[what]
        rounds = [kept / flushed for flushed, kept in zip(own["flushed"], own["kept"], strict=True)]
        return f"{record['kept_over_flushed'][what]:.2f} [{min(rounds):.2f} to {max(rounds):.2f}]"

    rows = [[what, cell(what)] for what in seconds]
    share = 100 * record["denormal_share_of_stored_derivatives"]
    n_rounds = len(next(iter(seconds.values()))["kept"])
    return f"""
## Denormal numbers

Gaussians far from their center are denormal numbers in float32, below 1.2e-38. nnpal's CPU kernels, and its training,
take them for 0: flush-to-zero is set while they run, on each of their threads, and the caller's setting restored.
Energies and forces of the steps below are the same to the last bit with and without; epochs were not compared. CPU time
with denormal numbers kept, over that with them flushed; medians of {n_rounds} rounds in one process, in brackets the
lowest and the highest.

{table([f"{record['machine']['cpu']}, {record['processor']}", "kept / flushed"], rows)}
Without the guard {share:.1f} % of the stored derivatives of AEVs are denormal. What they cost depends on the processor.
On an Intel Xeon with AVX-512 the ratios were reported to be 1.8 to 2.8 for a step with five members, 3 to 4 with one,
and 6 to 7 for the products of training. Those were not measured for this page: no Intel processor was at hand.

GPUs need no such setting. By NVIDIA's documentation they handle denormal numbers in hardware, without loss of speed, in
additions, multiplications and fused multiply-adds (compute capability 2.0 and later); sequences such as reciprocal
square roots take a slower path for them. nnpal's CUDA kernels are compiled without `--use_fast_math` and with nvcc's
default `-ftz=false`, so they keep denormal numbers; what flushing would change there was not measured.

""" + source(record, "denormals")


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
        f"Forces of the whole and of its parts differ by at most {differences['of_the_largest_force']:.0e} of the "
        f"largest, uq_force by {differences['of_the_largest_uq_force']:.0e}, and the gradients of ensemble and parts "
        f"by {differences['of_the_largest_gradient']:.0e}.\n\n"
        if differences
        else ""
    )
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

{agree}""" + source(record, "profile_step")


SECTIONS = {
    "pair_step": pair_step,
    "profile_step": profile_step,
    "uq_cost": uq_cost,
    "scaling": scaling,
    "train_epoch": train_epoch,
    "denormals": denormals,
    "data_io": data_io,
    "hooks": hooks,
    "cuda_step": cuda_step,
    "cuda_epoch": cuda_epoch,
}
GPU_ONLY = {"cuda_step", "cuda_epoch"}  # their results are there only where a GPU was


def was_on_gpu(records: Mapping[str, Record]) -> bool:
    rows = [row for record in records.values() for row in record.get("results", ())]
    return bool(GPU_ONLY & records.keys()) or any(is_gpu(row) for row in rows)


def page(results: Path) -> str:
    """Return the page of the records in a folder."""
    paths = {name: results / f"{name}.json" for name in SECTIONS}
    records = {
        name: json.loads(path.read_text()) for name, path in paths.items() if path.exists() or name not in GPU_ONLY
    }
    text = HEAD + "".join(SECTIONS[name](record) for name, record in records.items())
    return text if was_on_gpu(records) else text + NO_GPU


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
    return before + BEGIN + times_and_ratios(record["results"], IN_README, scatter=False) + END + after


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
