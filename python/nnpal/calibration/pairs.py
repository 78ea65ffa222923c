"""Spreads of an ensemble, paired with its errors on data that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pairs:
    """Spread and error of the same atoms and configurations.

    The errors are those of members that were not trained on the configuration. If these are not all members, the error
    of their mean is larger than that of the whole ensemble: ``unshared`` is the excess of the squared error as a
    fraction of the squared spread, see :func:`unshared`.

    Attributes:
        species: element index of every atom, int [n_atoms].
        uq_force: ``uq_force`` of the whole ensemble, eV/Å, [n_atoms].
        force_error: predicted minus labeled force, eV/Å, [n_atoms, 3].
        n_atoms: number of atoms of each configuration, int [n_frames]; atoms are in the configurations' order.
        energy_std: standard deviation of all members' energies, eV, [n_frames].
        energy_error: predicted minus labeled energy, eV, [n_frames]; NaN if there is no label.
        unshared: see above, [n_frames]; zero for errors of the whole ensemble's mean.
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
        """Return the magnitude of the force errors, eV/Å, [n_atoms]."""
        return np.linalg.norm(self.force_error, axis=1)

    @property
    def frame(self) -> NDArray[np.int64]:
        """Return the index of every atom's configuration, int [n_atoms]."""
        return np.repeat(np.arange(len(self.n_atoms)), self.n_atoms)

    @property
    def first_atoms(self) -> NDArray[np.int64]:
        """Return the index of every configuration's first atom, int [n_frames]."""
        return np.asarray(np.cumsum(self.n_atoms) - self.n_atoms)

    def of_frames(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return the pairs of some configurations.

        Arguments:
            chosen: mask of the configurations, bool [n_frames].
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
        """Concatenate pairs.

        Arguments:
            parts: pairs of several sets of configurations.
        """
        names = cls.__dataclass_fields__
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def unshared(n_members: int, n_judged: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the excess squared error of the mean of few members over that of all, relative to the squared spread.

    With v the variance of the members about their common part, the squared error of the mean of k of M members contains
    v/k, that of all members v/M, and the mean squared spread, in the population form, is v (M - 1)/M; the excess is::

        (1/k - 1/M) M/(M - 1)

    Arguments:
        n_members: M, at least 2.
        n_judged: k, number of members whose mean gave the error of each configuration, [n_frames].
    """
    return np.asarray((1 / n_judged - 1 / n_members) * n_members / (n_members - 1))
