"""Training/validation splits by the hash of configurations, so that equal ones are never on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """Indices of training and validation configurations, int64, ascending; together all configurations, each once.

    Attributes:
        train: configurations to train on, [n_train].
        validation: configurations that select the best weights, [n_validation].
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    def roles(self, hashes: Sequence[str]) -> dict[str, str]:
        """Return ``train`` or ``validation`` for the hash of each configuration.

        Arguments:
            hashes: hash of each configuration's structure, [n_data].
        """
        return {hashes[i]: "train" for i in self.train} | {hashes[i]: "validation" for i in self.validation}


def random_split(hashes: Sequence[str], validation_fraction: float, rng: np.random.Generator) -> Split:
    """Draw a split of all configurations.

    Arguments:
        hashes: hash of each configuration's structure; equal ones get the same role.
        validation_fraction: fraction of distinct configurations for validation, rounded.
        rng: random generator.

    Raises:
        ValueError: one part would be empty.
    """
    return _split(hashes, _drawn(dict.fromkeys(hashes), validation_fraction, rng), validation_fraction)


def inherited_split(
    hashes: Sequence[str],
    previous: Mapping[str, str],
    validation_fraction: float,
    rng: np.random.Generator,
) -> Split:
    """Keep the roles of earlier configurations, and draw those of new ones.

    Jung et al. (rare events) call this strategy inherited but do not give its rule. Ours: a configuration keeps the
    role that it had in the best member of the previous iteration, and each member draws the roles of new ones itself.

    Arguments:
        hashes: hash of each configuration's structure; equal ones get the same role.
        previous: hash -> ``train`` or ``validation`` in the previous best member; others are ignored.
        validation_fraction: fraction of the new configurations for validation, rounded.
        rng: random generator.

    Raises:
        ValueError: one part is empty.
    """
    new = dict.fromkeys(h for h in hashes if h not in previous)
    return _split(hashes, {**previous, **_drawn(new, validation_fraction, rng)}, validation_fraction)


def _drawn(hashes: Mapping[str, None], validation_fraction: float, rng: np.random.Generator) -> dict[str, str]:
    """Return a role for each hash."""
    order = rng.permutation(len(hashes))
    n_validation = round(len(hashes) * validation_fraction)
    names = list(hashes)
    return {names[i]: "validation" if k < n_validation else "train" for k, i in enumerate(order)}


def _split(hashes: Sequence[str], roles: Mapping[str, str], validation_fraction: float) -> Split:
    validates = np.array([roles[h] == "validation" for h in hashes], dtype=bool)
    split = Split(np.flatnonzero(~validates), np.flatnonzero(validates))
    if not len(split.train) or not len(split.validation):
        raise ValueError(
            f"split of {len(hashes)} configurations ({len(set(hashes))} different): validation_fraction "
            f"{validation_fraction} leaves {len(split.train)} for training and {len(split.validation)} for validation, "
            "expected at least one each; add configurations or change the fraction"
        )
    return split
