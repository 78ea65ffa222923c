"""Conversion of configurations of one metal to another, without new sampling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ase import Atoms

from nnpal.geometry.electrons import electrons_of


def translate(frames: Sequence[Atoms], *, factor: float, symbols: Mapping[str, str]) -> list[Atoms]:
    """Return configurations with positions and cell scaled by ``factor`` and elements swapped, without labels.

    They are not samples of the other metal's ensemble, but have environments of the same shapes; its oracle provides
    the labels. Order, periodicity, tag and source are kept; everything else is dropped, including initial charges and
    magnetic moments.

    Arguments:
        frames: configurations; they are not modified.
        factor: scaling factor of all lengths, such as the ratio of the metals' bond lengths.
        symbols: old -> new element, ``{"Ni": "Al"}``. Elements that stay are mapped to themselves.

    Raises:
        ValueError: the factor is not finite and positive, a configuration has a charge or spin, or an element is not in
            ``symbols``.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"translate: factor = {factor}, expected a finite number above 0")
    translated = []
    for index, frame in enumerate(frames):
        if unknown := sorted(set(frame.symbols) - set(symbols)):
            raise ValueError(
                f"translate: configuration {index} holds {', '.join(unknown)}, but symbols say only what becomes of "
                f"{', '.join(sorted(symbols)) or 'no element'}; add them, mapped to themselves to keep them"
            )
        if (stated := electrons_of(frame, what=f"configuration {index}")).binds_whole:
            raise ValueError(
                f"translate: configuration {index} states {stated}, which other elements need not have; remove it"
            )
        copy = Atoms(
            [symbols[symbol] for symbol in frame.symbols],
            positions=factor * frame.positions,
            cell=factor * frame.cell[:],
            pbc=frame.pbc,
        )
        copy.info.update({key: frame.info[key] for key in ("tag", "source") if key in frame.info})
        translated.append(copy)
    return translated
