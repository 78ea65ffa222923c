"""Fast readers of dumps and tables of runs, which ignore incomplete frames and lines after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnpal.geometry.lammps_box import cells_of_bounds

_FRAME = b"ITEM: TIMESTEP\n"
_HEADER_LINES = 8  # between the line above and the atoms


@dataclass(frozen=True)
class Dump:
    """Frames of a text dump up to the first incomplete or invalid one.

    Attributes:
        step: time step of each frame, int64 [n_frames].
        cell: box vectors as rows, Å, [n_frames, 3, 3].
        periodic: periodicity along each direction, [3].
        columns: names of the columns of ``values``.
        values: columns of the dump, sorted by atom ID, [n_frames, n_atoms, n_columns].
    """

    step: np.ndarray
    cell: np.ndarray
    periodic: tuple[bool, ...]
    columns: tuple[str, ...]
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.step)

    def column(self, *names: str) -> np.ndarray:
        """Return columns, [n_frames, n_atoms, n_names]."""
        return self.values[:, :, [self.columns.index(name) for name in names]]


def read_dump(path: Path) -> Dump:
    """Read the frames of a dump; return none if the run ended before the first, even without a file.

    Reading stops at the first frame that is truncated, has lost atoms, or has positions or a box that are not finite.

    Raises:
        ValueError: the file is not such a dump.
    """
    chunks = path.read_bytes().split(_FRAME)[1:] if path.is_file() else []
    steps: list[int] = []
    cells: list[np.ndarray] = []
    bodies: list[bytes] = []
    columns: tuple[str, ...] = ()
    periodic: tuple[bool, ...] = (False, False, False)
    n_atoms = 0
    for chunk in chunks:
        *head, body = chunk.split(b"\n", _HEADER_LINES)
        body = body[: body.rfind(b"\n") + 1]  # drop an incomplete last line
        if len(head) < _HEADER_LINES:
            break
        if not steps:
            n_atoms = int(head[2])
            columns = tuple(head[7].decode().split()[2:])
            periodic = tuple(word == b"pp" for word in head[3].split()[-3:])
        if int(head[2]) != n_atoms or body.count(b"\n") != n_atoms:
            break
        steps.append(int(head[0]))
        cells.append(np.array([line.split() for line in head[4:7]], dtype=float))
        bodies.append(body)
    if not steps:
        return Dump(np.zeros(0, np.int64), np.zeros((0, 3, 3)), periodic, (), np.zeros((0, 0, 0)))
    numbers = _numbers(path, b"".join(bodies).decode())
    if numbers.size != len(steps) * n_atoms * len(columns):
        raise ValueError(
            f"{path}: {numbers.size} numbers in {len(steps)} frames of {n_atoms} atoms and {len(columns)} columns; "
            "expected a text dump, as the input scripts of nnpal write it"
        )
    values = numbers.reshape(len(steps), n_atoms, len(columns))
    ids = values[:, :, columns.index("id")]
    if (np.diff(ids, axis=1) <= 0).any():
        values = np.take_along_axis(values, ids.argsort(axis=1)[:, :, None], axis=1)
    bounds = np.stack(cells)
    places = [columns.index(name) for name in ("xu", "yu", "zu") if name in columns]
    finite = np.isfinite(values[:, :, places]).all(axis=(1, 2)) & np.isfinite(bounds).all(axis=(1, 2))
    good = len(steps) if finite.all() else int(finite.argmin())
    return Dump(
        np.array(steps[:good], dtype=np.int64), cells_of_bounds(bounds[:good])[0], periodic, columns, values[:good]
    )


def _numbers(path: Path, text: str) -> np.ndarray:
    try:
        return np.fromstring(text, sep=" ")
    except ValueError as error:
        raise ValueError(f"{path}: holds words where numbers are expected") from error


def read_rows(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a run's table by name, [n_rows] each; an incomplete last line is left out.

    Raises:
        ValueError: the file is not such a table.
    """
    if not path.is_file():
        return {}
    text = path.read_text()
    lines = text[: text.rfind("\n") + 1].splitlines()
    titles = [line for line in lines if line.startswith("# step ")]
    if not titles:
        if any(line and not line.startswith("#") for line in lines):
            raise ValueError(f"{path}: no line `# step ...`; expected rows as the input scripts of nnpal write them")
        return {}
    names = titles[0].split()[1:]
    rows = [line for line in lines if line and not line.startswith("#")]
    numbers = _numbers(path, " ".join(rows))
    if numbers.size != len(rows) * len(names):
        raise ValueError(f"{path}: {numbers.size} numbers in {len(rows)} rows, expected {len(names)} in each")
    table = numbers.reshape(-1, len(names))
    return {name: table[:, i] for i, name in enumerate(names)}
