"""Exploration: LAMMPS runs under a network or the oracle that search for configurations worth labeling."""

from nnpal.active_learning.sampling.facts import holds_run
from nnpal.active_learning.sampling.isobaric import plan_isobaric, read_isobaric
from nnpal.active_learning.sampling.npt import npt, read_npt
from nnpal.active_learning.sampling.oracle_md import oracle_md, read_md
from nnpal.active_learning.sampling.plan import (
    MD_TASK,
    MOMT_TASK,
    NPT_TASK,
    SMD_TASK,
    name_of_pull,
    plan_initial,
    plan_momt,
    plan_noiseless,
    plan_npt,
    plan_smd,
    rate_and_run,
)
from nnpal.active_learning.sampling.results import (
    INTERRUPTED,
    IsobaricRun,
    MOMTRun,
    SMDRun,
    read_given_up,
    read_momt,
    read_rows_of_pull,
    read_smd,
)
from nnpal.active_learning.sampling.settings import (
    ExploreSection,
    InitialSection,
    IsobaricSection,
    MOMTSection,
    NPTSection,
    SMDSection,
)
from nnpal.active_learning.sampling.tasks import momt, smd

__all__ = [
    "INTERRUPTED",
    "MD_TASK",
    "MOMT_TASK",
    "NPT_TASK",
    "SMD_TASK",
    "ExploreSection",
    "InitialSection",
    "IsobaricRun",
    "IsobaricSection",
    "MOMTRun",
    "MOMTSection",
    "NPTSection",
    "SMDRun",
    "SMDSection",
    "holds_run",
    "momt",
    "name_of_pull",
    "npt",
    "oracle_md",
    "plan_initial",
    "plan_isobaric",
    "plan_momt",
    "plan_noiseless",
    "plan_npt",
    "plan_smd",
    "rate_and_run",
    "read_given_up",
    "read_isobaric",
    "read_md",
    "read_momt",
    "read_npt",
    "read_rows_of_pull",
    "read_smd",
    "smd",
]
