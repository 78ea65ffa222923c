"""A LAMMPS of one's own: its source built with packages PLUGIN and PYTHON, for each MPI, and nnpal's plugins for it.

`make check-own-lammps` runs these tests. Variables of the environment:

    LAMMPS_SOURCE    a source tree; by default that of the Debian source package `lammps`, fetched
    OWN_LAMMPS_MPI   names of `MPIS` to try, "openmpi mpich" by default; the first is tried with 64-bit atom IDs too
    OWN_LAMMPS_BUILD where to build, build/own_lammps by default; what is there is used again
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
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
WITH_64_BIT_IDS = f"{TRIED[0]}-bigbig"

# Of the name of an MPI, followed by -bigbig for 64-bit atom IDs: a LAMMPS and its plugins
Build = Callable[[str], OwnLammps]


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
    def build_one(kind: str) -> OwnLammps:
        mpi, is_bigbig = kind.removesuffix("-bigbig"), kind.endswith("-bigbig")
        wrapper, mpirun = MPIS[mpi]
        assert shutil.which(wrapper), (
            f"no {wrapper}; Debian: apt install libopenmpi-dev openmpi-bin, or libmpich-dev mpich"
        )
        prefix = builds / f"{source.name}-{kind}"
        sizes = ["-DLAMMPS_SIZES=bigbig"] if is_bigbig else []
        # The installed LAMMPS states the sizes of its integers, its source does not
        headers = prefix if is_bigbig else source
        with (builds / f"{prefix.name}.log").open("w") as log:
            for command in (
                [HERE / "build_lammps.sh", source, prefix, wrapper, sys.executable, *sizes],
                [HERE / "build_plugins.sh", headers, prefix, wrapper, sys.executable],
            ):
                ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT)
                assert ended.returncode == 0, f"see {log.name}"
        return OwnLammps(prefix, mpirun, source, prefix / "lib" / "nnpal", mpi_of_usual_name(prefix))

    return build_one


def mpi_of_usual_name(prefix: Path) -> Path | None:
    """Link the MPI library of a LAMMPS by MPICH's usual name, as docs/install.md says, where Debian gives it its own.

    The mpi4py wheel loads MPICH as ``libmpi.so.12`` and Open MPI as ``libmpi.so.40``.
    """
    loaded = subprocess.check_output(["ldd", prefix / "lib" / "liblammps.so"], text=True)
    library = re.search(r"libmpich\.so\.12 => (\S+)", loaded)
    if library is None:
        return None
    link = prefix / "lib" / "mpi" / "libmpi.so.12"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(library[1])
    return link.parent


@pytest.fixture(scope="session", params=[*TRIED, WITH_64_BIT_IDS])
def own(request: pytest.FixtureRequest, build: Build) -> OwnLammps:
    """LAMMPS and the plugins, built for one MPI and for one size of atom IDs."""
    return build(request.param)


@pytest.fixture(scope="session")
def own_of_64_bit_ids(build: Build) -> OwnLammps:
    return build(WITH_64_BIT_IDS)


@pytest.fixture(scope="session", params=["32-bit plugins", "64-bit plugins"])
def of_other_sizes(request: pytest.FixtureRequest, build: Build, own_of_64_bit_ids: OwnLammps) -> OwnLammps:
    """LAMMPS with atom IDs of one size, and the plugins that were built for the other; both are of the same MPI."""
    usual = build(TRIED[0])
    if request.param == "32-bit plugins":
        return dataclasses.replace(own_of_64_bit_ids, plugins=usual.plugins)
    return dataclasses.replace(usual, plugins=own_of_64_bit_ids.plugins)


@pytest.fixture
def of_another_mpi(own: OwnLammps, build: Build) -> OwnLammps:
    """Open MPI's for one of MPICH and the other way around; both are of the same LAMMPS."""
    open_mpi = MPIS["openmpi"][1]
    others = [name for name in TRIED if (MPIS[name][1] == open_mpi) != (own.mpirun == open_mpi)]
    if not others:
        pytest.skip("OWN_LAMMPS_MPI names no other MPI")
    return build(others[0])
