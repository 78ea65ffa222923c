"""Read plain extended XYZ files into columns: labels are chosen and converted for a whole file at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nnpal.data.chosen import choose
from nnpal.data.columns import Columns
from nnpal.data.error import DatasetError
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys
from nnpal.data.plain_extxyz import TEXTS, NotPlainError, Parsed, Table, numbers_in, parse_plain
from nnpal.data.stresses import mixed_stresses
from nnpal.data.units import Units


def read_plain(
    path: str | os.PathLike[str],
    *,
    units: Units | None,
    keys: Keys,
    labeled: bool | None,
    faults: list[Finding] | None = None,
) -> Columns:
    """Read a file as :func:`nnpal.data.extxyz.read_extxyz` does.

    Arguments:
        faults: list to which a warning is appended if some frames have a stress and others a virial.

    Raises:
        NotPlainError: a file that is not plain, or has a fault that the other reader reports.
    """
    if keys.order is not None:
        raise NotPlainError
    parsed = parse_plain(path, keys)
    try:
        names = choose(path, parsed.held, keys, labeled, sizes=parsed.sizes)
    except DatasetError as error:
        raise NotPlainError from error
    n, n_atoms = len(parsed.sizes), len(parsed.numbers)
    own = [_units(text, units) for text in (texts[TEXTS.index("units")] for texts in parsed.texts)]
    sizes = np.array(parsed.sizes, dtype=np.int64)
    lengths = np.array([one.to_angstrom for one in own])
    to_ev = np.array([one.to_ev for one in own])
    cells = scaled(numbers_in(parsed.cells, 3, 3), lengths)
    pbc = np.array(parsed.pbc, dtype=bool).reshape(-1, 3)
    has = {name: np.zeros(n, dtype=bool) for name in ("energy", "forces", "stress")}
    energies = np.zeros(n)
    if table := _table(parsed, names.get("energy", ())):
        which = np.array(table.frames)
        has["energy"][which] = True
        energies[which] = numbers_in(table.values).ravel() * to_ev[which]
    forces = np.zeros((n_atoms, 3))
    if table := _table(parsed, names.get("forces", ())):
        has["forces"][np.array(table.frames)] = True
        factors = np.array([one.to_ev_per_angstrom for one in own])
        rows = np.repeat(has["forces"], sizes)
        values = scaled(numbers_in(table.values, 3), np.repeat(factors, sizes)[rows])
        if rows.all():
            forces = values
        else:
            forces[rows] = values
    has["stress"], stresses = _stresses(parsed, names, own, cells, pbc)
    if faults is not None:
        faults += mixed_stresses(_stated(parsed, names))
    return Columns(
        sizes,
        np.frombuffer(parsed.numbers, dtype=np.int64),
        scaled(numbers_in(parsed.positions, 3), np.repeat(lengths, sizes)),
        cells,
        pbc,
        has,
        energies,
        forces,
        stresses,
        [tag if tag is not None else config_type for tag, _, config_type, _ in parsed.texts],
        [source for _, source, _, _ in parsed.texts],
        electrons=parsed.electrons,
    )


def scaled(values: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each of ``values`` [n, ...] by its factor, in place to save memory."""
    if (factors != 1.0).any():
        values *= factors.reshape(-1, *[1] * (values.ndim - 1))
    return values


def _units(stated: str | None, given: Units | None) -> Units:
    """Return the units of a frame; those that :func:`nnpal.data.extxyz.units_of` refuses are not plain."""
    key = stated, given
    if key not in _KNOWN:
        try:
            own = None if stated is None else Units.parse(stated)
        except ValueError as error:
            raise NotPlainError from error
        units = given or own
        if units is None or (own and given and own != given):
            raise NotPlainError
        if len(_KNOWN) > 100:
            _KNOWN.clear()
        _KNOWN[key] = units
    return _KNOWN[key]


_KNOWN: dict[tuple[str | None, Units | None], Units] = {}


def _table(parsed: Parsed, names: Sequence[str]) -> Table | None:
    return parsed.labels.get(names[0]) if names else None


def _stated(parsed: Parsed, names: Mapping[str, Sequence[str]]) -> dict[int, tuple[str, str]]:
    pairs = [(label, name) for label in ("stress", "virial") for name in names.get(label, ()) if name in parsed.labels]
    return {index: (label, name) for label, name in pairs for index in parsed.labels[name].frames}


def _stresses(
    parsed: Parsed, names: Mapping[str, Sequence[str]], units: Sequence[Units], cells: NDArray[np.float64],
    pbc: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:  # fmt: skip
    """Return which frames have a stress, and the stresses, eV/Å³, Voigt, ASE's sign, [n, 6].

    Frames with several stresses or virials, of which one has to be chosen, are not plain; nor is a virial without a
    volume.
    """
    n = len(parsed.sizes)
    has, stresses = np.zeros(n, dtype=bool), np.zeros((n, 6))
    for label in ("stress", "virial"):
        for name in names.get(label, ()):
            table = parsed.labels.get(name)
            if table is None:
                continue
            which, values = np.array(table.frames), numbers_in(table.values, 9)
            if has[which].any():
                raise NotPlainError
            has[which] = True
            one, other = values[:, 3:6], values[:, 6:]
            if name != "stress" and not _symmetric(values, one, other):
                raise NotPlainError
            if label == "stress":
                factors = np.array([units[i].to_ev_per_angstrom3 for i in which])
                stresses[which] = values[:, :6] * factors[:, None]
                continue
            volumes = np.abs(np.linalg.det(cells[which]))
            if not (volumes > 0).all() or not pbc[which].all():
                raise NotPlainError
            factors = np.array([units[i].to_ev for i in which])
            stresses[which] = -(values[:, :6] * factors[:, None]) / volumes[:, None]
    return has, stresses


def _symmetric(values: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Return whether tensors are symmetric within printed digits, as :func:`nnpal.data.labels.to_voigt` requires."""
    if not np.isfinite(values).all():
        return np.array_equal(one, other, equal_nan=True)
    least = 1e-6 * np.abs(values).max(axis=1, initial=0.0)[:, None] + 1e-5 * np.minimum(np.abs(one), np.abs(other))
    return bool((np.abs(one - other) <= least).all())
