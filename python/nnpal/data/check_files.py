"""Check every configuration of several files, even if some are faulty."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnpal.data.check import Limits, check_frames
from nnpal.data.columns import Columns, joined
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys, listing
from nnpal.data.read import read_columns
from nnpal.data.units import Units

EXPECTED = (
    "energy and forces in each, to train on it; name their keys (nnpal data check --energy-key, --forces-key), or "
    "label it (nnpal label)"
)


@dataclass(frozen=True)
class Checked:
    """Result of checking files.

    Attributes:
        findings: faults, in order of the configurations of all files.
        origins: (file, index in the file) of each configuration.
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
    """Read files, with the labels that they have, and check all configurations together.

    Arguments:
        elements: allowed elements; None allows all.
        units, symbols, keys, format: see :func:`nnpal.data.read_frames`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be read.
    """
    parts: list[Columns] = []
    findings: list[Finding] = []
    origins: list[tuple[str, int]] = []
    given: dict[str, Any] = {"units": units, "symbols": symbols, "labeled": None, "keys": keys, "format": format}
    for path in files:
        faults: list[Finding] = []
        own = read_columns(path, **given, faults=faults)
        faults += missing_labels(own)
        findings += [replace(fault, index=len(origins) + fault.index) for fault in faults]
        origins += [(str(path), index) for index in range(len(own))]
        parts.append(own)
    findings += check_frames(joined(parts), elements, limits)
    return Checked(sorted(findings, key=lambda finding: finding.index), origins)


def missing_labels(columns: Columns) -> Iterator[Finding]:
    """Yield a finding if configurations lack energy or forces, so that the file cannot be used for training.

    It is a warning if no configuration has any label, because the file may be meant for labeling; otherwise an error.
    A single atom needs no forces.
    """
    columns = columns.with_zero_forces()
    is_error = any(there.any() for there in columns.has.values())
    for name in ("energy", "forces"):
        lacking = np.flatnonzero(~columns.has[name] & (columns.sizes > 0))
        if len(lacking):
            n = len(columns)
            which = (
                f"{n} configurations" if len(lacking) == n else f"{len(lacking)} of {n} ({listing(lacking.tolist())})"
            )
            value = f"no {name} in {which} of this file"
            yield Finding(int(lacking[0]), "error" if is_error else "warning", "no labels", value, EXPECTED)
