"""Seeded damage to files, and a model file with the same bytes in every run of the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zip_fields import fields

_WRITE = """
import sys
from ensembles import one_element_ensemble
from nnpal.model import export_ensemble
model = one_element_ensemble(hidden=(8, 4))
export_ensemble(model, sys.argv[1], dataset_hash="sha256:0123", provenance={"epochs": 300})
"""
SECTOR = 512
"""Bytes that a disk loses or exchanges together."""


def write_model_in_a_new_process(path: Path) -> Path:
    """Write a model of Al in a new process.

    TorchScript numbers its classes in the order of creation, so the bytes of a file depend on what ran before in the
    process.
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", _WRITE, str(path)], cwd=Path(__file__).parent, check=True)
    return path


def flipped(content: bytes, place: int, bit: int) -> bytes:
    """Return a copy with one bit of the byte at ``place`` changed."""
    copy = bytearray(content)
    copy[place] ^= 1 << bit
    return bytes(copy)


def damaged_archives(content: bytes, seed: int, n: int) -> Iterator[tuple[str, bytes]]:
    """Yield descriptions and contents of ``n`` damaged copies of a torch archive, half with damaged header fields."""
    rng = np.random.default_rng(seed)
    parts = fields(content)
    others = damaged_copies(content, seed, n)
    for _ in range(n):
        if rng.integers(2):
            yield next(others)
            continue
        places, what = bytearray(content), []
        for _ in range(int(rng.integers(1, 4))):
            field = parts[int(rng.integers(len(parts)))]
            byte = int(rng.integers(field.size))
            new = int(rng.integers(256)) if rng.integers(2) else places[field.start + byte] ^ 1 << int(rng.integers(8))
            places[field.start + byte] = new
            what.append(f"byte {byte} of {field} = {new:#x}")
        yield "; ".join(what), bytes(places)


def damaged_copies(content: bytes, seed: int, n: int) -> Iterator[tuple[str, bytes]]:
    """Yield descriptions and contents of ``n`` damaged copies of a file of any type.

    Bits are flipped, bytes replaced, short and long pieces overwritten with noise or zeros, exchanged, removed or
    duplicated, and the end is cut off.
    """
    rng = np.random.default_rng(seed)
    size = len(content)
    for _ in range(n):
        copy = bytearray(content)
        length = int(min(size, rng.choice((1, 2, 4, 8, 64, SECTOR))))
        at, other = (int(rng.integers(size - length + 1)) for _ in range(2))
        match int(rng.integers(8)):
            case 0 | 1:
                at, bit = int(rng.integers(size)), int(rng.integers(8))
                copy[at] ^= 1 << bit
                what = f"bit {bit} of byte {at}"
            case 2 | 3:
                copy[at : at + length] = rng.bytes(length)
                what = f"{length} bytes of noise at {at}"
            case 4:
                copy[at : at + length] = bytes(length)
                what = f"{length} zeros at {at}"
            case 5:
                copy[at : at + length], copy[other : other + length] = (
                    content[other : other + length],
                    content[at : at + length],
                )
                what = f"{length} bytes at {at} and {other} exchanged"
            case 6:
                copy[at : at + length] = content[at : at + length] * 2 if rng.integers(2) else b""
                what = f"{length} bytes at {at} twice or never"
            case _:
                copy = copy[:at]
                what = f"cut at {at}"
        yield what, bytes(copy)
