"""Split a held-out set from a dataset."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from nnpal import __version__
from nnpal.data.dataset_file import write_dataset
from nnpal.data.hashes import structure_hashes
from nnpal.data.read import read_columns
from nnpal.runtime.places import require_file


def divide(
    source: str | os.PathLike[str],
    kept: str | os.PathLike[str],
    held_out: str | os.PathLike[str],
    *,
    fraction: float,
    seed: int,
) -> tuple[int, int]:
    """Split a file's configurations at random into two datasets; equal structures stay together.

    Arguments:
        source: file of labeled configurations that states its units.
        kept, held_out: datasets to write, .h5.
        fraction: fraction of the distinct structures that is held out; their number is rounded.
        seed: random seed of the split.

    Returns:
        Numbers of configurations kept and held out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be read, a fraction that leaves one part empty, or files that are the same.
    """
    paths = [Path(path).resolve() for path in (source, kept, held_out)]
    if len(set(paths)) < 3:
        raise ValueError(f"{source}, {kept} and {held_out}: expected three different files")
    for path in (kept, held_out):
        if Path(path).suffix != ".h5":
            raise ValueError(f"{path}: expected a name ending in .h5, by which TorchANI recognizes the format")
        require_file("the file to write", Path(path))
    columns = read_columns(source)
    hashes = list(structure_hashes(columns))
    different = list(dict.fromkeys(hashes))
    n_out = round(fraction * len(different))
    if not 0 < n_out < len(different):
        raise ValueError(f"fraction {fraction} of {len(different)} different structures leaves one part empty")
    order = np.random.default_rng(seed).permutation(len(different))
    out = {different[i] for i in order[:n_out]}
    is_out = np.array([own in out for own in hashes])
    origin = {
        "made_by": f"nnpal {__version__} data split",
        "source": str(source),
        "seed": seed,
        "fraction": fraction,
    }
    numbers = []
    for path, name, chosen in ((kept, "kept", ~is_out), (held_out, "held out", is_out)):
        numbers.append(int(chosen.sum()))
        write_dataset(path, columns.take(np.flatnonzero(chosen)), provenance={**origin, "part": name})
    return numbers[0], numbers[1]
