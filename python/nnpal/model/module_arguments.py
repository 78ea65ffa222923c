"""Check the arguments of an export that describe a custom module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ase.data import atomic_numbers
from torch import Tensor

from nnpal.model.metadata import MOST_HOPS


def require_elements(elements: Sequence[str]) -> tuple[str, ...]:
    """Return the elements.

    Raises:
        ValueError: there are none, one is repeated, or one is not a chemical symbol; names it.
    """
    if isinstance(elements, str):
        raise ValueError(
            f"elements is the text {elements!r}, expected a list of chemical symbols, such as ['Ni', 'Nb']"
        )
    found = tuple(elements)
    if not found:
        raise ValueError("elements is empty, expected a list of chemical symbols, such as ['Ni', 'Nb']")
    for place, element in enumerate(found):
        if not isinstance(element, str) or not atomic_numbers.get(element):  # X is 0 in ASE
            raise ValueError(f"elements holds {element!r}, expected chemical symbols, such as 'Ni'")
        if element in found[:place]:
            raise ValueError(f"elements holds {element!r} twice; each has one place, the index that species gives")
    return found


def require_cutoff(cutoff: float) -> float:
    """Return the cutoff, Å.

    Raises:
        ValueError: it is not a positive number.
    """
    if not _is_finite(cutoff) or cutoff <= 0:
        raise ValueError(f"cutoff is {cutoff!r}, expected a length in Å above 0")
    return float(cutoff)


def require_hops(hops: int) -> int:
    """Return the number of message-passing steps.

    Raises:
        ValueError: it is not an integer from 1 to ``MOST_HOPS``.
    """
    if isinstance(hops, bool) or not isinstance(hops, int) or not 1 <= hops <= MOST_HOPS:
        raise ValueError(
            f"hops is {hops!r}, expected a whole number from 1, with which only neighbors matter, to {MOST_HOPS}"
        )
    return hops


def self_energies_of(given: Mapping[str, float] | None, elements: Sequence[str], scale: float) -> Tensor:
    """Return the self-energy of each element, eV, float64 [n_elements].

    Arguments:
        given: self-energy of every element, or None for 0.
        elements: chemical symbols, in order.
        scale: eV per unit of ``given``.

    Raises:
        ValueError: an element is missing or unknown, or a value is not finite.
    """
    if given is None:
        return torch.zeros(len(elements), dtype=torch.float64)
    for what, names in (
        ("lacks", [element for element in elements if element not in given]),
        ("holds", [element for element in given if element not in elements]),
    ):
        if names:
            raise ValueError(
                f"self_energies {what} {', '.join(map(str, names))}, expected one for each of {list(elements)}"
            )
    for element in elements:
        if not _is_finite(given[element]):
            raise ValueError(f"self_energies of {element} is {given[element]!r}, expected a finite number")
    return torch.tensor([float(given[element]) for element in elements], dtype=torch.float64) * scale


def _is_finite(value: Any) -> bool:
    try:
        return not isinstance(value, str) and math.isfinite(value)
    except TypeError:
        return False
