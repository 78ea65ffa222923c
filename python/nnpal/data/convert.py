"""Convert files of any format to one file; describe a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnpal import __version__
from nnpal.data.check import Limits, require_sound_labels
from nnpal.data.columns import joined
from nnpal.data.dataset_file import is_dataset, read_provenance, write_dataset
from nnpal.data.deepmd_npy import SUFFIX, write_deepmd
from nnpal.data.extxyz import write_extxyz
from nnpal.data.hashes import content_hash
from nnpal.data.keys import Keys
from nnpal.data.read import format_of, read_columns
from nnpal.data.summary import summarize
from nnpal.data.units import OURS, Units
from nnpal.runtime.places import require_file

WRITTEN = (".h5", ".xyz", ".extxyz", SUFFIX)


@dataclass(frozen=True)
class Written:
    """Size and content hash of a written file."""

    n_frames: int
    content_hash: str


def convert_files(
    sources: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    units: Units | None = None,
    symbols: Sequence[str] | None = None,
    labeled: bool = True,
    tag: str | None = None,
    keys: Keys | None = None,
    format: str | None = None,
    max_stress: float = Limits.max_stress,
) -> Written:
    """Read ``sources`` as :func:`nnpal.data.read_frames` does and write ``target``.

    The target is a dataset, extended XYZ, or a folder ``NAME.deepmd`` of deepmd/npy.

    NaN and infinite numbers, labels copied from other configurations, and stresses above ``max_stress``, eV/Å³, are
    refused, as in training.

    Raises:
        FileNotFoundError: a source does not exist.
        FileExistsError: the folder to write exists.
        ValueError: a source that cannot be read or holds such labels, a target with another suffix, or a target that
            is also a source.
    """
    target = Path(target)
    if target.suffix not in WRITTEN:
        raise ValueError(f"{target}: can write {', '.join(WRITTEN)}; the last file is the one to write")
    if target.resolve() in [Path(source).resolve() for source in sources]:
        raise ValueError(f"{target}: is read and written; give another name for the last file")
    if target.suffix != SUFFIX:
        require_file("the file to write", target)
    elif target.exists():
        raise FileExistsError(f"{target}: exists; give the name of a new folder")
    given: dict[str, Any] = {
        "units": units,
        "symbols": symbols,
        "labeled": labeled,
        "tag": tag,
        "keys": keys,
        "format": format,
    }
    frames = joined([read_columns(source, **given) for source in sources])
    require_sound_labels(frames, Limits(max_stress=max_stress), source=f"{target} is not written")
    if target.suffix == ".h5":
        provenance = {
            "made_by": f"nnpal {__version__} data convert",
            "sources": [str(source) for source in sources],
            "units": None if units is None else str(units),
            "symbols": None if symbols is None else list(symbols),
        }
        return Written(len(frames), write_dataset(target, frames, provenance=provenance))
    if target.suffix == SUFFIX:
        write_deepmd(target, frames)
    else:
        write_extxyz(target, frames)
    return Written(len(frames), content_hash(frames))


def describe(
    path: str | os.PathLike[str],
    *,
    units: Units | None = None,
    symbols: Sequence[str] | None = None,
    keys: Keys | None = None,
    format: str | None = None,
) -> dict[str, Any]:
    """Return a summary of a file, ready for JSON: :func:`nnpal.data.summary.summarize`, units and provenance.

    `units` are those of the numbers in the summary, and of files that nnpal wrote; `units_given` is the argument.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be read.
    """
    columns = read_columns(path, units=units, symbols=symbols, labeled=None, keys=keys, format=format)
    said: dict[str, Any] = {"file": str(path), **summarize(columns)}
    said["units_given"] = None if units is None else str(units)
    said["units"] = str(OURS)
    if (format or format_of(Path(path))) == "hdf5" and is_dataset(path):
        said["provenance"] = read_provenance(path)
    return said
