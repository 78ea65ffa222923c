"""Spreads of an ensemble together with its errors on data that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pairs:
    """Spread and error of the same atoms and of the same configurations.

    The errors are those of predictions by members that did not learn the configuration. Where these are fewer than the
    whole ensemble, their mean errs by more than that of all: ``unshared`` is the share of the spread's square that the
    error's square has in excess, see :func:`unshared`.

    Attributes:
        species: element index of every atom, int [n_atoms].
        uq_force: of the whole ensemble, eV/Å, [n_atoms].
        force_error: predicted less labeled, eV/Å, [n_atoms, 3].
        n_atoms: of each configuration, int [n_frames]; the atoms stand in the configurations' order.
        energy_std: standard deviation of all members' energies, eV, [n_frames].
        energy_error: predicted less labeled, eV, [n_frames]; NaN where the label has none.
        unshared: see above, [n_frames]; zeros for errors of the whole ensemble's mean.
    """

    species: NDArray[np.int64]
    uq_force: NDArray[np.float64]
    force_error: NDArray[np.float64]
    n_atoms: NDArray[np.int64]
    energy_std: NDArray[np.float64]
    energy_error: NDArray[np.float64]
    unshared: NDArray[np.float64]

    @property
    def size(self) -> NDArray[np.int64]:
        """Length of the force's error, eV/Å, [n_atoms]."""
        return np.linalg.norm(self.force_error, axis=1)

    @property
    def frame(self) -> NDArray[np.int64]:
        """Index of every atom's configuration, int [n_atoms]."""
        return np.repeat(np.arange(len(self.n_atoms)), self.n_atoms)

    @property
    def first_atoms(self) -> NDArray[np.int64]:
        """Index of every configuration's first atom, int [n_frames]."""
        return np.asarray(np.cumsum(self.n_atoms) - self.n_atoms)

    def of_frames(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return some configurations' pairs; ``chosen`` is a mask, [n_frames].

        Arguments:
            chosen: mask, bool [n_frames].
        """
        atoms = chosen[self.frame]
        return Pairs(
            self.species[atoms],
            self.uq_force[atoms],
            self.force_error[atoms],
            self.n_atoms[chosen],
            self.energy_std[chosen],
            self.energy_error[chosen],
            self.unshared[chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """Return all parts' pairs, one after another.

        Arguments:
            parts: pairs of several sets of configurations.
        """
        names = cls.__dataclass_fields__
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def unshared(n_members: int, n_judged: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how many times the spread's square the mean of few members errs more than that of all.

    With v the variance of a member about what all members share, the squared error of the mean of k of M members has
    v/k of it, that of all v/M, and the spread's square, in the population form, is v (M - 1)/M in the mean::

        (1/k - 1/M) M/(M - 1)

    Arguments:
        n_members: M, at least 2.
        n_judged: k of each configuration, [n_frames].
    """
    return np.asarray((1 / n_judged - 1 / n_members) * n_members / (n_members - 1))
