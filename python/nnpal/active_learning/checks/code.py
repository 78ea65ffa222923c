"""Checks of the user's code: the oracle, and the function that ranks members."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.active_learning.sampling.force_field import OracleForces, forces_of_oracle
from nnpal.active_learning.sampling.structures import kinds
from nnpal.hooks import HookError
from nnpal.label.workers import refusal
from nnpal.oracle.protocol import OracleError
from nnpal.oracle.settings import AseSection, PythonSection, oracle_from
from nnpal.training.ranking import find_score

SECONDS = 120.0
"""Time limit for an oracle to be ready; one that takes longer is not checked."""


def oracle(given: Given) -> Iterator[Fault]:
    """Yield an oracle that cannot be created, in a separate process as for each label, or that cannot move atoms."""
    section = given.config.oracle
    if isinstance(section, AseSection):
        key, value = "oracle.calculator", f"{section.calculator} {section.options or ''}".rstrip()
    elif isinstance(section, PythonSection):
        key, value = "oracle.import_path", section.import_path
    else:
        key, value = "oracle.commands", "; ".join(getattr(section, "commands", ()))
    fix = "correct [oracle]; nnpal run --check tests it without a calculation"
    try:
        made = oracle_from(section, given.base_folder)
        for rung in range(made.n_rungs):
            made.identity(rung)
        if not given.tasks_run_elsewhere and (why := refusal(made, patience=SECONDS, threads=1)) is not None:
            yield Fault(key, value, why, fix)
    except OracleError as error:
        yield Fault(key, value, str(error), fix)
        return
    structure = given.structures.get("initial.structure", next(iter(given.structures.values()), None))
    if structure is None:
        return
    try:
        forces_of_oracle(
            OracleForces(section, given.base_folder),
            given.base_folder,
            kinds(structure),
            stress=given.config.distillation is not None,
        )
    except (ValueError, OSError) as error:
        yield Fault(key, value, str(error), "give an oracle that can provide forces to LAMMPS")


def best_member(given: Given) -> Iterator[Fault]:
    """Yield a function for ranking members that does not exist, or does not accept a path."""
    spec = given.config.ensemble.best_member
    if spec == "validation":
        return
    before = list(sys.path)
    try:
        function = find_score(spec)
        _require_one_argument(function)
    except (HookError, ValueError) as error:
        yield _ranking(spec, str(error).removeprefix(f"ensemble.best_member = {spec!r}: "))
    except Exception as error:  # a user's module may raise any exception
        yield _ranking(spec, f"{type(error).__name__}: {error}")
    finally:
        sys.path[:] = before


def _require_one_argument(function: object) -> None:
    try:
        signature = inspect.signature(function)  # type: ignore[arg-type]
    except ValueError:  # compiled functions may have none
        return
    try:
        signature.bind("model.nnp.pt")
    except TypeError as error:
        raise ValueError(f"takes {signature}, expected one argument, a model file's path ({error})") from error


def _ranking(spec: str, why: str) -> Fault:
    return Fault("ensemble.best_member", spec, why, "give validation, or MODULE:FUNCTION of a model file's path")
