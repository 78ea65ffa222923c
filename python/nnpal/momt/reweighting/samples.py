"""What a MOMT run sampled after learning, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnpal.momt.trace import Trace


@dataclass(frozen=True)
class Samples:
    """Rows of one or several walkers under a frozen bias, with density exp(-(H + δH)/kT0), H = U + P0 V.

    Attributes:
        H, V, O, dH: enthalpy, volume, order parameter, bias, [n] in the units of the run; each walker's rows in order
            of time, one walker after the other.
        walker: number of the walker of each row, [n].
        temp, press: T0 and P0. boltz, nktv2p: LAMMPS's constants. n_atoms: of the system.
    """

    H: np.ndarray
    V: np.ndarray
    O: np.ndarray  # noqa: E741 (the order parameter's name in the papers)
    dH: np.ndarray
    walker: np.ndarray
    temp: float
    press: float
    boltz: float
    nktv2p: float
    n_atoms: int

    def __post_init__(self) -> None:
        lengths = {len(array) for array in (self.H, self.V, self.O, self.dH, self.walker)}
        if len(lengths) != 1:
            raise ValueError(f"samples: arrays of {sorted(lengths)} rows; expected one length")

    def __len__(self) -> int:
        return len(self.H)

    @property
    def kT(self) -> float:
        return self.boltz * self.temp

    @property
    def U(self) -> np.ndarray:
        """Potential energy, [n]."""
        return self.H - self.press * self.V / self.nktv2p

    def reduced(self, temp: float, press: float | None = None) -> np.ndarray:
        """Return (U + P V)/kT of each row, [n].

        Args:
            temp: T.
            press: P; P0 by default.
        """
        pressure = self.press if press is None else press
        return (self.U + pressure * self.V / self.nktv2p) / (self.boltz * temp)

    def reduced_as_sampled(self) -> np.ndarray:
        """Return (H + δH)/kT0 of each row, [n]."""
        return (self.H + self.dH) / self.kT


def from_traces(traces: Trace | Sequence[Trace], discard: int = 0) -> Samples:
    """Return the production rows of traces, one a walker.

    Args:
        traces: of one run, or of walkers that shared a bias.
        discard: rows to leave out at the beginning of each one's production.

    Raises:
        ValueError: no production rows, or traces of different T0, P0, units or atoms.
    """
    walkers = [traces] if isinstance(traces, Trace) else list(traces)
    if not walkers:
        raise ValueError("no trace given; expected at least one")
    first = walkers[0]
    for number, trace in enumerate(walkers):
        for name in ("units", "temp", "press", "boltz", "nktv2p", "n_atoms"):
            found, wanted = getattr(trace, name), getattr(first, name)
            if found != wanted:
                raise ValueError(
                    f"trace {number + 1} has {name} {found}, the first has {wanted}; give traces of one bias"
                )
    rows = [np.flatnonzero(trace.phase == 1)[discard:] for trace in walkers]
    if not any(len(r) for r in rows):
        learning = sum(len(trace) for trace in walkers)
        raise ValueError(
            f"no production rows among {learning}: the bias was still being learned, and a bias that changes cannot "
            "be reweighted; run on until learning ends (ln_f_end, or learn STEPS), or freeze it: start FILE phase "
            "production"
        )
    columns = {
        name: np.concatenate([getattr(trace, name)[r] for trace, r in zip(walkers, rows, strict=True)])
        for name in ("H", "V", "O", "dH")
    }
    return Samples(
        **columns,
        walker=np.concatenate([np.full(len(r), i) for i, r in enumerate(rows)]),
        temp=first.temp,
        press=first.press,
        boltz=first.boltz,
        nktv2p=first.nktv2p,
        n_atoms=first.n_atoms,
    )
