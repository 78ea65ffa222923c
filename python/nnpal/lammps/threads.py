"""LAMMPS's number of OpenMP threads apart from this process's.

LAMMPS, torch and others share one OpenMP runtime. Where OMP_NUM_THREADS is not set, a new ``lammps.lammps()`` and the
command ``clear`` set the calling thread's number to 1, and ``package omp N`` to N. torch then computes with so many
threads too, whatever the user chose. Nor may another number stand while LAMMPS runs: styles of its OPENMP package rely
on theirs.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from types import TracebackType
from typing import Any


class LammpsThreads:
    """A scope for all that is done with one LAMMPS, its making included; may be entered many times.

    Inside, the number is what LAMMPS left when the scope was last entered; outside, it is the caller's again.
    """

    def __init__(self) -> None:
        self._of_lammps: int | None = None
        self._of_caller: int | None = None
        self._depth = 0

    def __enter__(self) -> LammpsThreads:
        self._depth += 1
        if self._depth == 1:
            openmp = _openmp()
            self._of_caller = None if openmp is None else openmp.omp_get_max_threads()
            if openmp is not None and self._of_lammps is not None:
                openmp.omp_set_num_threads(self._of_lammps)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        openmp = _openmp()
        if self._depth > 0 or openmp is None:
            return
        self._of_lammps = openmp.omp_get_max_threads()
        before = _default(openmp) if self._of_caller is None else self._of_caller
        openmp.omp_set_num_threads(before)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(before)  # of MKL, and of new threads: pair_style nnp sets them


def _openmp() -> Any:
    """Return the runtime that LAMMPS and torch find: of several that are loaded, they too take the first."""
    process = ctypes.CDLL(None)
    return process if hasattr(process, "omp_set_num_threads") else None


def _default(openmp: Any) -> int:
    """Return what a thread has in which nobody has set anything."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(openmp.omp_get_max_threads()))
    thread.start()
    thread.join()
    return found[0]
