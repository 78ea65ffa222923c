"""Faults of structures: numbers that are not finite, huge lengths, unknown elements, atoms too close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from nnpal.data.columns import Columns
from nnpal.data.finding import Finding
from nnpal.data.labels import NAMES

LARGEST_LENGTH = 1e6  # Å; larger positions are corrupted, or lose the digits that distances need
SMALL = 64  # atoms; larger configurations use a cell list
MANY = 8192  # atoms per batch of distances, to bound memory
LARGEST_SPREAD = 1e4  # Å, along nonperiodic directions; the cell list reports larger ones


class Finite:
    """Masks of configurations with finite numbers.

    Attributes:
        parts: bool [n] by `positions`, `cell`, `energy`, `forces` and `stress`; true for missing labels.
        lengths: whether coordinates and cell vectors are finite and not above ``LARGEST_LENGTH``.
        sound: indices of configurations that have atoms and only finite numbers.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        large = largest_of_each(columns, np.abs(columns.positions).max(axis=1, initial=0.0))
        self.largest_position = large
        self.largest_cell = np.abs(columns.cells).max(axis=(1, 2), initial=0.0)
        self.parts = {
            "positions": np.isfinite(large),
            "cell": np.isfinite(self.largest_cell),
            "energy": np.isfinite(columns.energies) | ~columns.has["energy"],
            "forces": np.isfinite(largest_of_each(columns, np.abs(columns.forces).max(axis=1, initial=0.0)))
            | ~columns.has["forces"],
            "stress": np.isfinite(columns.stresses).all(axis=1) | ~columns.has["stress"],
        }
        with np.errstate(invalid="ignore"):
            self.lengths = (large <= LARGEST_LENGTH) & (self.largest_cell <= LARGEST_LENGTH)
        every = np.logical_and.reduce(list(self.parts.values()))
        self.sound = np.flatnonzero(every & self.lengths & (columns.sizes > 0))

    def having(self, name: str) -> NDArray[np.bool_]:
        """Return a mask of configurations that have atoms and this label, of finite numbers."""
        return self._columns.has[name] & self.parts[name] & (self._columns.sizes > 0)

    @property
    def labels(self) -> Mapping[str, NDArray[np.bool_]]:
        """Return, for each label, a mask of the sound configurations that have it."""
        sound = np.zeros(len(self._columns), dtype=bool)
        sound[self.sound] = True
        return {name: self._columns.has[name] & sound for name in NAMES}


