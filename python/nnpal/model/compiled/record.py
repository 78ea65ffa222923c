"""What a compiled model file says of its program: the record `compiled.json` of its archive."""

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
"""Atoms and edges: torch.export takes sizes of 0 and 1 for constants, so such a tile is TorchScript's."""


@dataclass(frozen=True)
class CompiledRecord:
    """Where the program runs, and the inputs that it takes; the package itself checks none of it.

    Attributes:
        torch_version: that compiled it, without what follows a ``+``.
        platform, machine: as of :mod:`sys` and :mod:`platform`.
        instructions: that the processor must have, as /proc/cpuinfo names them.
        dtype: of edge vectors, energies and gradients.
        largest_halo: graphs with more than so many times the edges of their centers are TorchScript's, whose module
            leaves out, round by round, what no longer matters to the centers; None where it does not.
        weights: name within a member, dtype and shape of each tensor of a member, in the program's order.
        version: of this record.
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
        """Refuse what the program would crash on or read wrongly.

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
    """Read what a model file says of its compiled program, without torch; None where it has none.

    Raises:
        FileNotFoundError, ModelFileError: as of :func:`nnpal.model.files.read_metadata`.
    """
    name = os.fspath(path)
    record = read_file(name)[2].get(RECORD)
    return None if record is None else parse_record(record, name)


def parse_record(text: bytes, path: str) -> CompiledRecord:
    """Read the record of the model file ``path``.

    Raises:
        ModelFileError: no JSON, of another version, or with a key missing, too many or of another type.
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
    """Return torch's version without the kind of build."""
    import torch

    return str(torch.__version__).partition("+")[0]


@cache
def cpu_instructions() -> frozenset[str]:
    """Return the instruction sets that all of this machine's processors share, as Linux names them; else none."""
    info = Path("/proc/cpuinfo")
    lines = re.findall(r"^flags\s*:(.*)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return frozenset.intersection(*(frozenset(line.split()) for line in lines)) if lines else frozenset()
