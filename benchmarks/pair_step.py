"""Compare a step of pair_style nnp with its networks' matrix products and with other potentials, in one run.

    python benchmarks/pair_step.py [--quick] [--output benchmarks/results/pair_step.json]

Every round times each contender once, one after another, so that a slow phase of the machine affects all; times are
medians over the rounds, and ratios are medians of the rounds' ratios. Contenders, per atom and step:

- networks at the sgemm rate: the matrix products of the five networks, forward and input gradient, by torch; the
  reference for the others, not a lower limit, because torch does not reach the peak rate of a core
- networks at the best sgemm rate: the same number of operations at torch's best rate for square matrices in the round
- nnp: the pair style, energy and forces; with uq_energy, and also uq_force, at every step; the same file in double
  precision; on two ranks
- nnp, kernel torchani: the same weights exported as TorchANI's modules
- TorchANI eager: the same model in Python, energy and forces, with given pairs
- SNAP: in the same LAMMPS, with the same skin and rebuilds; on two ranks

Before anything is timed, energy, forces and uncertainties of all contenders that evaluate the model must agree with
TorchANI, and those of SNAP must be equal on one and two ranks.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
import torch_timing
from agreement import Differences, Evaluation, require_agreement
from record import write_record

STEPS = {108: 200, 864: 40, 4000: 10}
SECONDS_IN_TORCH = 2.0
NETWORKS = "networks at the sgemm rate"
AT_BEST_RATE = "networks at the best sgemm rate"
PAIR_STYLE = "nnp"
WITH_UQ_ENERGY = "nnp + uq_energy"
WITH_BOTH = "nnp + uq_energy + uq_force"
IN_DOUBLE = "nnp + uq_energy, precision double"
AIM_OF_STEP = {108: 3.0, 864: 2.0}  # atoms -> step with uq_energy / networks' matrix products
AIM_OF_UQ_FORCE = 1.0  # additional time / networks' matrix products
AIM_AT_BEST_RATE = {864: 1.7}  # atoms -> the same step / networks at the best sgemm rate
# Relative to the energy and to the largest force and uncertainty. TorchANI takes float32 positions, rounded by 2e-6 Å
# at 35 Å; a Gaussian with eta = 20 / Å^2 amplifies this to about 2e-5.
AGREEMENT = 1e-4
SAME_SUM = 1e-10  # SNAP on two ranks: the same terms in double precision, summed in another order


@dataclass(frozen=True)
class Models:
    """The same weights as TorchANI modules and as files with either kernel."""

    eager: torch.nn.Module
    fused: Path
    torchani: Path


def build_models(folder: Path) -> Models:
    ensemble = nickel.build_ensemble()
    fused = nickel.export(ensemble, folder / "fused.nnp.pt")
    return Models(ensemble, fused, nickel.export(ensemble, folder / "torchani.nnp.pt", kernel="torchani"))


@dataclass(frozen=True)
class InLammps:
    """A pair style and its number of ranks."""

    contender: lmp_timing.Contender
    n_ranks: int = 1


def of_the_model(models: Models) -> dict[str, InLammps]:
    """Return the contenders that evaluate the ensemble in LAMMPS."""
    with_uq = lmp_timing.nnp(models.fused, uncertainties=lmp_timing.UQ_ENERGY)
    in_double = lmp_timing.nnp(models.fused, uncertainties=lmp_timing.UQ_ENERGY, options="device cpu precision double")
    return {
        PAIR_STYLE: InLammps(lmp_timing.nnp(models.fused)),
        WITH_UQ_ENERGY: InLammps(with_uq),
        IN_DOUBLE: InLammps(in_double),
        WITH_BOTH: InLammps(lmp_timing.nnp(models.fused, uncertainties=lmp_timing.UQ_BOTH)),
        "nnp, kernel torchani": InLammps(lmp_timing.nnp(models.torchani)),
        "nnp, 2 ranks": InLammps(lmp_timing.nnp(models.fused), 2),
        f"{WITH_UQ_ENERGY}, 2 ranks": InLammps(with_uq, 2),
        f"{IN_DOUBLE}, 2 ranks": InLammps(in_double, 2),
    }


def of_snap() -> dict[str, InLammps]:
    return {"SNAP": InLammps(lmp_timing.snap()), "SNAP, 2 ranks": InLammps(lmp_timing.snap(), 2)}


def contenders(models: Models, n_atoms: int, folder: Path) -> dict[str, Callable[[], float]]:
    """Return a function for each contender that measures its time, µs per atom and step."""

    def lammps(one: InLammps) -> Callable[[], float]:
        return lambda: lmp_timing.run_steps(one.contender, n_atoms, STEPS[n_atoms], one.n_ranks, folder).microseconds

    def in_torch(function: Callable[[], object]) -> Callable[[], float]:
        return lambda: torch_timing.microseconds_per_call(function, SECONDS_IN_TORCH) / n_atoms

    products = torch_timing.NetworkProducts(n_atoms)
    return {
        NETWORKS: in_torch(products),
        AT_BEST_RATE: lambda: 1e6 * products.operations / torch_timing.best_product_rate() / n_atoms,
        **{name: lammps(one) for name, one in of_the_model(models).items()},
        "TorchANI eager": in_torch(torch_timing.TorchANI(models.eager, n_atoms)),
        **{name: lammps(one) for name, one in of_snap().items()},
    }


def check_agreement(models: Models, n_atoms: int, folder: Path) -> dict[str, Differences]:
    """Require that all contenders give the same results; return the differences from TorchANI.

    Raises:
        RuntimeError: results differ by more than rounding.
    """

    def evaluate(some: Mapping[str, InLammps]) -> dict[str, Evaluation]:
        return {name: lmp_timing.evaluate(one.contender, n_atoms, folder, one.n_ranks) for name, one in some.items()}

    on_one, on_two = evaluate(of_snap()).values()
    require_agreement(f"SNAP on two ranks and on one, {n_atoms} atoms", on_two, on_one, SAME_SUM)
    expected = torch_timing.TorchANI(models.eager, n_atoms).evaluate()
    return {
        name: require_agreement(f"{name} and TorchANI, {n_atoms} atoms", found, expected, AGREEMENT)
        for name, found in evaluate(of_the_model(models)).items()
    }


def aims(rounds: list[dict[str, float]], n_atoms: int) -> list[dict[str, object]]:
    """Return targets and results, as ratios to the networks at the sgemm rate or at the stated rate."""
    step = statistics.median(r[WITH_UQ_ENERGY] / r[NETWORKS] for r in rounds)
    uq_force = statistics.median((r[WITH_BOTH] - r[WITH_UQ_ENERGY]) / r[NETWORKS] for r in rounds)
    at_best_rate = statistics.median(r[WITH_UQ_ENERGY] / r[AT_BEST_RATE] for r in rounds)
    return [
        {"what": "step with uq_energy", "aim": AIM_OF_STEP.get(n_atoms), "reached": step},
        {"what": "uq_force on top", "aim": AIM_OF_UQ_FORCE, "reached": uq_force},
        {
            "what": "step with uq_energy, of the networks at the best sgemm rate",
            "aim": AIM_AT_BEST_RATE.get(n_atoms),
            "reached": at_best_rate,
        },
    ]


def measure(n_atoms: int, n_rounds: int, folder: Path) -> dict[str, object]:
    """Time all contenders at one size."""
    models = build_models(folder)
    differences = check_agreement(models, n_atoms, folder)
    timers = contenders(models, n_atoms, folder)
    rounds = [{name: timer() for name, timer in timers.items()} for _ in range(n_rounds)]
    return {
        "n_atoms": n_atoms,
        "difference_from_torchani": differences,
        "microseconds_per_atom_and_step": {name: statistics.median(r[name] for r in rounds) for name in timers},
        "ratio_to_networks": {name: statistics.median(r[name] / r[NETWORKS] for r in rounds) for name in timers},
        "ratio_to_best_sgemm_rate": {
            name: statistics.median(r[name] / r[AT_BEST_RATE] for r in rounds) for name in timers
        },
        "ratio_to_nnp": {name: statistics.median(r[name] / r[PAIR_STYLE] for r in rounds) for name in timers},
        "aims": aims(rounds, n_atoms),
        "rounds": rounds,
    }


def print_table(results: list[dict[str, Any]]) -> None:
    table = Table(title="µs per atom and step (ratio to the sgemm rate; to the best sgemm rate)")
    table.add_column("contender")
    for result in results:
        table.add_column(f"{result['n_atoms']} atoms", justify="right")
    for name in results[0]["microseconds_per_atom_and_step"]:
        cells = [
            f"{result['microseconds_per_atom_and_step'][name]:.1f} ({result['ratio_to_networks'][name]:.2f}; "
            f"{result['ratio_to_best_sgemm_rate'][name]:.2f})"
            for result in results
        ]
        table.add_row(name, *cells)
    console = Console(width=110)
    console.print(table)
    for result in results:
        for aim in result["aims"]:
            wanted = "no aim" if aim["aim"] is None else f"aim {aim['aim']:.1f}"
            console.print(f"{result['n_atoms']} atoms, {aim['what']}: ratio {aim['reached']:.2f} ({wanted})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 108 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "pair_step.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [108] if arguments.quick else list(STEPS)
    with tempfile.TemporaryDirectory() as name:
        results = [measure(n_atoms, 1 if arguments.quick else arguments.rounds, Path(name)) for n_atoms in sizes]
    print_table(results)
    write_record(
        arguments.output,
        "pair_step",
        ("nnpal", "torch", "torchani", "lammps", "mpich"),
        {
            "model": {"members": nickel.N_MEMBERS, "hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
