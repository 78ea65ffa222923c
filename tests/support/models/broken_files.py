"""Files that are not model files, and the location of records in one."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


def plain_zip() -> bytes:
    """Return a zip archive that torch did not write."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "no model")
    return buffer.getvalue()


def foreign_torchscript() -> bytes:
    """Return a TorchScript archive that nnpal did not write."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 1), torch.zeros(1, 3)), buffer)
    return buffer.getvalue()


def record_bytes(content: bytes) -> np.ndarray:
    """Return a mask, bool, [n_bytes], of the bytes of an archive that are contents of records; these have checksums."""
    covered = np.zeros(len(content), dtype=bool)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for item in archive.infolist():
            name_size, extra_size = struct.unpack_from("<HH", content, item.header_offset + 26)
            start = item.header_offset + 30 + name_size + extra_size
            covered[start : start + item.compress_size] = True
    return covered


def in_a_zip_of_ours(source: Path, target: Path, edit: Callable[[dict[str, bytes]], Any]) -> Path:
    """Write the edited records of a model to a new file, with correct checksums."""
    with zipfile.ZipFile(source) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    edit(records)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return target


def put(records: dict[str, bytes], ending: str, content: bytes) -> None:
    (name,) = [name for name in records if name.endswith(ending)]
    records[name] = content
