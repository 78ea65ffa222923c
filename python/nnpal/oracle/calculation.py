"""One calculation by an ASE calculator, in ASE's units; knows no LAMMPS."""

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
    """Energy (eV), forces [n_atoms, 3] (eV/Å), and stress [6] in Voigt's order (eV/Å³) where there is one."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None


def find_calculator(spec: str) -> Any:
    """Return what `MODULE:CLASS` names: a class or function that makes an ASE calculator.

    Raises:
        HookError: there is no such module or name.
    """
    return import_object(
        spec,
        f"calculator {spec}",
        example="tblite.ase:TBLite",
        suggests=lambda value: inspect.isclass(value) and hasattr(value, "get_forces"),
        error=HookError,
    )


def make_calculator(spec: str, options: dict[str, Any]) -> Any:
    """Return a calculator made with these keyword arguments.

    Raises:
        HookError: it cannot be made of them.
    """
    factory = find_calculator(spec)
    _check_spelling(spec, factory, options)
    if reason := options_refusal(spec, options):
        raise HookError(f"calculator {spec}: {reason}")
    try:
        if spec not in PROGRAMS:
            return factory(**options)
        with outside_of_mpi():  # CP2K's starts it
            return factory(**options)
    except Exception as error:  # a calculator's constructor may raise anything about its options
        given = " ".join(f"{key} {value}" for key, value in options.items()) or "no options"
        raise HookError(f"calculator {spec} with {given}: {type(error).__name__}: {error}") from error


def _check_spelling(spec: str, factory: Any, options: dict[str, Any]) -> None:
    """Refuse what looks like a known parameter misspelled: many ASE calculators take any keyword and ignore it."""
    known = {*getattr(factory, "default_parameters", {}), *inspect.signature(factory).parameters}
    for name in options:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if name not in known and nearest:
            raise HookError(f"calculator {spec} has no option {name}; did you mean {nearest[0]}?")


def gives_stress(calculator: Any) -> bool:
    """Return whether a calculator computes the stress, as it is made: ASE's CP2K gives zeros where it is turned off."""
    program = program_behind(calculator)
    if program is not None and program.stress and option(calculator.parameters, program.stress) in (False, ".false."):
        return False
    return "stress" in getattr(calculator, "implemented_properties", ())


def evaluate(calculator: Any, atoms: Atoms, *, want_stress: bool) -> Result:
    """Return what the calculator says of these atoms.

    With an electronic temperature the energy is the free energy that the forces are the gradient of, where the
    calculator tells them apart.

    Raises:
        CalculationFailed: it raised, or something that it returned is not finite or of another shape.
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
    except Exception as error:  # any calculator's own exceptions
        said = output.complaint() or output.last_lines()
        raise CalculationFailed(f"{type(error).__name__}: {error}{said and f'; it printed: {said}'}") from error
    if complaint := output.complaint():
        raise CalculationFailed(complaint)
    parts = [np.array([energy]), forces] + ([stress] if stress is not None else [])
    if not all(np.all(np.isfinite(part)) for part in parts):
        raise CalculationFailed(f"energy or forces are not finite (energy {energy} eV)")
    return Result(energy, forces, stress)
