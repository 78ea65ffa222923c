"""Tell LAMMPS's `lmp` command where the compiled plugins lie (entry point group `lammps.plugins`)."""

from __future__ import annotations

from pathlib import Path


def plugin_dir() -> str:
    """Return the folder that holds `nnpplugin.so`.

    Raises:
        FileNotFoundError: the package was installed without its compiled part.
    """
    try:
        import nnpal._build_info as build_info  # written by CMake
    except ImportError as error:
        raise FileNotFoundError(
            "nnpal was installed without its LAMMPS plugin; run, in the source folder: "
            "pip install --no-build-isolation ."
        ) from error
    folder = Path(build_info.__file__).parent / "lammps"
    if not (folder / "nnpplugin.so").is_file():
        raise FileNotFoundError(
            f"nnpplugin.so is missing from {folder}; run, in the source folder: "
            "pip install --no-build-isolation --force-reinstall --no-deps ."
        )
    return str(folder)
