"""Time a step of pair_style nnp against its limit and its peers, all in one run.

    python benchmarks/pair_step.py [--quick] [--output benchmarks/results/pair_step.json]

Every round times each contender once, one after another, so that a slower machine slows all; figures are
medians over the rounds, and ratios are medians of the rounds' ratios. Contenders, per atom and step:

- networks: the matrix products of the five networks, forward and input gradient: the limit
- nnp: the pair style, energy and forces; with uq_energy and with uq_force on top at every step; on two ranks
- nnp, kernel torchani: the same weights exported as TorchANI's own modules
- TorchANI eager: the same model in Python, energy and forces, its pairs given
- SNAP: of the same LAMMPS, with the same skin and rebuilds; on two ranks
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
import torch_timing
from record import write_record

STEPS = {108: 200, 864: 40, 4000: 10}
SECONDS_IN_TORCH = 2.0
LIMIT = "networks at the sgemm rate"
PAIR_STYLE = "nnp"
WITH_UQ_ENERGY = "nnp + uq_energy"
WITH_BOTH = "nnp + uq_energy + uq_force"
AIM_OF_STEP = {108: 3.0, 864: 2.0}  # atoms -> with uq_energy, times the networks' matrix products
AIM_OF_UQ_FORCE = 1.0  # on top
# Of the largest force and of the energy per atom. TorchANI takes float32 positions, which keep 2e-6 Å at 35 Å; a
# Gaussian with eta = 20 / Å^2 makes some 2e-5 of it.
AGREEMENT = 1e-4
FORCE = "force_ev_per_angstrom"


@dataclass(frozen=True)
class Models:
    """The same weights three times."""

    eager: torch.nn.Module
    fused: Path
    torchani: Path


def build_models(folder: Path) -> Models:
    ensemble = nickel.build_ensemble()
    fused = nickel.export(ensemble, folder / "fused.nnp.pt")
    return Models(ensemble, fused, nickel.export(ensemble, folder / "torchani.nnp.pt", kernel="torchani"))


def contenders(models: Models, n_atoms: int, folder: Path) -> dict[str, Callable[[], float]]:
    """Return what each contender measures, in µs for each atom and step."""

    def lammps(contender: lmp_timing.Contender, n_ranks: int) -> Callable[[], float]:
        return lambda: lmp_timing.run_steps(contender, n_atoms, STEPS[n_atoms], n_ranks, folder).microseconds

    def in_torch(function: Callable[[], object]) -> Callable[[], float]:
        return lambda: torch_timing.microseconds_per_call(function, SECONDS_IN_TORCH) / n_atoms

    return {
        LIMIT: in_torch(torch_timing.NetworkProducts(n_atoms)),
        PAIR_STYLE: lammps(lmp_timing.nnp(models.fused), 1),
        WITH_UQ_ENERGY: lammps(lmp_timing.nnp(models.fused, extra=lmp_timing.UQ_ENERGY), 1),
        WITH_BOTH: lammps(lmp_timing.nnp(models.fused, extra=lmp_timing.UQ_BOTH), 1),
        "nnp, kernel torchani": lammps(lmp_timing.nnp(models.torchani), 1),
        "TorchANI eager": in_torch(torch_timing.TorchANI(models.eager, n_atoms)),
        "SNAP": lammps(lmp_timing.snap(), 1),
        "nnp, 2 ranks": lammps(lmp_timing.nnp(models.fused), 2),
        "SNAP, 2 ranks": lammps(lmp_timing.snap(), 2),
    }


def check_agreement(models: Models, n_atoms: int, folder: Path) -> dict[str, dict[str, float]]:
    """Require that the pair style, with both kernels, and TorchANI give the same energy and forces.

    Raises:
        RuntimeError: they differ by more than rounding.
    """
    expected_energy, expected_forces = torch_timing.TorchANI(models.eager, n_atoms)()
    allowed = {
        "energy_ev_per_atom": AGREEMENT * abs(expected_energy) / n_atoms,
        FORCE: AGREEMENT * float(np.abs(expected_forces).max()),
    }
    found = {}
    for kernel, model in {"fused": models.fused, "torchani": models.torchani}.items():
        energy, forces = lmp_timing.energy_and_forces(lmp_timing.nnp(model), n_atoms, folder)
        differences = {
            "energy_ev_per_atom": abs(energy - expected_energy) / n_atoms,
            FORCE: float(np.abs(forces - expected_forces).max()),
        }
        if any(not differences[name] <= allowed[name] for name in allowed):
            raise RuntimeError(
                f"pair_style nnp with kernel {kernel} and TorchANI disagree at {n_atoms} atoms: {differences}, "
                f"allowed {allowed}"
            )
        found[kernel] = {**differences, "of_the_largest_force": AGREEMENT * differences[FORCE] / allowed[FORCE]}
    return found


def aims(rounds: list[dict[str, float]], n_atoms: int) -> list[dict[str, object]]:
    """Return what was aimed at and what was reached, in times of the networks' matrix products."""
    step = statistics.median(r[WITH_UQ_ENERGY] / r[LIMIT] for r in rounds)
    uq_force = statistics.median((r[WITH_BOTH] - r[WITH_UQ_ENERGY]) / r[LIMIT] for r in rounds)
    return [
        {"what": "step with uq_energy", "aim": AIM_OF_STEP.get(n_atoms), "reached": step},
        {"what": "uq_force on top", "aim": AIM_OF_UQ_FORCE, "reached": uq_force},
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
        "ratio_to_networks": {name: statistics.median(r[name] / r[LIMIT] for r in rounds) for name in timers},
        "ratio_to_nnp": {name: statistics.median(r[name] / r[PAIR_STYLE] for r in rounds) for name in timers},
        "aims": aims(rounds, n_atoms),
        "rounds": rounds,
    }


def print_table(results: list[dict[str, object]]) -> None:
    table = Table(title="µs per atom and step (ratio to the networks' matrix products)")
    table.add_column("contender")
    for result in results:
        table.add_column(f"{result['n_atoms']} atoms", justify="right")
    for name in results[0]["microseconds_per_atom_and_step"]:
        cells = [
            f"{result['microseconds_per_atom_and_step'][name]:.1f} ({result['ratio_to_networks'][name]:.1f})"
            for result in results
        ]
        table.add_row(name, *cells)
    console = Console(width=110)
    console.print(table)
    for result in results:
        for aim in result["aims"]:
            wanted = "no aim" if aim["aim"] is None else f"aim {aim['aim']:.1f}"
            console.print(f"{result['n_atoms']} atoms, {aim['what']}: {aim['reached']:.2f} times ({wanted})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 108 atoms, to see that it runs")
    parser.add_argument("--rounds", type=int, default=3)
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
