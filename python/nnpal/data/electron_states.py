"""Charge and spin of configurations of the same atoms, stated or assumed."""

from __future__ import annotations

from collections.abc import Iterator

from ase import Atoms

from nnpal.data.columns import Columns
from nnpal.data.finding import Finding
from nnpal.geometry.electrons import WHOLE, Electrons


def mixed_electrons(columns: Columns) -> Iterator[Finding]:
    """Yield configurations whose charge or spin differs from the first of their composition: models ignore both."""
    first: dict[str, tuple[int, str]] = {}
    plain: dict[bytes, tuple[str, str]] = {}  # formula, and the state assumed where none is stated
    if not columns.electrons:
        return
    for index in range(len(columns)):
        numbers = columns.numbers[columns.atoms_of(index)]
        key = numbers.tobytes()
        if key not in plain:
            plain[key] = Atoms(numbers).get_chemical_formula(), state(Electrons(), int(numbers.sum()))
        formula, own = plain[key]
        if index in columns.electrons:
            own = state_of(columns, index)
        same, expected = first.setdefault(formula, (index, own))
        if own != expected:
            value = f"{own}, but configuration {same} of the same atoms has {expected}"
            yield Finding(index, "warning", "charge", value, "one charge and spin: a model depends on neither")


def state_of(columns: Columns, index: int) -> str:
    """Return a text with charge and multiplicity of a configuration, or with their fault."""
    stated = columns.electrons.get(index, Electrons())
    if isinstance(stated, str):
        return stated
    return state(stated, int(columns.numbers[columns.atoms_of(index)].sum()))


def state(stated: Electrons, n_protons: int) -> str:
    """Return a text with charge (default 0) and multiplicity (default 1 or 2, by the number of electrons)."""
    charge = stated.total_charge or 0
    multiplicity = stated.multiplicity
    if multiplicity is None and stated.moments is not None:
        total = abs(float(stated.moments.sum()))  # a sum that is not an integer is an initial guess for a metal
        multiplicity = round(total) + 1 if abs(total - round(total)) <= WHOLE else None
    return f"charge {charge}, multiplicity {multiplicity or 1 + (n_protons - charge) % 2}"
