"""A LAMMPS of one's own: its source built with packages PLUGIN and PYTHON, for each MPI, and nnpal's plugins for it.

`make check-own-lammps` runs these tests. Variables of the environment:

    LAMMPS_SOURCE    a source tree; by default that of the Debian source package `lammps`, fetched
    OWN_LAMMPS_MPI   names of `MPIS` to try, "openmpi mpich" by default
    OWN_LAMMPS_BUILD where to build, build/own_lammps by default; what is there is used again
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lmp_own import OwnLammps

HERE = Path(__file__).parent
ENVIRONMENT = Path(sys.executable).parent

# name -> (compiler wrapper, launcher): Debian's Open MPI, and the MPICH of this environment
MPIS = {
    "openmpi": ("mpicxx.openmpi", "mpirun.openmpi"),
    "mpich": (str(ENVIRONMENT / "mpicxx"), str(ENVIRONMENT / "mpirun")),
}


def lammps_source(builds: Path) -> str:
    given = os.environ.get("LAMMPS_SOURCE", "")
    if given:
        return given
    return subprocess.check_output([HERE / "fetch_lammps.sh", builds / "source"], text=True).strip().splitlines()[-1]


@pytest.fixture(scope="session", params=os.environ.get("OWN_LAMMPS_MPI", " ".join(MPIS)).split())
def own(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> OwnLammps:
    """LAMMPS and the plugins, built for one MPI; a second run finds them built."""
    wrapper, mpirun = MPIS[request.param]
    assert shutil.which(wrapper), f"no {wrapper}; Debian: apt install libopenmpi-dev openmpi-bin"
    builds = Path(os.environ.get("OWN_LAMMPS_BUILD", pytestconfig.rootpath / "build" / "own_lammps"))
    builds.mkdir(parents=True, exist_ok=True)
    source = lammps_source(builds)
    prefix = builds / f"{Path(source).name}-{request.param}"
    with (builds / f"{prefix.name}.log").open("w") as log:
        command = [HERE / "build_lammps.sh", source, prefix, wrapper, sys.executable]
        ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT)
    assert ended.returncode == 0, f"see {log.name}"
    return OwnLammps(prefix, mpirun, Path(source))
