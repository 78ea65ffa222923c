"""One calculation with an ASE calculator, in ASE's units, without LAMMPS."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.hooks import HookError
from nnpal.oracle.calculators import options_refusal
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.option_paths import option
from nnpal.oracle.program_output import Output, outside_of_mpi
from nnpal.oracle.programs import PROGRAMS, program_behind
from nnpal.oracle.shapes import as_energy, as_forces, as_stress
from nnpal.runtime.import_path import import_object


@dataclass(frozen=True)
class Result:
    """Energy (eV), forces [n_atoms, 3] (eV/Å), and stress [6] in Voigt order (eV/Å³), or None."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None


def find_calculator(spec: str) -> Any:
    """Return the class or function `MODULE:CLASS` that creates an ASE calculator.

    Raises:
        HookError: no such module or name.
    """
    return import_object(
        spec,
        f"calculator {spec}",
        example="tblite.ase:TBLite",
        suggests=lambda value: inspect.isclass(value) and hasattr(value, "get_forces"),
        error=HookError,
    )


def make_calculator(spec: str, options: dict[str, Any]) -> Any:
    """Return a calculator created with these keyword arguments.

    Raises:
        HookError: it cannot be created with them.
    """
    factory = find_calculator(spec)
    _check_spelling(spec, factory, options)
    if reason := options_refusal(spec, options):
        raise HookError(f"calculator {spec}: {reason}")
    try:
        if spec not in PROGRAMS:
            return factory(**options)
        with outside_of_mpi():  # CP2K's constructor starts the program
            return factory(**options)
    except Exception as error:  # constructors raise exceptions of any type about their options
        given = " ".join(f"{key} {value}" for key, value in options.items()) or "no options"
        raise HookError(f"calculator {spec} with {given}: {type(error).__name__}: {error}") from error


def _check_spelling(spec: str, factory: Any, options: dict[str, Any]) -> None:
    """Refuse misspelled parameters: many ASE calculators accept and ignore any keyword."""
    known = {*getattr(factory, "default_parameters", {}), *inspect.signature(factory).parameters}
    for name in options:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if name not in known and nearest:
            raise HookError(f"calculator {spec} has no option {name}; did you mean {nearest[0]}?")


def gives_stress(calculator: Any) -> bool:
    """Return whether a calculator computes the stress with its options: ASE's CP2K may return zeros."""
    program = program_behind(calculator)
    if program is not None and program.stress and option(calculator.parameters, program.stress) in (False, ".false."):
        return False
    return "stress" in getattr(calculator, "implemented_properties", ())


def evaluate(calculator: Any, atoms: Atoms, *, want_stress: bool) -> Result:
    """Compute energy, forces and, if wanted, stress of these atoms.

    With an electronic temperature the energy is the free energy, which is consistent with the forces, if the
    calculator provides it.

    Raises:
        CalculationFailed: it raised an exception, or a result is not finite or has the wrong shape.
    """
    output = Output(calculator)
    if reason := output.refusal(atoms):
        raise CalculationFailed(reason)
    try:
        output.run(atoms, ["energy", "forces", *(["stress"] if want_stress else [])])
        forces = as_forces(calculator.get_property("forces", atoms), len(atoms))
        consistent = "free_energy" in getattr(calculator, "implemented_properties", ())
        energy = as_energy(calculator.get_property("free_energy" if consistent else "energy", atoms))
        stress = as_stress(calculator.get_property("stress", atoms)) if want_stress else None
    except CalculationFailed:
        raise
    except Exception as error:  # calculators raise exceptions of any type
        said = output.complaint() or output.last_lines()
        raise CalculationFailed(f"{type(error).__name__}: {error}{said and f'; it printed: {said}'}") from error
    if complaint := output.complaint():
        raise CalculationFailed(complaint)
    parts = [np.array([energy]), forces] + ([stress] if stress is not None else [])
    if not all(np.all(np.isfinite(part)) for part in parts):
        raise CalculationFailed(f"energy or forces are not finite (energy {energy} eV)")
    return Result(energy, forces, stress)
