"""Sections of docs/performance.md on training, and on denormal numbers."""

from __future__ import annotations

from page_format import Record, is_gpu, label, number, quartiles, source, table


def epoch_table(record: Record) -> str:
    """Return the table of contenders with their times, and the description of the training."""
    to_networks, to_products = record["times_networks_alone"], record.get("times_products_alone")
    rows = []
    for name, ratio in to_networks.items():
        seconds = record["seconds"][name]
        row = [label(name), number(seconds["median"]) + quartiles(seconds["all"])]
        if to_products is not None:  # missing in records of earlier versions
            row += [number(1e3 * seconds["median"] / record["updates"]), number(to_products[name])]
        rows.append([*row, number(ratio)])
    head = ["ms per update", "ratio to products alone"] if to_products is not None else []
    once = "; ".join(f"{name} {number(seconds)} s" for name, seconds in record["seconds_once"].items())
    data = f"{record['n_configurations']:,} configurations of {record['atoms']} Ni atoms with forces"
    return f"""{data}, batches of {record["batch"]},
{how_many(record)}.

- *Networks alone*: forward pass, gradient with respect to the AEV, and the parameter gradients of both by torch's
  double backward.{of_products(record)}

{table(["", "CPU s" if record.get("clock") == "CPU" else "s", *head, "ratio to networks alone"], rows)}
Computed once for all epochs and members, neighbor lists included: {once}. Losses and parameter gradients of all
trainers agree.
"""


def how_many(record: Record) -> str:
    members = record.get("members", 1)
    if members == 1:
        return "one member" + (", one core" if not is_gpu(record) else "")
    return f"{members} members in one batched pass (TorchANI: one after another)"


def of_products(record: Record) -> str:
    """Return the description of *products alone*, if they were timed."""
    if "times_products_alone" not in record:
        return ""
    return """
- *Products alone*: the matrix products that any update needs, with random factors: forward, backward to the AEV, along
  the derivative of the loss with respect to that gradient, backward again, and two for the weights of each layer."""


def train_epoch(record: Record) -> str:
    ratios = record["times_products_alone"]
    reached = ", ".join(f"{number(ratios[name])} (*{label(name)}*)" for name in ratios if name.startswith("nnpal"))
    command = (
        f"train_epoch.py --batch {record['batch']} --configurations {record['n_configurations']} "
        f"--rounds {len(next(iter(record['seconds'].values()))['all'])}"
    )
    return f"""
## An epoch of training

{epoch_table(record)}
All rows include the default optimizer, SOAP, except *products alone* (none) and *AdamW*. The target is at most
{record["aim"]} times *products alone*; the results are {reached}.

""" + source(record, "train_epoch", command)


def cuda_epoch(record: Record) -> str:
    larger = record["larger_set_of_the_second_seed"]
    is_it = all(record[key] == larger[key] for key in ("n_configurations", "atoms"))
    aim = (
        f"The data-distillation paper reports {number(larger['seconds_there'])} s for the same number of "
        f"configurations on its GPU; the target is {number(larger['aim_seconds'])} s.\n"
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

Gaussians far from their center are denormal numbers in float32, below 1.2e-38. nnpal's CPU operations and training set
them to 0 (flush-to-zero) while they run, on each of their threads, and then restore the caller's setting.

The table gives CPU time with denormal numbers kept, divided by CPU time with them flushed: medians of {n_rounds} rounds
in one process, lowest and highest in brackets. Energies and forces of the steps are the same to the last bit in both
cases; epochs were not compared.

{table([f"{record['machine']['cpu']}, {record['processor']}", "kept / flushed"], rows)}
Without flush-to-zero, {share:.1f} % of the stored AEV derivatives are denormal. Their cost depends on the processor.
On an Intel Xeon with AVX-512, ratios of 1.8 to 2.8 for a step with five members, 3 to 4 with one, and 6 to 7 for the
products of training were reported; they were not measured for this page.

GPUs do not need this setting. According to NVIDIA's documentation, GPUs of compute capability 2.0 and later handle
denormal numbers at full speed in additions, multiplications and fused multiply-adds; sequences such as reciprocal
square roots take a slower path. nnpal's CUDA kernels are compiled without `--use_fast_math` and with nvcc's default
`-ftz=false`, so they keep denormal numbers; the effect of flushing them was not measured.

""" + source(record, "denormals")
