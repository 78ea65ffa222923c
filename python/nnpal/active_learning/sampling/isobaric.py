"""Sampling at constant pressure by MOMT or NPT dynamics, as the configuration says."""

from __future__ import annotations

from pathlib import Path

from nnpal.active_learning.sampling.facts import FACTS
from nnpal.active_learning.sampling.npt import read_npt
from nnpal.active_learning.sampling.plan import MOMT_TASK, NPT_TASK, ForceField, Plan, plan_momt, plan_npt
from nnpal.active_learning.sampling.results import IsobaricRun, read_momt
from nnpal.active_learning.sampling.settings import IsobaricSection, MOMTSection, NPTSection
from nnpal.runtime.json_files import read_json

READERS = {"momt": read_momt, "npt": read_npt}


def plan_isobaric(
    section: IsobaricSection, force_field: ForceField, folder: Path, base_folder: Path, seed: int
) -> tuple[str, Plan]:
    """Return the task of a sampling and the plan of its runs, see :func:`nnpal.active_learning.sampling.plan_momt`."""
    if isinstance(section, NPTSection):
        return NPT_TASK, plan_npt(section, force_field, folder, base_folder, seed)
    if isinstance(section, MOMTSection):
        return MOMT_TASK, plan_momt(section, force_field, folder, base_folder, seed)
    raise TypeError(f"{type(section).__name__}: expected a table [explore] with kind = 'momt' or 'npt'")


def read_isobaric(folder: Path) -> IsobaricRun:
    """Read a MOMT or NPT run, see :func:`nnpal.active_learning.sampling.read_momt`.

    Raises:
        FileNotFoundError: the folder has no run.
        ValueError: it has another kind of run, or a file has the wrong format.
    """
    kind = kind_of(folder)
    if kind not in READERS:
        raise ValueError(f"{folder / FACTS}: a run of kind {kind!r}, expected {' or '.join(READERS)}")
    return READERS[kind](folder)


def kind_of(folder: Path) -> str:
    """Return the kind of run in a folder.

    Raises:
        FileNotFoundError: the folder has no run.
    """
    found = read_json(folder / FACTS)
    if found is None:
        raise FileNotFoundError(f"{folder / FACTS}: no such file; expected the folder of a run")
    return str(found.get("kind"))
