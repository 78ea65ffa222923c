"""A LAMMPS of one's own: its source built with packages PLUGIN and PYTHON, for each MPI, and nnpal's plugins for it.

`make check-own-lammps` runs these tests. Variables of the environment:

    LAMMPS_SOURCE    a source tree; by default that of the Debian source package `lammps`, fetched
    OWN_LAMMPS_MPI   names of `MPIS` to try, "openmpi mpich" by default
    OWN_LAMMPS_BUILD where to build, build/own_lammps by default; what is there is used again
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lmp_own import OwnLammps

HERE = Path(__file__).parent
ENVIRONMENT = Path(sys.executable).parent

# name -> (compiler wrapper, launcher): Debian's Open MPI, the MPICH of this environment, Debian's MPICH
MPIS = {
    "openmpi": ("mpicxx.openmpi", "mpirun.openmpi"),
    "mpich": (str(ENVIRONMENT / "mpicxx"), str(ENVIRONMENT / "mpirun")),
    "debian-mpich": ("mpicxx.mpich", "mpirun.mpich"),
}
TRIED = os.environ.get("OWN_LAMMPS_MPI", "openmpi mpich").split()

# Of the name of an MPI and further options of cmake: a LAMMPS and, where there are no such options, its plugins
Build = Callable[..., OwnLammps]


def lammps_source(builds: Path) -> Path:
    given = os.environ.get("LAMMPS_SOURCE", "")
    if given:
        return Path(given)
    fetched = subprocess.check_output([HERE / "fetch_lammps.sh", builds / "source"], text=True)
    return Path(fetched.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def build(pytestconfig: pytest.Config) -> Build:
    """Build once for each MPI; a second run finds all built."""
    builds = Path(os.environ.get("OWN_LAMMPS_BUILD", pytestconfig.rootpath / "build" / "own_lammps"))
    builds.mkdir(parents=True, exist_ok=True)
    source = lammps_source(builds)

    @functools.cache
    def build_one(mpi: str, *options: str) -> OwnLammps:
        wrapper, mpirun = MPIS[mpi]
        assert shutil.which(wrapper), (
            f"no {wrapper}; Debian: apt install libopenmpi-dev openmpi-bin, or libmpich-dev mpich"
        )
        name = "-".join([source.name, mpi, *(option.split("=")[-1] for option in options)])
        commands = [[HERE / "build_lammps.sh", source, builds / name, wrapper, sys.executable, *options]]
        if not options:
            commands.append([HERE / "build_plugins.sh", source, builds / name, wrapper, sys.executable])
        with (builds / f"{name}.log").open("w") as log:
            for command in commands:
                ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT)
                assert ended.returncode == 0, f"see {log.name}"
        return OwnLammps(builds / name, mpirun, source, builds / name / "lib" / "nnpal")

    return build_one


@pytest.fixture(scope="session", params=TRIED)
def own(request: pytest.FixtureRequest, build: Build) -> OwnLammps:
    """LAMMPS and the plugins, built for one MPI."""
    return build(request.param)


@pytest.fixture(scope="session")
def own_of_64_bit_ids(build: Build) -> OwnLammps:
    """LAMMPS with integers that are not of the default sizes, and the plugins built for one with those that are."""
    usual = build(TRIED[0])
    return dataclasses.replace(build(TRIED[0], "-DLAMMPS_SIZES=bigbig"), plugins=usual.plugins)


@pytest.fixture
def of_another_mpi(own: OwnLammps, build: Build) -> OwnLammps:
    """Open MPI's for one of MPICH and the other way around; both are of the same LAMMPS."""
    open_mpi = MPIS["openmpi"][1]
    others = [name for name in TRIED if (MPIS[name][1] == open_mpi) != (own.mpirun == open_mpi)]
    if not others:
        pytest.skip("OWN_LAMMPS_MPI names no other MPI")
    return build(others[0])
