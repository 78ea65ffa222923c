"""Files of a MOMT run between two phases, written by MOMT's writers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnpal.momt import Bias, write_bias
from nnpal.momt.bias_file import Walls
from nnpal.momt.grid import Axis
from nnpal.momt.trace import TraceWriter

BOLTZ, NKTV2P, T0, BALANCE = 8.617343e-5, 1.6021765e6, 1000.0, 960.0
CONSTANTS = {"units": "metal", "boltz": BOLTZ, "nktv2p": NKTV2P, "n_atoms": 8, "temp": T0, "press": 1.0}


def write_two_phases(folder: Path) -> None:
    """Write momt.h5 and momt.trace of a random walk between two phases in equilibrium at 960 K."""
    rng = np.random.default_rng(1)
    writer = TraceWriter(folder / "momt.trace", CONSTANTS, None)
    solid = np.repeat(rng.uniform(size=120) < 0.5, 50)
    h = rng.normal(np.where(solid, -10.0, -9.0), 0.05)
    o = np.where(solid, rng.normal(30, 1, len(h)), rng.gamma(4, 0.4, len(h)))
    dh = BOLTZ * T0 * np.where(solid, 0.0, 1.0 / (BOLTZ * BALANCE)) - h
    for i in range(len(h)):
        writer.add(0.1 * i, 100 * i, h[i], 100.0, o[i], dh[i], 0, int(i >= 1000), 0.01)
    writer.close()
    visits = np.ones((4, 5), dtype=np.int64)
    write_bias(
        folder / "momt.h5",
        Bias(
            **CONSTANTS,
            axes=(Axis("H", -11.0, -8.0, 4), Axis("O", 0.0, 35.0, 5)),
            walls=(Walls(True, True, 0.1, 0.3, True), Walls(True, True, 0.1, 0.7, False)),
            coefficients=rng.normal(size=(5, 6)),
            visits=visits,
            flatness_visits=visits,
            production_visits=visits,
            ln_f=0.01,
            round_trips=25,
            phase=1,
        ),
    )
