"""Many configurations in a few arrays, to read, check and write files of 50,000 small ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from nnpal.data.labels import NAMES, attach, labels_of
from nnpal.geometry.electrons import Electrons, electrons_of, put, to_json


@dataclass(frozen=True)
class Columns(Sequence[Atoms]):
    """Configurations in concatenated arrays; indexing creates an :class:`ase.Atoms`.

    An ``Atoms`` with a calculator takes about 10 kB and 100 µs, whatever its size.

    Attributes:
        sizes: numbers of atoms, int64 [n].
        numbers: atomic numbers of all atoms, int64 [n_atoms].
        positions: Å, [n_atoms, 3].
        cells: cell vectors as rows, Å, [n, 3, 3].
        pbc: bool [n, 3].
        has: bool [n] by `energy`, `forces` and `stress`: whether a configuration has the label.
        energies: eV, [n]; values of missing labels are arbitrary, here and below.
        forces: eV/Å, [n_atoms, 3].
        stresses: eV/Å³, Voigt, ASE's sign, [n, 6].
        tags: tag of each configuration; None if not stated.
        sources: source of each configuration; None if not stated.
        stale: by index, why the labels do not belong to the configuration.
        electrons: by index, charge and spin of configurations that state any, or a message why they are invalid.
    """

    sizes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    cells: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    has: Mapping[str, NDArray[np.bool_]]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    tags: Sequence[str | None]
    sources: Sequence[str | None]
    stale: Mapping[int, str] = field(default_factory=dict)
    electrons: Mapping[int, Electrons | str] = field(default_factory=dict)

    @classmethod
    def of(cls, frames: Sequence[Atoms]) -> Columns:
        """Return ``frames`` as columns; labels that do not belong to their atoms are reported in ``stale``."""
        if isinstance(frames, Columns):
            return frames
        require_several(frames)
        stale: dict[int, str] = {}
        electrons: dict[int, Electrons | str] = {}
        labels: list[dict[str, Any]] = []
        for index, frame in enumerate(frames):
            try:
                labels.append(labels_of(frame))
            except ValueError as error:
                stale[index] = str(error)
                labels.append({})
            try:
                stated = electrons_of(frame)
                if to_json(stated):
                    electrons[index] = stated
            except ValueError as error:
                electrons[index] = str(error)
        none = np.zeros((0, 3))
        has = {name: np.array([name in own for own in labels], dtype=bool) for name in NAMES}
        forces = [
            own["forces"] if "forces" in own else np.zeros((len(f), 3)) for own, f in zip(labels, frames, strict=True)
        ]
        return cls(
            sizes=np.array([len(frame) for frame in frames], dtype=np.int64),
            numbers=np.concatenate([np.zeros(0, np.int64), *(frame.numbers for frame in frames)]).astype(np.int64),
            positions=np.concatenate([none, *(frame.positions for frame in frames)]),
            cells=np.array([frame.cell.array for frame in frames]).reshape(-1, 3, 3),
            pbc=np.array([frame.pbc for frame in frames], dtype=bool).reshape(-1, 3),
            has=has,
            energies=np.array([own.get("energy", 0.0) for own in labels]),
            forces=np.concatenate([none, *forces]),
            stresses=np.array([own.get("stress", np.zeros(6)) for own in labels]).reshape(-1, 6),
            tags=[_text(frame, "tag") for frame in frames],
            sources=[_text(frame, "source") for frame in frames],
            stale=stale,
            electrons=electrons,
        )

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Return the index of the first atom of each configuration, then the total number of atoms, [n + 1]."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> Atoms: ...

    @overload
    def __getitem__(self, index: slice) -> Columns: ...

    def __getitem__(self, index: int | slice) -> Atoms | Columns:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        index = range(len(self))[index]
        own = self.atoms_of(index)
        atoms = Atoms(self.numbers[own], positions=self.positions[own], cell=self.cells[index], pbc=self.pbc[index])
        if isinstance(stated := self.electrons.get(index), Electrons):
            put(atoms, stated)
        labels: dict[str, Any] = {
            name: np.array(value) if np.ndim(value) else value for name, value in self.labels(index).items()
        }
        attach(atoms, **labels)
        for name, text in (("tag", self.tags[index]), ("source", self.sources[index])):
            if text is not None:
                atoms.info[name] = text
        return atoms

    def __iter__(self) -> Iterator[Atoms]:
        return (self[index] for index in range(len(self)))

    def require_consistent(self) -> None:
        """Refuse labels that do not belong to their configurations, and charges and spins that contradict each other.

        Raises:
            ValueError: any of these; the message names the first.
        """
        wrong = {**{i: own for i, own in self.electrons.items() if isinstance(own, str)}, **self.stale}
        if wrong:
            index = min(wrong)
            raise ValueError(wrong[index].replace("configuration", f"configuration {index}", 1))

    def atoms_of(self, index: int) -> slice:
        """Return the slice of the atoms of a configuration."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def labels(self, index: int) -> dict[str, Any]:
        """Return the labels of a configuration as :func:`nnpal.data.labels.labels_of` does, as views."""
        found: dict[str, Any] = {}
        if self.has["energy"][index]:
            found["energy"] = float(self.energies[index])
        if self.has["forces"][index]:
            found["forces"] = self.forces[self.atoms_of(index)]
        if self.has["stress"][index]:
            found["stress"] = self.stresses[index]
        return found

    def atoms_in(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the atoms of these configurations, in order."""
        chosen = np.asarray(indices, dtype=np.int64)
        sizes = self.sizes[chosen]
        ends = np.cumsum(sizes)
        return np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.starts[chosen] - ends + sizes, sizes)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Columns:
        """Return these configurations, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        if np.array_equal(chosen, np.arange(len(self))):
            return self
        atoms = self.atoms_in(chosen)
        return Columns(
            self.sizes[chosen],
            self.numbers[atoms],
            self.positions[atoms],
            self.cells[chosen],
            self.pbc[chosen],
            {name: there[chosen] for name, there in self.has.items()},
            self.energies[chosen],
            self.forces[atoms],
            self.stresses[chosen],
            [self.tags[i] for i in chosen],
            [self.sources[i] for i in chosen],
            {new: self.stale[old] for new, old in enumerate(chosen.tolist()) if old in self.stale},
            {new: self.electrons[old] for new, old in enumerate(chosen.tolist()) if old in self.electrons},
        )

    def with_structure(self, positions: NDArray[np.float64], cells: NDArray[np.float64]) -> Columns:
        """Return a copy with other positions and cells."""
        return replace(self, positions=positions, cells=cells)

    def without(self, *names: str) -> Columns:
        """Return a copy without these labels."""
        none = np.zeros(len(self), dtype=bool)
        return replace(self, has={name: none if name in names else there for name, there in self.has.items()})

    def with_zero_forces(self) -> Columns:
        """Return a copy with zero forces for single atoms, see :func:`nnpal.data.labels.with_zero_forces`."""
        single = (self.sizes == 1) & self.has["energy"] & ~self.has["forces"]
        if not single.any():
            return self
        forces = self.forces.copy()
        forces[self.starts[:-1][single]] = 0.0
        return replace(self, forces=forces, has={**self.has, "forces": self.has["forces"] | single})

    def impossible_stresses(self) -> NDArray[np.int64]:
        """Return the indices of configurations with a stress whose finite cell is not fully periodic or has no volume.

        See :func:`nnpal.data.stresses.no_stress`.
        """
        there = np.flatnonzero(self.has["stress"] & np.isfinite(self.cells).all(axis=(1, 2)))
        with np.errstate(over="ignore", invalid="ignore"):
            possible = (np.abs(np.linalg.det(self.cells[there])) > 0) & self.pbc[there].all(axis=1)
        return there[~possible]

    def by_size(self, indices: NDArray[np.int64], largest: int) -> Iterator[NDArray[np.int64]]:
        """Yield ``indices`` in groups of configurations of one size, at most ``largest`` atoms per group."""
        sizes = self.sizes[indices]
        for size in np.unique(sizes):
            own = indices[sizes == size]
            step = max(1, largest // max(1, int(size)))
            for start in range(0, len(own), step):
                yield own[start : start + step]


def require_several(frames: object) -> None:
    """Refuse a single configuration in place of a list: Python would iterate over its atoms.

    Raises:
        TypeError: ``frames`` is one configuration.
    """
    if isinstance(frames, Atoms):
        raise TypeError(f"frames is one configuration ({frames.get_chemical_formula()}), expected a list: [atoms]")


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the configurations of all ``parts``, in order."""
    if len(parts) == 1:
        return parts[0]
    stale: dict[int, str] = {}
    electrons: dict[int, Electrons | str] = {}
    n = 0
    for part in parts:
        stale.update({n + index: why for index, why in part.stale.items()})
        electrons.update({n + index: stated for index, stated in part.electrons.items()})
        n += len(part)
    return Columns(
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.cells for part in parts]),
        np.concatenate([part.pbc for part in parts]),
        {name: np.concatenate([part.has[name] for part in parts]) for name in NAMES},
        np.concatenate([part.energies for part in parts]),
        np.concatenate([part.forces for part in parts]),
        np.concatenate([part.stresses for part in parts]),
        [tag for part in parts for tag in part.tags],
        [source for part in parts for source in part.sources],
        stale,
        electrons,
    )


def _text(frame: Atoms, name: str) -> str | None:
    return str(frame.info[name]) if name in frame.info else None
