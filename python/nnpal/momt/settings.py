"""Settings of a run, from the options of `nnpal.momt:MOMT` and the system."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import Context, HookError
from nnpal.momt.bias_file import Bias, Walls
from nnpal.momt.grid import Axis
from nnpal.momt.lattices import LATTICES, deduce_cells, reciprocal_vectors, require_fitting_cells, triples
from nnpal.runtime.spelling import did_you_mean

# Energy e of the walls, and length l of those along H, in kT0. The slope far beyond an edge of H is then 1/2: forces
# are multiplied by 0.5 or 1.5, and the walk goes some 3 kT0 beyond the edge, independent of the bins
WALL_STRENGTH, WALL_LENGTH = 2.0, 4.0
# Length of a wall along O or V, as a fraction of the user's grid
WALL_SHARE = 0.02
# Ends of a round trip as fractions of the perfect crystal's O; Ni(32) at 2000 K: 0.05 in the liquid, 0.6 to 0.8 in fcc
LIQUID_SHARE, SOLID_SHARE = 0.15, 0.5
# Ends of a round trip as fractions of the grid of H, if O is not measured
H_SHARES = (0.2, 0.8)
MAX_STEPS = 2**63 - 1  # largest step number of LAMMPS
# Above any sensible value, in all LAMMPS units: a larger number is a mistake, and would lead to NaN steps later
MAX_TEMP, MAX_PRESS, MAX_WALL = 1e8, 1e18, 1e6


@dataclass(frozen=True)
class Order:
    """The requested order parameter.

    Attributes:
        lattice: name of the lattice, ``reciprocal`` or ``none``.
        vectors: vectors as multiples of the box's reciprocal vectors, [n_g][3]; empty if O is not measured.
        perfect: O of the perfect crystal.
    """

    lattice: str
    vectors: list[tuple[int, int, int]]
    perfect: float


def require_numbers(*, temp: float, press: float, learn: int | None, **steps: int) -> None:
    """Reject invalid numbers: NaN, infinite, negative or absurdly large ones.

    Arguments:
        temp, press: T0 and P0.
        learn: number of learning steps; None: no limit.
        steps: further numbers of steps, by name of the option.

    Raises:
        HookError: a number is invalid.
    """
    if not 0 < temp <= MAX_TEMP:
        raise HookError(f"option temp: expected a finite temperature above 0, {MAX_TEMP:g} at most, found {temp:g}")
    if not abs(press) <= MAX_PRESS:
        raise HookError(
            f"option press: expected a finite pressure, {MAX_PRESS:g} at most and -{MAX_PRESS:g} at least, found "
            f"{press:g}"
        )
    for name, value in {**steps, **({} if learn is None else {"learn": learn})}.items():
        if not 1 <= value <= MAX_STEPS:
            limit = f" to {MAX_STEPS}" if value > MAX_STEPS else ""
            raise HookError(f"option {name}: expected a number of steps from 1{limit}, found {value}")


def choose_order(context: Context, lattice: str, cells: list[float] | None, reciprocal: list[int] | None) -> Order:
    """Return the order parameter for the options lattice, cells and reciprocal.

    Raises:
        HookError: the lattice is unknown or does not fit the box, or options exclude each other.
    """
    n = context.n_group
    if n == 0:
        raise HookError(f"group {context.group} has no atoms; expected at least one")
    if reciprocal is not None:
        if lattice != "none" or cells is not None:
            raise HookError("option reciprocal replaces lattice and cells; remove those")
        return Order("reciprocal", triples(reciprocal), float(n))
    if lattice == "none":
        if cells is not None:
            raise HookError("option cells has no meaning without lattice fcc, bcc, hcp or diamond")
        return Order("none", [], 0.0)
    if lattice not in LATTICES:
        raise HookError(f"option lattice: unknown lattice {lattice}{did_you_mean(lattice, [*LATTICES, 'none'])}")
    is_deduced = False
    if cells is None:
        if n != context.n_atoms:
            raise HookError(
                f"group {context.group} has {n} of {context.n_atoms} atoms, so the crystal's cells cannot be deduced; "
                "say cells NA NB NC"
            )
        cells, is_deduced = list(deduce_cells(lattice, n, context.box)), True
    vectors = reciprocal_vectors(lattice, cells)
    if not is_deduced:
        require_fitting_cells(lattice, cells, n, context.n_atoms, context.box)
    return Order(lattice, vectors, n * LATTICES[lattice].intensity)


def choose_ends(axes: tuple[Axis, ...], order: Order, ends: tuple[float, float] | None) -> tuple[str, float, float]:
    """Return the variable in which round trips are counted, and its two ends.

    Raises:
        HookError: the ends are in the wrong order.
    """
    variable = "O" if order.vectors else "H"
    if ends is not None:
        if not (isfinite(ends[0]) and isfinite(ends[1]) and ends[0] < ends[1]):
            raise HookError(f"option ends {ends[0]:g} {ends[1]:g}: expected low < high, finite numbers")
        return variable, *ends
    if order.vectors:
        return variable, LIQUID_SHARE * order.perfect, SOLID_SHARE * order.perfect
    (axis,) = (axis for axis in axes if axis.name == "H")
    low, high = (axis.low + share * (axis.high - axis.low) for share in H_SHARES)
    return variable, low, high


def choose_walls(
    axes: tuple[Axis, ...],
    words: tuple[str, ...],
    kT: float,
    strength: float = WALL_STRENGTH,
    length: float = WALL_LENGTH,
) -> tuple[Walls, ...]:
    """Return the walls at the edges of each axis; they do not depend on the number of bins.

    Arguments:
        axes: axes of the grid.
        words: ``yes`` (all edges), ``no``, or edges such as ``H- H+ O+``.
        kT: Boltzmann's constant times T0, energy units.
        strength: energy e of the walls, kT.
        length: length l of a wall along H, kT; along O and V it is `WALL_SHARE` of the grid.

    Raises:
        HookError: an edge does not exist, a number is not above 0, or a wall of H would reverse the forces.
    """
    edges = [axis.name + sign for axis in axes for sign in "-+"]
    chosen = {"yes": edges, "no": []}.get(words[0], list(words)) if len(words) == 1 else list(words)
    for word in chosen:
        if word not in edges:
            raise HookError(f"option walls: unknown edge {word}; expected yes, no or some of {' '.join(edges)}")
    for name, value in (("wall_strength", strength), ("wall_length", length)):
        if not 0 < value <= MAX_WALL:
            raise HookError(
                f"option {name}: expected a finite number above 0, {MAX_WALL:g} at most (kT), found {value:g}"
            )
    # Forces are multiplied by 1 + a, and far below the lower edge the wall makes a = -strength/length
    if strength >= length and any(word[0] == "H" for word in chosen):
        raise HookError(
            f"options wall_strength {strength:g} and wall_length {length:g}: the wall at the lower edge of H would "
            "reverse all forces; expected wall_strength below wall_length"
        )
    return tuple(
        Walls(
            low=f"{axis.name}-" in chosen,
            high=f"{axis.name}+" in chosen,
            energy=strength * kT,
            length=length * kT if axis.name == "H" else WALL_SHARE * (axis.high - axis.low),
            slope_is_limited=axis.name == "H",
        )
        for axis in axes
    )


def require_same(what: str, found: dict[str, str], wanted: dict[str, str], cure: str) -> None:
    """Check that the settings with which a bias was learned are those of this run.

    Raises:
        HookError: they differ; the message names both.
    """
    for name, value in wanted.items():
        if found.get(name) != value:
            raise HookError(f"{what} has {name} {found.get(name)}, and this run has {name} {value}; {cure}")


def identity(
    axes: tuple[Axis, ...],
    vectors: NDArray[np.int64] | list[tuple[int, int, int]],
    units: str,
    temp: float,
    press: float,
) -> dict[str, str]:
    """Return the facts that must agree before δH can be carried from one run to another."""
    return {
        "units": units,
        "temp": f"{temp:.17g}",
        "press": f"{press:.17g}",
        "grid": ", ".join(str(axis) for axis in axes),
        "reciprocal vectors": " ".join(str(tuple(int(c) for c in v)) for v in vectors) or "none",
    }


def identity_of(bias: Bias) -> dict[str, str]:
    return identity(bias.axes, bias.reciprocal_vectors, bias.units, bias.temp, bias.press)
