"""Measure start-up CPU time and memory of pair_style nnp, in addition to LAMMPS alone."""

from __future__ import annotations

import resource
import statistics
from pathlib import Path

import lmp_timing

CUTOFF = 5.1  # Å, cutoff of the AEVs in nickel.py
ALONE = lmp_timing.Contender("LAMMPS alone", f"pair_style zero {CUTOFF} full\npair_coeff * *\n")
SMALL, LARGE = 108, 32000


def processor_seconds(contender: lmp_timing.Contender, n_atoms: int, folder: Path) -> float:
    """Return the CPU time, user plus system, s, of an `lmp` process that evaluates step 0 only."""
    script = lmp_timing.start(contender, n_atoms, folder) + "run 0\n"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    lmp_timing.run_lmp(script, folder, 1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def above_lammps(
    model: Path, n_rounds: int, folder: Path, *, large: int = LARGE, precision: str = "single"
) -> dict[str, object]:
    """Return CPU time and memory of the pair style, minus those of `pair_style zero`, which keeps a neighbor list.

    Arguments:
        model: the model file.
        n_rounds: number of rounds; contenders alternate in each, and results are medians of the rounds' differences.
        folder: folder for scripts and data.
        large: atoms of the crystal whose memory, minus that of 108 atoms, gives the bytes per atom.
        precision: precision of the pair style, single or double.
    """
    contenders = (ALONE, lmp_timing.nnp(model, options=f"device cpu precision {precision}"))

    def peaks(n_atoms: int) -> float:
        runs = [lmp_timing.run_steps(one, n_atoms, 1, 1, folder, warm_up=1).peak_megabytes for one in contenders]
        return runs[1] - runs[0]

    seconds, small, more = [], [], []
    for _ in range(n_rounds):
        alone, ours = (processor_seconds(one, SMALL, folder) for one in contenders)
        seconds.append(ours - alone)
        small.append(peaks(SMALL))
        more.append(peaks(large) - small[-1])
    return {
        "n_atoms": [SMALL, large],
        "processor_seconds": statistics.median(seconds),
        "peak_megabytes": statistics.median(small),
        "bytes_per_atom": statistics.median(more) * 2**20 / (large - SMALL),
        "rounds": {"processor_seconds": seconds, "peak_megabytes": small, "more_megabytes": more},
    }
