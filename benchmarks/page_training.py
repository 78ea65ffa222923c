"""Sections of docs/performance.md on training, and on denormal numbers."""

from __future__ import annotations

from page_format import Record, is_gpu, number, quartiles, source, table


def epoch_table(record: Record) -> str:
    """Return the contenders' seconds, and what they trained."""
    to_networks, to_products = record["times_networks_alone"], record.get("times_products_alone")
    rows = []
    for name, ratio in to_networks.items():
        seconds = record["seconds"][name]
        row = [name, number(seconds["median"]) + quartiles(seconds["all"])]
        if to_products is not None:  # records of earlier versions have none
            row += [number(1e3 * seconds["median"] / record["updates"]), number(to_products[name])]
        rows.append([*row, number(ratio)])
    head = ["ms an update", "times the products alone"] if to_products is not None else []
    once = "; ".join(f"{name} {number(seconds)} s" for name, seconds in record["seconds_once"].items())
    data = f"{record['n_configurations']:,} configurations of {record['atoms']} Ni atoms with forces"
    return f"""{data}, batches of {record["batch"]},
{how_many(record)}. *Networks alone* are forward, gradient in the AEV, and parameter gradients of both, by
torch's double backward.{of_products(record)}

{table(["", "CPU s" if record.get("clock") == "CPU" else "s", *head, "times the networks alone"], rows)}
Once for all epochs and members: {once} (each with its neighbors). Losses and
parameter gradients of those that train agree.
"""


def how_many(record: Record) -> str:
    members = record.get("members", 1)
    if members == 1:
        return "one member" + (", one core" if not is_gpu(record) else "")
    return f"{members} members in one batched pass, TorchANI's one after another"


def of_products(record: Record) -> str:
    """Return what the products are, where they were timed."""
    if "times_products_alone" not in record:
        return ""
    return """ *Products alone* are the matrix products that any update needs, of random
factors: forward, down to the AEV, along the loss's derivative in that gradient, down again, two for each weight."""


def train_epoch(record: Record) -> str:
    ratios = record["times_products_alone"]
    reached = " and ".join(f"*{name}* {number(ratios[name])}" for name in ratios if name.startswith("nnpal"))
    command = (
        f"train_epoch.py --batch {record['batch']} --configurations {record['n_configurations']} "
        f"--rounds {len(next(iter(record['seconds'].values()))['all'])}"
    )
    return f"""
## An epoch of training

{epoch_table(record)}
The default optimizer, SOAP, is part of all but the products and the one by AdamW. The aim is at most
{record["aim"]} times the products alone; there are {reached}.

""" + source(record, "train_epoch", command)


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

Gaussians far from their center are denormal numbers in float32, below 1.2e-38. nnpal's CPU operations, and training,
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
