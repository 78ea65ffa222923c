"""Keep LAMMPS's number of OpenMP threads separate from this process's.

LAMMPS, torch and others share one OpenMP runtime. If OMP_NUM_THREADS is not set, a new ``lammps.lammps()`` and the
command ``clear`` set the number of the calling thread to 1, and ``package omp N`` sets it to N. torch then uses this
number too, whatever the user chose. Conversely, the number must not change while LAMMPS runs, because styles of its
OPENMP package rely on it.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from types import TracebackType
from typing import Any


class LammpsThreads:
    """Context manager for all use of one LAMMPS instance, including its creation; it can be entered many times.

    Inside, the number is LAMMPS's, from the end of the previous block; outside, it is the caller's.
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
            sys.modules["torch"].set_num_threads(before)  # for MKL and new threads, whose numbers pair_style nnp sets


def _openmp() -> Any:
    """Return the OpenMP runtime of LAMMPS and torch, the first one loaded."""
    process = ctypes.CDLL(None)
    return process if hasattr(process, "omp_set_num_threads") else None


def _default(openmp: Any) -> int:
    """Return the default number of threads, that of a new thread."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(openmp.omp_get_max_threads()))
    thread.start()
    thread.join()
    return found[0]
