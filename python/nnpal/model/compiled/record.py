"""Description of a model file's compiled program: the record `compiled.json` of its archive."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nnpal.model.files import read_file
from nnpal.model.metadata import ModelFileError

if TYPE_CHECKING:
    import torch

RECORD = "compiled.json"
PACKAGE = "compiled.pt2"
"""The record that holds AOTInductor's package."""
RECORD_VERSION = 1
COMPILE_AGAIN = "compile the file again, on this machine, with nnpal compile, or use the file that it was compiled from"
SMALLEST = 2
"""Fewest atoms and edges: torch.export treats sizes 0 and 1 as constants, so TorchScript evaluates such tiles."""


@dataclass(frozen=True)
class CompiledRecord:
    """Requirements and inputs of the program; the package itself checks none of them.

    Attributes:
        torch_version: version of torch that compiled it, without the part from ``+`` on.
        platform, machine: names as in :mod:`sys` and :mod:`platform`.
        instructions: instruction sets that the processor must have, as named in /proc/cpuinfo.
        dtype: dtype of edge vectors, energies and gradients.
        largest_halo: largest ratio of all edges to edges of centers; TorchScript evaluates graphs above it, because its
            module omits, step by step, atoms that no longer affect the centers; None if it does not.
        weights: name within a member, dtype and shape of each tensor of a member, in the program's order.
        version: version of this record's format.
    """

    torch_version: str
    platform: str
    machine: str
    instructions: list[str]
    dtype: str
    largest_halo: float | None
    weights: list[tuple[str, str, list[int]]]
    version: int = RECORD_VERSION

    def to_json(self) -> str:
        """Return the record's text."""
        return json.dumps(dataclasses.asdict(self))

    def check(self, path: str, dtype: torch.dtype, device: str) -> None:
        """Refuse conditions under which the program would crash or misread its inputs.

        Raises:
            ModelFileError: it was compiled for another torch, platform or processor.
            ValueError: ``dtype`` or ``device`` is not the program's.
        """
        here = (torch_release(), sys.platform, platform.machine())
        for what, needed, found in zip(
            ("torch", "platform", "machine"), (self.torch_version, self.platform, self.machine), here, strict=True
        ):
            if needed != found:
                raise ModelFileError(f"{path}: compiled for {what} {needed}, but this is {found}; {COMPILE_AGAIN}")
        if lacking := [name for name in self.instructions if name not in cpu_instructions()]:
            raise ModelFileError(
                f"{path}: compiled for a processor with {', '.join(lacking)}, which this one lacks; {COMPILE_AGAIN}"
            )
        if str(dtype).removeprefix("torch.") != self.dtype:
            raise ValueError(
                f"dtype is {dtype}, but {path} is compiled for {self.dtype}; use the file that it was compiled from"
            )
        if device != "cpu":
            raise ValueError(
                f"device is {device!r}, but {path} is compiled for CPUs; use cpu, or the file that it was compiled from"
            )


def read_compiled(path: str | os.PathLike[str]) -> CompiledRecord | None:
    """Read the record of a model file's compiled program, without torch; None if it has none.

    Raises:
        FileNotFoundError, ModelFileError: see :func:`nnpal.model.files.read_metadata`.
    """
    name = os.fspath(path)
    record = read_file(name)[2].get(RECORD)
    return None if record is None else parse_record(record, name)


def parse_record(text: bytes, path: str) -> CompiledRecord:
    """Read the record of the model file ``path``.

    Raises:
        ModelFileError: the record is not JSON, has another version, or has missing, unknown or mistyped keys.
    """
    try:
        values = json.loads(text)
        version = values["version"]
        if version == RECORD_VERSION:
            record = CompiledRecord(**values)
            weights = [(str(name), str(dtype), [int(n) for n in shape]) for name, dtype, shape in record.weights]
            texts = (record.torch_version, record.platform, record.machine, record.dtype, *record.instructions)
            halo = record.largest_halo
            if all(isinstance(one, str) for one in texts) and (halo is None or float(halo) >= 1):
                return dataclasses.replace(record, weights=weights)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{path}: its {RECORD} cannot be read ({error!r}); {COMPILE_AGAIN}") from error
    raise ModelFileError(
        f"{path}: its {RECORD} has version {version!r}, expected {RECORD_VERSION}, or values of wrong types; "
        f"{COMPILE_AGAIN}"
    )


def torch_release() -> str:
    """Return torch's version without the build suffix."""
    import torch

    return str(torch.__version__).partition("+")[0]


@cache
def cpu_instructions() -> frozenset[str]:
    """Return the instruction sets that all processors of this machine share, by Linux names; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = re.findall(r"^flags\s*:(.*)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return frozenset.intersection(*(frozenset(line.split()) for line in lines)) if lines else frozenset()
