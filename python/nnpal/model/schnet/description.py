"""Architecture of a SchNet ensemble's networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from nnpal.model.metadata import MOST_HOPS

_SMALLEST = {"features": 2, "interactions": 1, "gaussians": 2}
"""The head halves the features; one Gaussian has no spacing."""
_LARGEST = {"interactions": MOST_HOPS}
"""More could be trained, but not written to a model file."""


@dataclass(frozen=True)
class SchNetDescription:
    """Elements and hyperparameters of one ensemble of SchNet networks.

    The defaults are smaller than torch-geometric's (128 features, 6 interactions, 50 Gaussians, 10 Å), because a filter
    is evaluated for each edge, at a cost proportional to features · (gaussians + features).

    Attributes:
        symbols: chemical symbols, in the order of the element indices.
        features: number of features per atom, and of filters per convolution; at least 2.
        interactions: number of interaction blocks, at most 16. The energy of an atom depends on atoms up to
            ``interactions * cutoff`` away.
        gaussians: number of Gaussians of the distance, evenly spaced from 0 to ``cutoff``; at least 2.
        cutoff: cutoff of the edges, Å.

    Raises:
        ValueError: a value is out of range; names it.
    """

    kind: ClassVar[str] = "schnet"

    symbols: tuple[str, ...]
    features: int = 64
    interactions: int = 3
    gaussians: int = 32
    cutoff: float = 5.0

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"SchNetDescription: symbols are {self.symbols}, expected one or more, each once")
        for name, smallest in _SMALLEST.items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < smallest:
                raise ValueError(f"SchNetDescription: {name} is {value!r}, expected a whole number from {smallest} up")
        for name, largest in _LARGEST.items():
            if (value := getattr(self, name)) > largest:
                raise ValueError(f"SchNetDescription: {name} is {value!r}, expected {largest} at most")
        is_number = isinstance(self.cutoff, Real) and not isinstance(self.cutoff, bool)
        if not (is_number and math.isfinite(self.cutoff) and self.cutoff > 0):
            raise ValueError(f"SchNetDescription: cutoff is {self.cutoff!r}, expected a length above 0, Å")

    @property
    def hops(self) -> int:
        """Number of neighbor steps over which an energy depends on atoms."""
        return self.interactions
