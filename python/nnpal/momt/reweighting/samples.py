"""Production samples of a MOMT run, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.grid import Axis
from nnpal.momt.trace import Trace


@dataclass(frozen=True)
class Samples:
    """Rows of one or more walkers under a frozen bias, with density exp(-(H + δH)/kT0), H = U + P0 V.

    Rows outside the grid are omitted: walls give them few visits and excessive weights. The others have the same
    density up to a constant, so averages are restricted to the grid; a temperature whose distribution extends beyond
    it is an error.

    Attributes:
        H, V, O, dH: enthalpy, volume, order parameter and bias, [n], in the units of the run; rows are sorted by
            walker, then by time.
        walker: number of the walker of each row, [n].
        temp, press: T0 and P0.
        boltz, nktv2p: LAMMPS's constants.
        n_atoms: number of atoms of the system.
        step: LAMMPS step of each row, [n]; empty if unknown.
        axes: axes of the grid; empty if unknown.
        n_outside: number of omitted rows.
        shift: energy of another potential minus that of the sampled one, [n]; empty: no other potential. Averages are
            then under the other potential; H and the grid remain those of the sampling.
        ends: lowest and highest H of the whole run, if these rows are a part of it, such as those with saved frames;
            None: those of the rows.
    """

    H: NDArray[np.float64]
    V: NDArray[np.float64]
    O: NDArray[np.float64]  # noqa: E741 (the order parameter's name in the papers)
    dH: NDArray[np.float64]
    walker: NDArray[np.int64]
    temp: float
    press: float
    boltz: float
    nktv2p: float
    n_atoms: int
    step: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    axes: tuple[Axis, ...] = ()
    n_outside: int = 0
    shift: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    ends: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        lengths = {len(array) for array in (self.H, self.V, self.O, self.dH, self.walker)}
        lengths |= {len(self.step)} if len(self.step) else set()
        lengths |= {len(self.shift)} if len(self.shift) else set()
        if len(lengths) != 1:
            raise ValueError(f"samples: arrays of {sorted(lengths)} rows; expected one length")
        for name in ("H", "V", "dH", "shift"):
            bad = np.flatnonzero(~np.isfinite(getattr(self, name)))
            if len(bad):
                where = f"step {self.step[bad[0]]}" if len(self.step) else f"row {bad[0]}"
                raise ValueError(f"samples: {name} is {getattr(self, name)[bad[0]]:g} at {where}; remove such rows")
        require_state("samples", self.temp, self.press)

    def __len__(self) -> int:
        return len(self.H)

    @property
    def kT(self) -> float:
        """Boltzmann's constant times T0, in the energy unit of the run."""
        return self.boltz * self.temp

    @property
    def U(self) -> NDArray[np.float64]:
        """Potential energy, with a shift that of the other potential, [n]."""
        sampled: NDArray[np.float64] = self.H - self.press * self.V / self.nktv2p
        return sampled + self.shift if len(self.shift) else sampled

    def shifted(self, shift: NDArray[np.float64]) -> Samples:
        """Return the same rows for averages under another potential with energy U + `shift`.

        Arguments:
            shift: energy of the other potential minus that of these rows, [n].
        """
        return replace(self, shift=self.shift + shift if len(self.shift) else shift)

    def rows(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Samples:
        """Return the rows selected by indices or a mask.

        Arguments:
            chosen: indices, int [m], or a mask, bool [n].
        """
        names = ("H", "V", "O", "dH", "walker", "step", "shift")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{name: array[chosen] for name, array in arrays.items() if len(array)})

    def reduced(self, temp: float, press: float | None = None) -> NDArray[np.float64]:
        """Return (U + P V)/kT of each row, [n].

        Arguments:
            temp: temperature T.
            press: pressure P; P0 by default.

        Raises:
            ValueError: T is not above 0, or T or P is not finite.
        """
        pressure = self.press if press is None else press
        require_state("reweighting", temp, pressure)
        return (self.U + pressure * self.V / self.nktv2p) / (self.boltz * temp)

    def reduced_as_sampled(self) -> NDArray[np.float64]:
        """Return (H + δH)/kT0 of each row, [n]."""
        return (self.H + self.dH) / self.kT


