"""Check files: every configuration of each, whatever is wrong with others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ase import Atoms

from nnpal.data.check import Limits, check_frames
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys
from nnpal.data.read import read_frames
from nnpal.data.units import Units


@dataclass(frozen=True)
class Checked:
    """What files hold.

    Attributes:
        findings: in order of the configurations of all files.
        origins: file and index in it of each configuration.
    """

    findings: list[Finding]
    origins: list[tuple[str, int]]


def check_files(
    files: Sequence[str | os.PathLike[str]],
    limits: Limits,
    elements: Sequence[str] | None = None,
    *,
    units: Units | None = None,
    symbols: Sequence[str] | None = None,
    keys: Keys | None = None,
    format: str | None = None,
) -> Checked:
    """Read files, with what labels they have, and check all configurations together.

    Args:
        elements: those that are known; None knows all.
        units, symbols, keys, format: see :func:`nnpal.data.read_frames`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be read.
    """
    frames: list[Atoms] = []
    findings: list[Finding] = []
    origins: list[tuple[str, int]] = []
    for path in files:
        faults: list[Finding] = []
        own = read_frames(path, units=units, symbols=symbols, labelled=None, keys=keys, format=format, faults=faults)
        findings += [replace(fault, index=len(frames) + fault.index) for fault in faults]
        origins += [(str(path), index) for index in range(len(own))]
        frames += own
    findings += check_frames(frames, elements, limits)
    return Checked(sorted(findings, key=lambda finding: finding.index), origins)
