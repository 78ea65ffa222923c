"""Checks that the oracle computes the structures with their charge, spin and periodic directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ase import Atoms

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.geometry.electrons import electrons_of
from nnpal.oracle.calculators import options_with
from nnpal.oracle.protocol import Oracle, OracleError
from nnpal.oracle.settings import AnyOracle, AseSection, oracle_from
from nnpal.runtime.caution import caution


def electrons(given: Given) -> Iterator[Fault]:
    """Yield structures that the oracle cannot compute as given, or whose environments cannot be cut out."""
    config = given.config
    try:
        oracle = oracle_from(config.oracle, given.base_folder)
    except OracleError:  # reported by another check
        return
    cuts = config.distillation is not None and config.distillation.reduction != "none"
    for key, atoms in given.structures.items():
        if not key.endswith(".structure"):  # a crystal that is built has no charge and spin
            continue
        name = getattr(getattr(config, key.partition(".")[0]), "structure", None)
        if reason := _said(oracle, "refusal", atoms) or _contradiction(config.oracle, atoms):
            yield Fault(key, name, reason)
        elif told := _said(oracle, "caution", atoms):
            caution(f"{key} = {name!r}: {told}")
        if cuts and (stated := electrons_of(atoms)).binds_whole:
            why = f"it states {stated}, but the part of it in an environment that is cut out is unknown"
            yield Fault(key, name, why, 'give distillation.reduction = "none", or remove the statement from the file')


def _contradiction(section: AnyOracle, atoms: Atoms) -> str:
    """Return why a calculator in LAMMPS cannot use the structure's charge and spin, or an empty text."""
    if not isinstance(section, AseSection):
        return ""
    try:
        options_with(section.calculator, section.options, electrons_of(atoms))
    except ValueError as error:
        return str(error)
    return ""


def _said(oracle: Oracle, method: str, atoms: Atoms) -> str:
    ask: Callable[[Atoms], str] | None = getattr(oracle, method, None)
    return "" if ask is None else ask(atoms)
