"""Configurations of one metal made into those of another, without sampling again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ase import Atoms

from nnpal.geometry.electrons import electrons_of


def translate(frames: Sequence[Atoms], *, factor: float, symbols: Mapping[str, str]) -> list[Atoms]:
    """Return configurations with positions and cell scaled by ``factor`` and elements swapped, without labels.

    They are no samples of the other metal's ensemble, but environments of the same shapes; labels come from its oracle.
    Order, periodicity, tag and source stay; all else is dropped, initial charges and moments too.

    Arguments:
        frames: configurations; they stay as they are.
        factor: of all lengths, such as the ratio of the metals' bond lengths.
        symbols: new element of each old one; ``{"Ni": "Al"}``. One that stays is mapped to itself.

    Raises:
        ValueError: a factor that is not finite and positive, a configuration that states a charge or spin,
            or an element that is not in ``symbols``.
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
