"""Biases of known shape for tests of MOMT, and the script lines that use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nnpal.momt import Bias, write_bias
from nnpal.momt.bias_file import Walls
from nnpal.momt.grid import Axis

# LAMMPS's constants in metal units
BOLTZ, NKTV2P = 8.617343e-5, 1.6021765e6

_111 = [(h, k, m) for h in (1, -1) for k in (1, -1) for m in (1, -1)]


def write_function(
    path: Path,
    axes: tuple[Axis, ...],
    function: Callable[..., np.ndarray],
    *,
    temp: float,
    press: float,
    n_cells: int | None = 2,
) -> Path:
    """Write a bias file with a function's values at the bin edges, the centers of the basis functions, as coefficients.

    Cubic B-splines with these coefficients reproduce a linear function exactly, from the second to the last but one
    bin, and approximate a smooth one.

    Args:
        path: file to write.
        axes: grid of one or two axes.
        function: function of the variables of the axes, in energy units.
        temp, press: reference temperature T0 and pressure P0.
        n_cells: fcc cells along each edge, for the order parameter; None if it is not used.
    """
    centers = [axis.edges for axis in axes]
    coefficients = np.broadcast_to(function(*np.meshgrid(*centers, indexing="ij")), [len(c) for c in centers]).astype(
        float
    )
    none = np.zeros([axis.n_bins for axis in axes], dtype=np.int64)
    vectors = np.array(_111) * n_cells if n_cells else np.zeros((0, 3), dtype=int)
    write_bias(
        path,
        Bias(
            units="metal",
            temp=temp,
            press=press,
            boltz=BOLTZ,
            nktv2p=NKTV2P,
            axes=axes,
            walls=tuple(Walls(False, False, 1.0, 1.0, False) for _ in axes),
            coefficients=coefficients,
            visits=none,
            flatness_visits=none,
            production_visits=none,
            reciprocal_vectors=vectors,
        ),
    )
    return path


def frozen(
    axes: tuple[Axis, ...],
    file: str = "bias.h5",
    *,
    temp: float,
    press: float,
    hook: str = "nnpal.momt:MOMT",
    lattice: str | None = "fcc",
    virial: str = "virial yes",
) -> str:
    """Return the commands that sample with the fixed bias of a file."""
    grids = " ".join(f"{a.name} {a.low:.17g} {a.high:.17g} {a.n_bins}" for a in axes)
    order = f"lattice {lattice} " if lattice else ""
    return (
        f"fix momt all python/hook {hook} temp {temp} press {press} {order}{grids} start {file} phase production "
        f"file sampled.h5\nfix_modify momt energy yes {virial}\n"
    )