def largest_of_each(columns: Columns, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest of ``values`` [n_atoms] in each configuration: NaN if any is NaN, 0 without atoms."""
    result = np.zeros(len(columns))
    filled = columns.sizes > 0
    if filled.any():
        result[filled] = np.maximum.reduceat(values, columns.starts[:-1][filled])
    return result


def geometry_faults(
    columns: Columns, finite: Finite, symbols: Sequence[str] | None, min_distance: float
) -> Iterator[Finding]:
    """Yield configurations that are empty, stale, not finite, too large, of unknown elements or too dense."""
    for index in map(int, np.flatnonzero(columns.sizes == 0)):
        yield Finding(index, "error", "empty", "no atoms", "one at least")
    for index, why in columns.stale.items():
        yield Finding(index, "error", "stale", why.removeprefix("configuration: "), "labels of exactly these atoms")
    yield from not_finite(columns, finite)
    yield from _too_large(columns, finite)
    yield from _unknown_elements(columns, symbols)
    yield from _distances(columns, np.flatnonzero(finite.lengths & (columns.sizes > 0)), min_distance)


def not_finite(columns: Columns, finite: Finite) -> Iterator[Finding]:
    """Yield configurations with NaN or infinite positions, cell or labels."""
    for name, there in finite.parts.items():
        for index in map(int, np.flatnonzero(~there & (columns.sizes > 0))):
            atoms = columns.atoms_of(index)
            parts: dict[str, Any] = {"positions": columns.positions[atoms], "cell": columns.cells[index]}
            parts.update(columns.labels(index))
            count = int(np.count_nonzero(~np.isfinite(parts[name])))
            yield Finding(index, "error", "not finite", f"{count} NaN or infinite values of {name}", "finite numbers")


def _too_large(columns: Columns, finite: Finite) -> Iterator[Finding]:
    expected = f"{LARGEST_LENGTH:g} Å at most"
    for index in np.flatnonzero(finite.parts["positions"] & (finite.largest_position > LARGEST_LENGTH)):
        own = np.abs(columns.positions[columns.atoms_of(int(index))])
        atom = int(own.max(axis=1).argmax())
        yield Finding(int(index), "error", "position", f"{own.max():.4g} Å of atom {atom}", expected)
    for index in np.flatnonzero(finite.parts["cell"] & (finite.largest_cell > LARGEST_LENGTH) & (columns.sizes > 0)):
        yield Finding(int(index), "error", "cell", f"a cell vector of {finite.largest_cell[index]:.4g} Å", expected)


def _unknown_elements(columns: Columns, symbols: Sequence[str] | None) -> Iterator[Finding]:
    known = np.zeros(len(chemical_symbols), dtype=bool)
    for number, symbol in enumerate(chemical_symbols):
        known[number] = symbol != "X" and (symbols is None or symbol in symbols)
    expected = "a chemical element" if symbols is None else f"one of {', '.join(symbols)}"
    unknown = ~known[columns.numbers]
    owners = np.repeat(np.arange(len(columns)), columns.sizes)
    for index in np.unique(owners[unknown]):
        own = columns.numbers[columns.atoms_of(int(index))]
        names = sorted({chemical_symbols[number] for number in own if not known[number]})
        yield Finding(int(index), "error", "element", ", ".join(names), expected)


def _distances(columns: Columns, indices: NDArray[np.int64], least: float) -> Iterator[Finding]:
    """Yield configurations with atoms closer than ``least``, Å."""
    small = indices[columns.sizes[indices] <= SMALL]
    other = [indices[columns.sizes[indices] > SMALL]]
    patterns = columns.pbc[small] @ np.array([4, 2, 1])
    for pattern in np.unique(patterns):
        for group in columns.by_size(small[patterns == pattern], MANY):
            left, findings = _of_group(columns, group, least)
            other.append(left)
            yield from findings
    for index in np.sort(np.concatenate(other)):
        yield from _by_cell_list(columns, int(index), least)


def _of_group(columns: Columns, group: NDArray[np.int64], least: float) -> tuple[NDArray[np.int64], list[Finding]]:
    """Check configurations of one size and periodicity; return those left to the cell list, and findings.

    If all reciprocal vectors b_i of the periodic cell vectors are shorter than 1/(2 least), a vector v shorter than
    ``least`` has |v·b_i| < 1/2: subtracting rounded scaled coordinates finds it.
    """
    size = int(columns.sizes[group[0]])
    points = columns.positions[columns.atoms_in(group)].reshape(len(group), size, 3)
    cells = columns.cells[group][:, columns.pbc[group[0]]]
    span = np.linalg.matrix_rank(cells) == cells.shape[1] if cells.shape[1] else np.ones(len(group), dtype=bool)
    inverse = np.linalg.pinv(cells) if cells.shape[1] else np.zeros((len(group), 3, 0))
    spread = np.ptp(points - points @ inverse @ cells, axis=1).max(axis=1)
    able = span & (np.linalg.norm(inverse, axis=1).max(axis=1, initial=0.0) * 2 * least < 0.99)
    able &= (cells.shape[1] == 3) | (spread <= LARGEST_SPREAD)
    group, points, inverse, cells, left = group[able], points[able], inverse[able], cells[able], group[~able]
    first, second = np.triu_indices(size, 1)
    if not len(group) or not len(first):
        return left, []
    findings = []
    step = max(1, MANY * 8 // len(first))
    for start in range(0, len(group), step):
        part = slice(start, start + step)
        vectors = points[part][:, second] - points[part][:, first]
        vectors -= np.round(vectors @ inverse[part]) @ cells[part]
        squares = np.einsum("cij,cij->ci", vectors, vectors)
        for row in np.flatnonzero(squares.min(axis=1) <= least**2):
            k = int(squares[row].argmin())
            value = f"{np.sqrt(squares[row, k]):.4g} Å between atoms {first[k]} and {second[k]}"
            findings.append(Finding(int(group[start + row]), "error", "distance", value, f"{least:g} Å at least"))
    return left, findings


def _by_cell_list(columns: Columns, index: int, least: float) -> Iterator[Finding]:
    from nnpal.geometry.neighbor_graph import neighbor_graph  # imports torch: 1 to 2 s

    own = columns.atoms_of(index)
    species = np.zeros(own.stop - own.start, dtype=int)
    try:
        graph = neighbor_graph(columns.positions[own], columns.cells[index], columns.pbc[index], species, least)
    except ValueError as error:
        yield Finding(index, "error", "cell", str(error), "atoms and a cell whose neighbors can be found")
        return
    if len(graph.edge_vec):
        distances = graph.edge_vec.norm(dim=1)
        k = int(distances.argmin())
        i, j = sorted(graph.edge_index[:, k].tolist())
        value = f"{distances[k]:.4g} Å between atoms {i} and {j}"
        yield Finding(index, "error", "distance", value, f"{least:g} Å at least")
