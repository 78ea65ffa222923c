"""The runs of a table of the configuration: a name and task arguments for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnpal.active_learning.sampling.force_field import NNPForces, OracleForces
from nnpal.active_learning.sampling.settings import (
    InitialSection,
    IsobaricSection,
    MOMTSection,
    NPTSection,
    Run,
    SMDSection,
)

ForceField = NNPForces | OracleForces
Plan = dict[str, dict[str, Any]]
SMD_TASK, MOMT_TASK, NPT_TASK, MD_TASK = (
    "nnpal.active_learning.sampling.tasks:smd",
    "nnpal.active_learning.sampling.tasks:momt",
    "nnpal.active_learning.sampling.npt:npt",
    "nnpal.active_learning.sampling.oracle_md:oracle_md",
)


def plan_smd(
    section: SMDSection,
    force_field: ForceField,
    folder: Path,
    base_folder: Path,
    seed: int,
    runs: Mapping[float, range] | None = None,
) -> Plan:
    """Return name -> arguments of :func:`nnpal.active_learning.sampling.smd`, for every rate and run.

    Arguments:
        section: table [explore].
        force_field: force field, with paths relative to the working directory.
        folder: parent of the runs' folders, which have the runs' names.
        base_folder: folder of the configuration file.
        seed: random seed, from which those of each rate and run are derived.
        runs: run numbers at each rate, none at rates that are missing; None: the first ``section.runs`` at each rate.
    """
    first = range(section.runs)
    return {
        name_of_pull(rate, run): {
            **_common(section, force_field, folder, (seed, i, run)),
            "structure": _below(base_folder / section.structure, folder),
            "rate": rate,
        }
        for i, rate in enumerate(section.rates)
        for run in (first if runs is None else runs.get(rate, ()))
    }


def plan_noiseless(section: SMDSection, force_field: ForceField, folder: Path, base_folder: Path, seed: int) -> Plan:
    """Return the plan of the pulls without noise, at the largest rate; arguments as for :func:`plan_smd`."""
    return {
        f"rate-{section.fastest:g}-push-{run}": {
            **_common(section, force_field, folder, (seed, len(section.rates), run)),
            "structure": _below(base_folder / section.structure, folder),
            "rate": section.fastest,
            "noiseless": True,
        }
        for run in range(section.noiseless)
    }


def name_of_pull(rate: float, run: int) -> str:
    """Return the folder of a pull."""
    return f"rate-{rate:g}-run-{run}"


def rate_and_run(name: str) -> tuple[str, int]:
    """Return the rate, as text, and the number of a pull from its folder's name."""
    rate, _, run = name.removeprefix("rate-").rpartition("-run-")
    return rate, int(run)


def plan_momt(
    section: MOMTSection,
    force_field: ForceField,
    folder: Path,
    base_folder: Path,
    seed: int,
    bias: Path | None = None,
) -> Plan:
    """Return name -> arguments of :func:`nnpal.active_learning.sampling.momt` for every run.

    All runs start from ``bias`` if it is given.
    """
    return {
        f"run-{run}": {
            **_common(section, force_field, folder, (seed, run)),
            "structure": _structure(section, folder, base_folder),
            "bias": None if bias is None else _below(bias, folder),
        }
        for run in range(section.runs)
    }


def plan_npt(section: NPTSection, force_field: ForceField, folder: Path, base_folder: Path, seed: int) -> Plan:
    """Return name -> arguments of :func:`nnpal.active_learning.sampling.npt`, for every start and run."""
    return {
        f"{start}-run-{run}": {
            **_common(section, force_field, folder, (seed, i, run)),
            "structure": _structure(section, folder, base_folder),
            "start": start,
        }
        for i, start in enumerate(section.starts)
        for run in range(section.runs)
    }


def _structure(section: IsobaricSection, folder: Path, base_folder: Path) -> str | None:
    return None if section.structure is None else _below(base_folder / section.structure, folder)


def plan_initial(section: InitialSection, force_field: ForceField, folder: Path, base_folder: Path, seed: int) -> Plan:
    """Return name -> arguments of :func:`nnpal.active_learning.sampling.oracle_md`, for every temperature and run."""
    return {
        f"temperature-{temperature:g}-run-{run}": {
            **_common(section, force_field, folder, (seed, i, run)),
            "structure": _below(base_folder / section.structure, folder),
            "temperature": temperature,
        }
        for i, temperature in enumerate(section.temperatures)
        for run in range(section.runs)
    }


def _common(section: Run, force_field: ForceField, folder: Path, seeds: tuple[int, ...]) -> dict[str, Any]:
    return {
        # the largest number of pulls does not affect a single pull, and must not change its task
        "settings": section.model_dump(mode="json", exclude={"most_runs"}),
        "force_field": _force_field(force_field, folder),
        "seed": int(np.random.SeedSequence(seeds).generate_state(1)[0]),
    }


def _force_field(given: ForceField, folder: Path) -> dict[str, Any]:
    """Return the argument of :func:`nnpal.active_learning.sampling.force_field.forces_of` in the task's process."""
    if isinstance(given, OracleForces):
        return {**given.section.model_dump(mode="json"), "folder": _below(given.folder, folder)}
    model = _below(Path(given.model), folder)
    return given.model_copy(update={"model": model}).model_dump(mode="json", exclude_none=True)


def _below(path: Path, folder: Path) -> str:
    """Return a path relative to a run's folder, which is directly below ``folder``."""
    return os.path.relpath(path, folder / "run")
