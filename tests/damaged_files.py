"""Random damage to a file, and a model file whose bytes are the same in every run of the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from broken_files import record_bytes

_WRITE = """
import sys
from ensembles import one_element_ensemble
from nnpal.export import export_ensemble
model = one_element_ensemble(hidden=(8, 4))
export_ensemble(model, sys.argv[1], dataset_hash="sha256:0123", provenance={"epochs": 300})
"""


def write_model_in_a_new_process(path: Path) -> Path:
    """Write a model of Al.

    TorchScript numbers its classes as a process makes them, so the bytes of a file follow from what ran before; in a
    process of its own they are always the same.
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", _WRITE, str(path)], cwd=Path(__file__).parent, check=True)
    return path


def damaged_copies(content: bytes, seed: int, n: int) -> Iterator[tuple[str, bytes]]:
    """Yield copies of an archive with what was done to each: bits flipped anywhere, in what no checksum covers and in
    its directory, a byte put in place of another, and the end cut off."""
    rng = np.random.default_rng(seed)
    unguarded = np.flatnonzero(~record_bytes(content))
    directory = content.index(b"PK\x01\x02")
    for _ in range(n):
        copy = bytearray(content)
        match kind := int(rng.integers(5)):
            case 0:
                places = [int(rng.integers(len(content)))]
            case 1:
                places = [int(rng.choice(unguarded))]
            case 2 | 3:
                places = [int(place) for place in rng.integers(directory, len(content), 1 if kind == 2 else 3)]
            case _:
                length = int(rng.integers(len(content)))
                yield f"cut at {length}", bytes(copy[:length])
                continue
        for place in places:
            copy[place] ^= 1 << int(rng.integers(8))
        if kind == 3:
            copy[places[0]] = int(rng.integers(256))
        changes = ", ".join(f"{place}: {content[place]:#x} -> {copy[place]:#x}" for place in places)
        yield changes, bytes(copy)
