"""Molecular dynamics of independent harmonic oscillators with a MOMT bias, in three variables.

N_DEGREES oscillators of one frequency are a point in N_DEGREES dimensions in a central force. Langevin dynamics by
velocity Verlet then needs only its distance r from the origin and its velocities u along r and w perpendicular to it:
the noise has one component along r, one along the perpendicular velocity, and the rest, a chi variable, perpendicular
to both. With U = r²/2 in units of kT0, the density of states is ln Ω(U) = (N_DEGREES/2 - 1) ln U + const, so all
averages are known.
"""

from __future__ import annotations

from dataclasses import astuple
from math import exp, hypot, sqrt
from pathlib import Path

import numpy as np

from nnpal._momt import SplineBias
from nnpal.momt.grid import Axis
from nnpal.momt.round_trips import RoundTrips
from nnpal.momt.schedule import Schedule
from nnpal.momt.settings import Order, choose_ends, choose_walls
from nnpal.momt.trace import TraceWriter

N_DEGREES, BOLTZ, T0 = 75, 8.617343e-5, 300.0
KT0 = BOLTZ * T0
# The mean at T0 is 37.5 kT0
LOW, HIGH = 16 * KT0, 66 * KT0
_CHUNK = 20_000


def mean_enthalpy(temp: float) -> float:
    """Return the exact ⟨H⟩, eV."""
    return 0.5 * N_DEGREES * BOLTZ * temp


def run(
    trace: Path, n_bins: int, *, learn: int, steps: int, phase: float = 0.05, stride: int = 5, seed: int = 1
) -> None:
    """Learn a bias in H as the hook does, then sample with the fixed bias; write a trace.

    Args:
        trace: file to write.
        n_bins: number of bins of the grid.
        learn, steps: timesteps of the learning phase, and in total.
        phase: ω dt for one timestep.
        stride: steps between updates and between rows.
        seed: random seed of the noise.
    """
    axis = Axis("H", LOW, HIGH, n_bins)
    bias = SplineBias([(LOW, HIGH, n_bins)], [astuple(wall) for wall in choose_walls((axis,), ("yes",), KT0)])
    schedule = Schedule((n_bins,), ln_f=0.1, ln_f_end=1e-9, rule="1/t", flatness=0.8, max_updates=learn // stride)
    round_trips = RoundTrips(*choose_ends((axis,), Order("none", [], 0.0), None)[1:])
    facts = {"units": "metal", "boltz": BOLTZ, "nktv2p": 1.6e6, "n_atoms": N_DEGREES // 3, "temp": T0, "press": 0.0}
    writer = TraceWriter(trace, facts, None, (axis,))

    rng = np.random.default_rng(seed)
    keep = exp(-phase)  # damping of the velocity by a friction of ω
    noise = sqrt(1 - keep**2)
    r, u, w = sqrt(N_DEGREES), 0.0, sqrt(N_DEGREES)
    energy, slope, _ = bias.evaluate(0.5 * KT0 * r * r)
    for first in range(0, steps, _CHUNK):
        along, across = rng.normal(size=(2, _CHUNK)).tolist()
        rest = np.sqrt(rng.chisquare(N_DEGREES - 2, _CHUNK)).tolist()
        for i in range(_CHUNK):
            u -= 0.5 * phase * (1 + slope) * r
            x, y = r + phase * u, phase * w
            r_new = hypot(x, y)
            u, w = (u * x + w * y) / r_new, (w * x - u * y) / r_new
            r = r_new
            h = 0.5 * KT0 * r * r
            energy, slope, _ = bias.evaluate(h)
            u -= 0.5 * phase * (1 + slope) * r
            u, w = keep * u + noise * along[i], hypot(keep * w + noise * across[i], noise * rest[i])
            if i % stride == 0:
                bin_ = bias.bin(h)
                row = (h, 1.0, float("nan"), energy, bin_, int(schedule.production), schedule.ln_f)
                writer.add(phase * (first + i), first + i, *row)
                if not schedule.production and bin_ >= 0:
                    bias.deposit(schedule.ln_f * KT0, h)
                    energy, slope, _ = bias.evaluate(h)
                round_trips.visit(h)
                schedule.update([bin_], explored=round_trips.count > 0)
    writer.close()
