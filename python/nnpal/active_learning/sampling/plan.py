"""The runs that a table asks for: a name and the arguments of a task for each."""

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
        force_field: with paths as they are from here.
        folder: under which each run has its own, by its name.
        base_folder: the configuration file's.
        seed: that all seeds follow from, by rate and run.
        runs: numbers of the runs at each rate, none at a rate that is not there; None: the first ``section.runs`` of
            all rates.
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
    """Return rate, as texts have it, and number of a pull from its folder's name."""
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
    """Return name -> arguments of :func:`nnpal.active_learning.sampling.momt`; all runs begin with ``bias`` if there is
    one."""
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
        # how many pulls there may be is no matter of one of them, which it would make another task
        "settings": section.model_dump(mode="json", exclude={"most_runs"}),
        "force_field": _force_field(force_field, folder),
        "seed": int(np.random.SeedSequence(seeds).generate_state(1)[0]),
    }


def _force_field(given: ForceField, folder: Path) -> dict[str, Any]:
    """Return what :func:`nnpal.active_learning.sampling.force_field.forces_of` reads in the process of the task."""
    if isinstance(given, OracleForces):
        return {**given.section.model_dump(mode="json"), "folder": _below(given.folder, folder)}
    model = _below(Path(given.model), folder)
    return given.model_copy(update={"model": model}).model_dump(mode="json", exclude_none=True)


def _below(path: Path, folder: Path) -> str:
    """Return a path as a run sees it, from its folder one below ``folder``."""
    return os.path.relpath(path, folder / "run")
