"""Run the program of an ASE calculator once, and read its output."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.calculators.genericfileio import GenericFileIOCalculator

from nnpal.oracle.programs import program_behind
from nnpal.runtime.child_process import LAUNCHER, last_lines

LAST_LINES = 3


@contextmanager
def outside_of_mpi() -> Iterator[None]:
    """Remove the environment variables of a parallel launcher: a program started here is not one of its ranks."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(LAUNCHER)}
    try:
        yield
    finally:
        os.environ.update(taken)


class Output:
    """Output of a calculator's program in one calculation; empty if there is no program."""

    def __init__(self, calculator: Any) -> None:
        self._calculator = calculator
        self._program = program_behind(calculator)
        self._file: Path | None = None
        self._start = 0
        if isinstance(calculator, GenericFileIOCalculator):
            self._file = Path(calculator.directory) / getattr(calculator.template, "outputname", "")
        elif self._program is not None and isinstance(getattr(calculator, "label", None), str):
            self._file = Path(f"{calculator.label}.out")  # of CP2K, which appends to it
            with suppress(OSError):
                self._start = self._file.stat().st_size

    def run(self, atoms: Atoms, properties: Sequence[str]) -> None:
        """Compute all properties in one run of the program.

        ASE's ``get_property`` requests one at a time, and pw.x, if only forces were requested, recomputes everything
        for the stress.
        """
        calculator = self._calculator
        with nullcontext() if self._file is None else outside_of_mpi():
            if isinstance(calculator, GenericFileIOCalculator):
                if calculator.calculation_required(atoms, list(properties)):
                    calculator.atoms, calculator.results = atoms.copy(), {}
                    calculator.calculate(atoms, list(properties), all_changes)
            elif self._file is not None:
                calculator.get_property("forces", atoms)

    def refusal(self, atoms: Atoms) -> str:
        """Return why the program cannot compute these elements with its options, or an empty string."""
        if self._program is None:
            return ""
        return self._program.lacks(self._calculator.parameters, atoms.get_chemical_symbols())

    def complaint(self) -> str:
        """Return an error or warning in the output that ASE ignores, or an empty string."""
        return "" if self._program is None else self._program.complaint(self._text())

    def last_lines(self) -> str:
        """Return the end of the output."""
        return "" if self._file is None else " | ".join(last_lines(self._file, LAST_LINES))

    def _text(self) -> str:
        if self._file is None or not self._file.is_file():
            return ""
        printed = self._file.read_bytes()
        return printed[self._start if self._start <= len(printed) else 0 :].decode(errors="replace")


def close(calculator: Any) -> None:
    """End a program that waits for input, such as CP2K's shell."""
    if program_behind(calculator) is None or not callable(getattr(calculator, "close", None)):
        return
    with suppress(OSError, AssertionError), catch_warnings():  # after a failure ASE warns or asserts when it closes
        simplefilter("ignore")
        calculator.close()
