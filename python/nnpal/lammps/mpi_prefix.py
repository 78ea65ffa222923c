"""The words before an MPI program's name, as a cluster's executor gives them to a task."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

PREFIX = "PARSL_MPI_PREFIX"
"""Set by Parsl's MPIExecutor for each task; the ``worker_init`` of any other executor may set it too."""


def mpi_prefix(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return for instance `["srun", "--ntasks", "64"]`, or nothing where the program is started by itself."""
    return shlex.split(environment.get(PREFIX, ""))
