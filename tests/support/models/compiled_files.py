"""A small module to compile, and model files with an artificial compiled program."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nnpal.model import export_module
from nnpal.model.archive import read_module
from nnpal.model.compiled.record import PACKAGE, RECORD, CompiledRecord, torch_release
from nnpal.model.metadata import RECORD as METADATA

ABSENT = "absent"


class Passing(torch.nn.Module):
    """Message-passing features: h_i <- tanh(A h_i + B sum_j (1 - x)³ (1, x) h_j), x = r²/r_c²."""

    def __init__(self, n_elements: int, cutoff: float, hops: int, seed: int, width: int = 4) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.cutoff, self.hops = cutoff, hops
        for name, shape in (
            ("start", (n_elements, width)),
            ("own", (hops, width, width)),
            ("others", (hops, 2 * width, width)),
            ("readout", (width,)),
        ):
            values = 0.4 * torch.randn(*shape, generator=generator, dtype=torch.float64)
            self.register_parameter(name, torch.nn.Parameter(values))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the energies of the centers, eV, [n_local]."""
        x = (edge_vec / self.cutoff).square().sum(1, keepdim=True)
        features = self.start.index_select(0, species)
        for k in range(self.hops):
            sent = (1 - x).pow(3) * features.index_select(0, edge_index[1])
            sent = torch.cat((sent, x * sent), 1)
            received = torch.zeros_like(torch.cat((features, features), 1)).index_add(0, edge_index[0], sent)
            features = torch.tanh(features @ self.own[k] + received @ self.others[k])
        return (features @ self.readout)[:n_local]


def passing_model(
    path: Path, elements: tuple[str, ...] = ("Al",), *, cutoff: float = 3.6, hops: int = 2, n_members: int = 3
) -> Path:
    """Write an ensemble of :class:`Passing` with random weights, float64."""
    members = [Passing(len(elements), cutoff, hops, seed) for seed in range(n_members)]
    return export_module(members, path, elements=elements, cutoff=cutoff, hops=hops)


def with_program(source: Path, target: Path, package: bytes | None = b"no package", **changes: Any) -> Path:
    """Write a copy of a model file with a package, and a record that fits this machine except for ``changes``.

    Arguments:
        source: model file of kernel ``modules``.
        package: content of the package; None for no package.
        changes: values of the record to change; ABSENT removes a key.
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
"""Changes of the record, and the expected message."""
