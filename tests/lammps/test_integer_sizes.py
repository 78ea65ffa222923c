"""The build takes the width of atom IDs from the LAMMPS that NNPAL_LAMMPS_DIR names, or from NNPAL_LAMMPS_SIZES."""

from __future__ import annotations

import os
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
message(STATUS "definitions: ${{definitions}}")
"""


def configure(folder: Path, sizes_of_installations: tuple[str, ...], *options: str) -> subprocess.CompletedProcess[str]:
    """Run cmake on a LAMMPS that was installed for these sizes; a source tree where there are none."""
    (folder / "CMakeLists.txt").write_text(PROJECT)
    headers = folder / "lammps" / "src"
    headers.mkdir(parents=True)
    for name in ("pair.h", "json.h", "mpi.h", "pointers.h"):
        (headers / name).touch()
    (headers / "citeme.h").write_text('#include "pointers.h"\n#include <set>\n')
    (headers / "version.h").write_text('#define LAMMPS_VERSION "4 Jul 2026"\n')
    for sizes in sizes_of_installations:
        targets = folder / "lammps" / sizes / "LAMMPS_Targets.cmake"
        targets.parent.mkdir()
        targets.write_text(f'set_target_properties(LAMMPS::lammps\n  INTERFACE_COMPILE_DEFINITIONS "{sizes}"\n)\n')
    given = {"NNPAL_LAMMPS_DIR": headers.parent, "NNPAL_MPI_INCLUDE_DIR": headers, "NNPAL_TORCH_DIR": "NONE"}
    return subprocess.run(
        [
            CMAKE,
            "-S",
            folder,
            "-B",
            folder / "build",
            *(f"-D{key}={value}" for key, value in given.items()),
            *options,
        ],
        text=True,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("installed", "options", "definition"),
    [
        (("LAMMPS_BIGBIG",), (), "LAMMPS_BIGBIG"),
        (("LAMMPS_SMALLBIG",), (), "LAMMPS_SMALLBIG"),
        ((), (), "LAMMPS_SMALLBIG"),
        ((), ("-DNNPAL_LAMMPS_SIZES=bigbig",), "LAMMPS_BIGBIG"),
        (("LAMMPS_SMALLBIG", "LAMMPS_BIGBIG"), ("-DNNPAL_LAMMPS_SIZES=bigbig",), "LAMMPS_BIGBIG"),
    ],
)
def test_sizes_of_lammps(tmp_path: Path, installed: tuple[str, ...], options: tuple[str, ...], definition: str) -> None:
    done = configure(tmp_path, installed, *options)
    assert done.returncode == 0, done.stderr
    assert f"definitions: {definition};" in done.stdout


@pytest.mark.parametrize(
    ("installed", "options", "found"),
    [
        (("LAMMPS_SMALLSMALL",), (), "smallsmall"),
        (("LAMMPS_SMALLBIG", "LAMMPS_BIGBIG"), (), "bigbig;smallbig"),
        (("LAMMPS_BIGBIG",), ("-DNNPAL_LAMMPS_SIZES=big",), "big"),
    ],
)
def test_sizes_that_are_not_known(
    tmp_path: Path, installed: tuple[str, ...], options: tuple[str, ...], found: str
) -> None:
    done = configure(tmp_path, installed, *options)
    assert done.returncode != 0
    words = " ".join(done.stderr.split())
    assert f"integer sizes are '{found}'" in words
    assert "expected smallbig or bigbig; -DNNPAL_LAMMPS_SIZES=... names" in words
