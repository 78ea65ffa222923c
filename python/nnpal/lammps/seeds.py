"""Seeds of LAMMPS's random number generators."""

from __future__ import annotations

import numpy as np


def lammps_seed(seed: int, stream: int) -> int:
    """Return a seed that LAMMPS accepts (1 to 900 million), different for each stream (each use of ``seed``)."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0]) % 900_000_000 + 1
