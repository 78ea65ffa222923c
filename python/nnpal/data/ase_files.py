"""Files that ASE reads: its trajectories, and outputs of VASP, ORCA, Quantum ESPRESSO and other codes."""

from __future__ import annotations

import os
from typing import Any

from ase import Atoms

from nnpal.data.chosen import choose, converted
from nnpal.data.error import DatasetError
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys
from nnpal.data.stresses import mixed_stresses, stated_stresses
from nnpal.data.units import OURS, Units

BY_CONTENTS = "ase"  # format name that lets ASE detect the format
# Formats that nnpal reads itself, because ASE assumes their units: {ASE's name: nnpal's name}
OWN = {
    "extxyz": "extxyz",
    "xyz": "extxyz",
    "db": "ase-db",
    "json": "ase-db",
    "lammps-data": "lammps-data",
    "lammps-dump-text": "lammps-dump",
}


def read_ase_file(
    path: str | os.PathLike[str],
    *,
    format: str = BY_CONTENTS,
    units: Units | None,
    keys: Keys,
    labeled: bool | None,
    faults: list[Finding] | None = None,
) -> list[Atoms]:
    """Read all configurations of a file with ASE: eV and Å by its convention, forces without constraints.

    Arguments:
        format: ASE's name of the format, such as ``vasp-xml``; ``ase`` lets ASE detect it.
        faults: see :func:`nnpal.data.read_frames`.

    Raises:
        DatasetError: units other than eV and Å, a file that ASE does not read, no configurations, or a label that one
            lacks.
    """
    from ase.io import read

    if units not in (None, OURS):
        raise DatasetError(f"{path}: ASE converts this format to eV and Å, but {units} were given; give none")
    try:
        images = read(os.fspath(path), index=":", format=None if format == BY_CONTENTS else format)
    except Exception as error:  # ASE's readers raise exceptions of any type
        raise DatasetError(
            f"{path}: ASE cannot read it ({type(error).__name__}: {error}); if it is complete, give the name of its "
            "format in ASE, such as vasp-xml (format)"
        ) from error
    if not images:
        raise DatasetError(f"{path}: holds no configurations")
    held = [_held(image) for image in images]
    names = choose(path, held, keys, labeled, sizes=[len(image) for image in images])
    if faults is not None:
        faults += mixed_stresses(stated_stresses(held, names))
    frames = []
    for index, (image, one) in enumerate(zip(images, held, strict=True)):
        frame = converted(f"{path}: frame {index}", index, image, one, names, OURS, keys, faults=faults)
        for name in ("config_type", "tag", "source"):
            if name in image.info:
                frame.info["tag" if name == "config_type" else name] = str(image.info[name])
        frames.append(frame)
    return frames


def _held(image: Atoms) -> dict[str, Any]:
    """Return all possible labels: the calculator's results, without constraints, and the file's arrays and info."""
    calculated = {} if image.calc is None else image.calc.results
    arrays = {name: values for name, values in image.arrays.items() if name not in ("numbers", "positions")}
    return {name: value for name, value in {**arrays, **image.info, **calculated}.items() if value is not None}


def format_by_contents(path: str | os.PathLike[str]) -> str | None:
    """Return the format that ASE detects from a file's name and contents, by nnpal's name if it has one; else None."""
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        name = str(filetype(os.fspath(path), guess=False))
    except UnknownFileTypeError:
        return None
    return OWN.get(name, name)


def is_ase_format(name: str) -> bool:
    """Return whether nnpal reads a format of this name with ASE."""
    from ase.io.formats import ioformats

    return name in ioformats and bool(ioformats[name].can_read) and name not in OWN and not name.startswith("lammps")
