"""JSON files, and hashes of JSON values and files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from nnpal.runtime.files import write_whole

CHUNK = 1 << 20


def canonical(value: Any) -> str:
    """Return the canonical JSON text of ``value``, from which hashes are computed.

    Raises:
        TypeError, ValueError: not valid JSON, which excludes NaN and infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of ``value`` as JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def as_json(value: Any, what: str) -> Any:
    """Return ``value`` as it would be read back from a JSON file.

    Raises:
        ValueError: it holds a value that JSON cannot represent; the message says where in ``what``.
    """
    try:
        return json.loads(canonical(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {_culprit(value)}; expected what JSON can hold, and null for a gap") from error


def write_json(path: Path, value: Any, *, sort_keys: bool = True, durable: bool = True) -> None:
    """Write ``value`` to ``path`` atomically.

    Arguments:
        sort_keys: True for files that are compared; False keeps the order of ``value``, for files that people read.
        durable: see :func:`nnpal.runtime.files.aside`.

    Raises:
        ValueError: it holds a value that JSON cannot represent, such as NaN or infinity; ``path`` is unchanged.
    """
    try:
        text = json.dumps(value, sort_keys=sort_keys, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {_culprit(value)}; expected what JSON can hold, and null for a gap") from error
    write_whole(path, (text + "\n").encode(), durable=durable)


def read_json(path: Path) -> Any:
    """Return the contents of a JSON file, or None if there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def file_hash(path: Path, *, sync: bool = False) -> str:
    """Return the SHA-256 of a file's content; ``sync`` also flushes the content to disk."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _culprit(value: Any, place: str = "") -> str:
    """Return `PLACE = VALUE` of the first part that is not valid JSON."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                return f"{place or 'it'} has the key {key!r}"
            if not _fits(part):
                return _culprit(part, f"{place}.{key}" if place else key)
    if isinstance(value, list | tuple):
        for index, part in enumerate(value):
            if not _fits(part):
                return _culprit(part, f"{place}[{index}]")
    return f"{place or 'it'} = {value!r} of type {type(value).__name__}"


def _fits(value: Any) -> bool:
    try:
        canonical(value)
    except (TypeError, ValueError):
        return False
    return True
