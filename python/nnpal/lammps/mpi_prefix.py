"""Launch prefix of MPI programs, as a cluster's executor gives it to a task."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

PREFIX = "PARSL_MPI_PREFIX"
"""Set by Parsl's MPIExecutor for each task; ``worker_init`` of other executors may also set it."""


def mpi_prefix(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the launch prefix, such as `["srun", "--ntasks", "64"]`, or an empty list without a launcher."""
    return shlex.split(environment.get(PREFIX, ""))