def require_state(what: str, temp: float, press: float) -> None:
    """Reject a temperature that is not above 0, and numbers that are not finite.

    Raises:
        ValueError: a number is invalid.
    """
    if not (isfinite(temp) and temp > 0):
        raise ValueError(f"{what}: temperature {temp:g}: expected a finite number above 0")
    if not isfinite(press):
        raise ValueError(f"{what}: pressure {press:g}: expected a finite number")


def from_traces(traces: Trace | Sequence[Trace], discard: int = 0, axes: tuple[Axis, ...] = ()) -> Samples:
    """Return the production rows within the grid from traces, one per walker.

    Arguments:
        traces: trace of one run, or traces of walkers that shared a bias.
        discard: number of rows to omit at the beginning of each walker's production.
        axes: axes of the grid, for traces of early versions that do not contain it.

    Raises:
        ValueError: there are no production rows, or none within the grid, or the traces differ in T0, P0, units,
            atoms or grid.

    Example:
        >>> from nnpal import from_traces, read_trace
        >>> samples = from_traces(read_trace("momt.trace"), discard=100)
        >>> len(samples), samples.n_outside
        (4900, 0)
    """
    if discard < 0:
        raise ValueError(f"discard {discard}: expected a number of rows from 0")
    walkers = [traces] if isinstance(traces, Trace) else list(traces)
    first = require_one_bias(walkers)
    produced = [np.flatnonzero(trace.phase == 1) for trace in walkers]
    kept = [r[discard:] for r in produced]
    rows = [r[trace.bin[r] >= 0] for r, trace in zip(kept, walkers, strict=True)]
    n_kept, n_inside = (sum(map(len, parts)) for parts in (kept, rows))
    if not any(len(r) for r in produced):
        learning = sum(len(trace) for trace in walkers)
        raise ValueError(
            f"no production rows among {learning}: the bias was still being learned, and samples under a changing "
            "bias cannot be reweighted"
            "; continue the run until learning ends (ln_f_end, or learn STEPS), or freeze it: start "
            "FILE phase production"
        )
    if not n_kept:
        raise ValueError(
            f"discard {discard} leaves none of the {sum(map(len, produced))} production rows; discard fewer"
        )
    if not n_inside:
        raise ValueError(f"all {n_kept} production rows lie outside the grid; sample with a grid that holds them")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(trace, name)[r] for trace, r in zip(walkers, rows, strict=True)])
        for name in ("H", "V", "O", "dH", "step")
    }
    return Samples(
        **columns,
        walker=np.concatenate([np.full(len(r), i) for i, r in enumerate(rows)]),
        temp=first.temp,
        press=first.press,
        boltz=first.boltz,
        nktv2p=first.nktv2p,
        n_atoms=first.n_atoms,
        axes=first.axes or axes,
        n_outside=n_kept - n_inside,
    )


def require_one_bias(walkers: Sequence[Trace]) -> Trace:
    """Return the first trace, after checking that the others agree with it.

    Raises:
        ValueError: there is no trace, or the traces differ in T0, P0, units, atoms or grid.
    """
    if not walkers:
        raise ValueError("no trace given; expected at least one")
    first = walkers[0]
    for number, trace in enumerate(walkers):
        for name in ("units", "temp", "press", "boltz", "nktv2p", "n_atoms", "axes"):
            found, wanted = getattr(trace, name), getattr(first, name)
            if found != wanted:
                raise ValueError(
                    f"trace {number + 1} has {name} {said(found)}, the first has {said(wanted)}; give traces of one "
                    "bias"
                )
    return first


def said(value: object) -> str:
    """Return the text for a fact of a run in messages; the axes of a grid are written as in the script."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
