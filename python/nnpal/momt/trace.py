"""The trace: H, V, O and δH along a MOMT run, as text in the style of PLUMED's COLVAR files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import HookError
from nnpal.momt.grid import Axis
from nnpal.runtime.files import write_whole
from nnpal.runtime.rows_file import RowsFile

FIELDS = ("step", "H", "V", "O", "dH", "bin", "phase", "lnf")
"""Columns that readers require."""
_HEADER = "#! FIELDS "
_TIME = "time"
_SET = "#! SET "
_GRID = "grid"


@dataclass(frozen=True)
class Trace:
    """Columns of a trace, [n_rows] each, in the units of the run.

    Attributes:
        step: LAMMPS step of each row.
        H, V, O, dH: enthalpy U + P0 V, volume, order parameter (NaN if not measured), bias δH with its walls.
        bin: flat index of the grid's bin, -1 outside.
        phase: 0 in learning, 1 in production.
        lnf: ln f, in kT.
        units: LAMMPS unit style.
        temp, press: T0 and P0.
        boltz, nktv2p: LAMMPS's constants.
        n_atoms: number of atoms.
        axes: axes of the grid; empty in traces of early versions, which do not contain it.
        time: time of each row; None in traces written or started by an earlier version.
    """

    step: NDArray[np.int64]
    H: NDArray[np.float64]
    V: NDArray[np.float64]
    O: NDArray[np.float64]  # noqa: E741 (the order parameter's name in the papers)
    dH: NDArray[np.float64]
    bin: NDArray[np.int64]
    phase: NDArray[np.int64]
    lnf: NDArray[np.float64]
    units: str
    temp: float
    press: float
    boltz: float
    nktv2p: float
    n_atoms: int
    axes: tuple[Axis, ...] = ()
    time: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.step)


def is_trace_file(path: Path) -> bool:
    """Return whether a file starts like a trace of MOMT."""
    with open(path, "rb") as file:
        first = file.readline(1000).decode(errors="replace").rstrip()
    fields = " ".join(FIELDS)
    return first.startswith((f"{_HEADER}{_TIME} {fields}", _HEADER + fields))  # earlier versions wrote no time


def read_trace(path: str | Path) -> Trace:
    """Read a trace file.

    Arguments:
        path: path of the file.

    Returns:
        Columns and constants of the run, in its units.

    Raises:
        HookError: the file does not exist, or its header or a row is not that of a trace.

    Example:
        >>> from nnpal import read_trace
        >>> trace = read_trace("momt.trace")
        >>> len(trace), trace.units, trace.H.shape
        (6000, 'metal', (6000,))
    """
    path = Path(path)
    if path.is_dir():
        raise HookError(f"trace {path}: a folder, expected a file that MOMT wrote, such as {path / 'momt.trace'}")
    if not path.is_file():
        raise HookError(f"trace {path}: no such file")
    fields: list[str] = []
    constants: dict[str, str] = {}
    rows = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if line.startswith(_HEADER):
            fields = line[len(_HEADER) :].split()
        elif line.startswith(_SET):
            name, _, value = line[len(_SET) :].partition(" ")
            constants[name] = value
        elif line and not line.startswith("#"):
            rows.append(_row(path, number, line, len(fields)))
    missing = [name for name in FIELDS if name not in fields]
    missing += [name for name in ("units", "temp", "press", "boltz", "nktv2p", "n_atoms") if name not in constants]
    if missing:
        raise HookError(f"trace {path}: its header lacks {', '.join(missing)}; give a trace that MOMT wrote")
    table = np.array(rows).reshape(-1, len(fields))
    columns: dict[str, Any] = {name: table[:, fields.index(name)] for name in FIELDS}
    for name in ("step", "bin", "phase"):
        columns[name] = columns[name].astype(np.int64)
    numbers: dict[str, Any] = {name: float(constants[name]) for name in ("temp", "press", "boltz", "nktv2p")}
    return Trace(
        **columns,
        units=constants["units"],
        n_atoms=int(constants["n_atoms"]),
        axes=_axes(path, constants[_GRID]) if _GRID in constants else (),
        time=_times(table[:, fields.index(_TIME)]) if _TIME in fields else None,
        **numbers,
    )


def _times(column: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the column if each row has a time; rows of earlier versions have none."""
    return None if np.isnan(column).any() else column


def _axes(path: Path, text: str) -> tuple[Axis, ...]:
    """Return the axes of `H,LOW,HIGH,BINS,O,LOW,HIGH,BINS`, or of the form with spaces that earlier versions wrote."""
    words = text.replace(",", " ").split()
    parts = [words[i : i + 4] for i in range(0, len(words), 4)]
    try:
        return tuple(Axis(name, float(low), float(high), int(n)) for name, low, high, n in parts)
    except ValueError as error:
        raise HookError(f"trace {path}: its header has grid {text!r}; give a trace that MOMT wrote") from error


def _row(path: Path, number: int, line: str, n_fields: int) -> list[float]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    if len(values) != n_fields:
        raise HookError(f"trace {path}, line {number}: expected {n_fields} numbers, found {line!r}")
    return values


class TraceWriter:
    """Writer that appends rows to a trace file, dropping those of an earlier run beyond the step it continues from."""

    def __init__(
        self,
        path: Path,
        constants: Mapping[str, object],
        continued_from: int | None,
        axes: tuple[Axis, ...] = (),
    ) -> None:
        """Open the file.

        Arguments:
            path: file to write.
            constants: constants for the SET lines of the header.
            continued_from: step of the restart from which this run continues; None starts a new file.
            axes: axes of the grid.
        """
        kept = [] if continued_from is None or not path.is_file() else _rows_until(path, continued_from)
        lines = [_HEADER + " ".join((_TIME, *FIELDS)) + "\n"]
        for name, value in constants.items():
            lines.append(f"{_SET}{name} {value:.17g}\n" if isinstance(value, float) else f"{_SET}{name} {value}\n")
        if axes:
            words = " ".join(map(str, axes)).split()  # one word, because PLUMED ignores a SET of several
            lines.append(f"{_SET}{_GRID} {','.join(words)}\n")
        write_whole(path, "".join([*lines, *kept]).encode())
        self._file = RowsFile(path)

    def add(
        self,
        time: float,
        step: int,
        H: float,
        V: float,
        O: float,  # noqa: E741
        dH: float,
        bin_: int,
        phase: int,
        ln_f: float,
    ) -> None:
        """Append a row; time is in the units of the run, the other values as in :class:`Trace`."""
        self._file.add(f"{time:.15g} {step} {H:.17g} {V:.17g} {O:.17g} {dH:.17g} {bin_} {phase} {ln_f:.17g}\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _rows_until(path: Path, step: int) -> list[str]:
    """Return the complete rows up to a step; an incomplete last line is dropped.

    Rows of earlier versions have no time, which becomes nan.
    """
    rows = []
    place, before = 0, "nan "
    with open(path) as file:
        for line in file:
            if line.startswith(_HEADER + _TIME):
                place, before = 1, ""
            if line.startswith("#") or not line.endswith("\n"):
                continue
            words = line.split(maxsplit=place + 1)
            if len(words) > place and words[place].isdigit() and int(words[place]) <= step:
                rows.append(before + line)
    return rows
