"""Model files with a compiled program, made by hand: nothing is compiled."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from pathlib import Path
from typing import Any

from nnpal.model.archive import read_module
from nnpal.model.compiled.record import PACKAGE, RECORD, CompiledRecord, torch_release
from nnpal.model.metadata import RECORD as METADATA

ABSENT = "absent"


def with_program(source: Path, target: Path, package: bytes | None = b"no package", **changes: Any) -> Path:
    """Write a model file again with a package, and a record that fits this machine but for ``changes``.

    Arguments:
        source: a model file of kernel ``modules``.
        package: None for none.
        changes: values of the record; ABSENT removes a key.
    """
    module, metadata, _ = read_module(source)
    first = getattr(module.members, "0")
    weights = [
        (name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape))
        for name, tensor in (*first.named_parameters(), *first.named_buffers())
    ]
    record = CompiledRecord(torch_release(), sys.platform, platform.machine(), [], metadata.dtype, None, weights)
    values = {key: value for key, value in (dataclasses.asdict(record) | changes).items() if value != ABSENT}
    records: dict[str, Any] = {METADATA: metadata.to_json(), RECORD: json.dumps(values)}
    if package is not None:
        records[PACKAGE] = package
    target.write_bytes(module.save_to_buffer(records))
    return target


NOT_HERE: dict[str, tuple[dict[str, Any], str]] = {
    "torch": ({"torch_version": "1.0.0"}, r"compiled for torch 1\.0\.0, but this is \d.*nnpal compile"),
    "platform": ({"platform": "plan9"}, "compiled for platform plan9, but this is"),
    "machine": ({"machine": "vax"}, "compiled for machine vax, but this is"),
    "processor": ({"instructions": ["avx4096"]}, "compiled for a processor with avx4096, which this one lacks"),
    "version": ({"version": 7}, r"compiled\.json has version 7, expected 1"),
    "key": ({"dtype": ABSENT}, r"compiled\.json cannot be read"),
    "weights": ({"weights": [["start", "float64", [9, 9]]]}, "a member has other weights than its compiled program"),
    "no package": ({"package": None}, r"no compiled\.pt2"),
    "package": ({}, "cannot load its compiled program"),
}
"""Changes of the record, and what is said of the file."""
