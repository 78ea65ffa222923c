"""What the options of `nnpal.momt:MOMT` mean for the system at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnpal.hooks import Context, HookError
from nnpal.momt.bias_file import Bias, Walls
from nnpal.momt.grid import Axis
from nnpal.momt.lattices import LATTICES, deduce_cells, reciprocal_vectors, triples
from nnpal.suggest import did_you_mean

# Energy e of the walls in kT. Along H the slope far beyond the edge is then 2 kT a bin: with bins of some kT, forces
# grow no more than the time step bears
WALL_STRENGTH = 2.0
# Ends of a round trip, as shares of the perfect crystal's O: Ni(32) at 2000 K has 0.05 in the liquid, 0.6 to 0.8 in fcc
LIQUID_SHARE, SOLID_SHARE = 0.15, 0.5
# ... and of the grid of H where O is not measured
H_SHARES = (0.2, 0.8)


@dataclass(frozen=True)
class Order:
    """The order parameter asked for.

    Attributes:
        lattice: name, reciprocal or none.
        vectors: multiples of the box's reciprocal vectors, [n_g][3]; empty if O is not measured.
        perfect: O of the perfect crystal.
    """

    lattice: str
    vectors: list[tuple[int, int, int]]
    perfect: float


def choose_order(context: Context, lattice: str, cells: list[float] | None, reciprocal: list[int] | None) -> Order:
    """Return the order parameter of the options lattice, cells and reciprocal.

    Raises:
        HookError: an unknown lattice, one that does not fit the box, or options that exclude each other.
    """
    n = context.n_group
    if n == 0:
        raise HookError(f"group {context.group} has no atoms; expected at least one")
    if reciprocal is not None:
        if lattice != "none" or cells is not None:
            raise HookError("option reciprocal stands instead of lattice and cells; leave those out")
        return Order("reciprocal", triples(reciprocal), float(n))
    if lattice == "none":
        if cells is not None:
            raise HookError("option cells has no meaning without lattice fcc, bcc, hcp or diamond")
        return Order("none", [], 0.0)
    if lattice not in LATTICES:
        raise HookError(f"option lattice: unknown lattice {lattice}{did_you_mean(lattice, [*LATTICES, 'none'])}")
    if cells is None:
        if n != context.n_atoms:
            raise HookError(
                f"group {context.group} has {n} of {context.n_atoms} atoms, so the crystal's cells cannot be deduced; "
                "say cells NA NB NC"
            )
        cells = list(deduce_cells(lattice, n, context.box))
    return Order(lattice, reciprocal_vectors(lattice, cells), n * LATTICES[lattice].intensity)


def choose_ends(axes: tuple[Axis, ...], order: Order, ends: tuple[float, float] | None) -> tuple[str, float, float]:
    """Return the variable whose round trips are counted, and its two ends.

    Raises:
        HookError: ends in the wrong order.
    """
    variable = "O" if order.vectors else "H"
    if ends is not None:
        if not ends[0] < ends[1]:
            raise HookError(f"option ends {ends[0]:g} {ends[1]:g}: expected low < high")
        return variable, *ends
    if order.vectors:
        return variable, LIQUID_SHARE * order.perfect, SOLID_SHARE * order.perfect
    (axis,) = (axis for axis in axes if axis.name == "H")
    low, high = (axis.low + share * (axis.high - axis.low) for share in H_SHARES)
    return variable, low, high


def choose_walls(axes: tuple[Axis, ...], words: tuple[str, ...], kT: float, strength: float) -> tuple[Walls, ...]:
    """Return the walls at the edges of each axis.

    Args:
        axes: the grid.
        words: yes (all edges), no, or edges such as H- H+ O+.
        kT: energy units.
        strength: energy of the walls, kT.

    Raises:
        HookError: no such edge.
    """
    edges = [axis.name + sign for axis in axes for sign in "-+"]
    chosen = {"yes": edges, "no": []}.get(words[0], list(words)) if len(words) == 1 else list(words)
    for word in chosen:
        if word not in edges:
            raise HookError(f"option walls: unknown edge {word}; expected yes, no or some of {' '.join(edges)}")
    if strength <= 0:
        raise HookError(f"option wall_strength: expected a number above 0 (kT), found {strength:g}")
    return tuple(Walls(f"{a.name}-" in chosen, f"{a.name}+" in chosen, strength * kT, a.name == "H") for a in axes)


def require_same(what: str, found: dict[str, str], wanted: dict[str, str], cure: str) -> None:
    """Compare what a bias was learned with to what this run asks for.

    Raises:
        HookError: they differ; both are named.
    """
    for name, value in wanted.items():
        if found.get(name) != value:
            raise HookError(f"{what} has {name} {found.get(name)}, and this run has {name} {value}; {cure}")


def identity(
    axes: tuple[Axis, ...], vectors: np.ndarray | list[tuple[int, int, int]], units: str, temp: float, press: float
) -> dict[str, str]:
    """Return what must agree before a δH can be carried from one run to another."""
    return {
        "units": units,
        "temp": f"{temp:.17g}",
        "press": f"{press:.17g}",
        "grid": ", ".join(str(axis) for axis in axes),
        "reciprocal vectors": " ".join(str(tuple(int(c) for c in v)) for v in vectors) or "none",
    }


def identity_of(bias: Bias) -> dict[str, str]:
    return identity(bias.axes, bias.reciprocal_vectors, bias.units, bias.temp, bias.press)
