"""Capabilities of known calculators: periodicity, and how they receive charge and spin.

Unknown calculators are trusted. The entries for ASE follow its source, version 3.29 (which of pbc, initial charges and
moments are written to a program's input), those for tblite 0.8 its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from ase import Atoms

from nnpal.geometry.electrons import WHOLE, Electrons, check_parity, electrons_of, put
from nnpal.oracle.option_paths import option, with_option
from nnpal.oracle.programs import CP2K, ESPRESSO, ORCA, OUTDIR

TBLITE = "tblite.ase:TBLite"
PYSCF = "nnpal.oracle.pyscf_calculator:UnrestrictedPySCF"
ANY = frozenset((0, 1, 2, 3))
Way = Literal["sums", "parameters", "start", "none", "unknown"]


@dataclass(frozen=True)
class Known:
    """Capabilities of one calculator.

    Attributes:
        periodic: supported numbers of periodic directions.
        way: how it receives charge and spin: as sums of ASE's initial charges and moments, as parameters, the charge
            as a parameter and moments as the initial guess of the SCF, not at all, or unknown.
        charge, multiplicity: names of its parameters, if it has them; a parameter takes precedence over a sum.
        unrestricted: parameter without which it computes any multiplicity as a singlet.
    """

    periodic: frozenset[int] = ANY
    way: Way = "none"
    charge: str | None = None
    multiplicity: str | None = None
    unrestricted: str | None = None


LARGEST_CHARGE = 1e6  # e; a larger charge or multiplicity is a mistake
MOMENTS_LEFT_OUT = "initial magnetic moments, which ASE's bulk() gives iron, cobalt and nickel unasked, do nothing here"
UNKNOWN = Known(way="unknown", charge="charge", multiplicity="multiplicity")
_CLASSICAL = Known(charge="charge", multiplicity="multiplicity")
_MOLECULES = frozenset((0,))
KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        TBLITE: Known(frozenset((0, 3)), "sums", "charge", "multiplicity"),
        PYSCF: Known(_MOLECULES, "parameters", "charge", "multiplicity"),
        # pw.x uses ASE's initial moments as starting values, and has no multiplicity
        ESPRESSO: Known(frozenset((3,)), "start", "input_data.system.tot_charge"),
        CP2K: Known(frozenset((3,)), "parameters", "charge", "multiplicity", unrestricted="uks"),
        "ase.calculators.dftb:Dftb": Known(frozenset((0, 3)), "parameters", "Hamiltonian_Charge"),
        ORCA: Known(_MOLECULES, "parameters", "charge", "mult"),
        "ase.calculators.psi4:Psi4": Known(_MOLECULES, "parameters", "charge", "multiplicity"),
        "ase.calculators.qchem:QChem": Known(_MOLECULES, "parameters", "charge", "multiplicity"),
        "ase.calculators.gaussian:Gaussian": Known(ANY, "sums", "charge", "mult"),
        "ase.calculators.vasp.vasp:Vasp": Known(frozenset((3,)), "unknown", "charge"),
        "ase.calculators.emt:EMT": _CLASSICAL,
        "ase.calculators.eam:EAM": _CLASSICAL,
        "ase.calculators.lj:LennardJones": _CLASSICAL,
        "ase.calculators.morse:MorsePotential": _CLASSICAL,
        "ase.calculators.tersoff:Tersoff": _CLASSICAL,
        "ase.calculators.tip3p:TIP3P": _CLASSICAL,
        "ase.calculators.tip4p:TIP4P": _CLASSICAL,
        "nnpal.model.calculator:NNPCalculator": _CLASSICAL,
    }
)
_OTHER_NAMES = MappingProxyType(
    {
        "ase.calculators.vasp:Vasp": "ase.calculators.vasp.vasp:Vasp",
        "nnpal.calculator:NNPCalculator": "nnpal.model.calculator:NNPCalculator",
        "nnpal:NNPCalculator": "nnpal.model.calculator:NNPCalculator",
    }
)


def known(spec: str, calculator: Any = None) -> Known:
    """Return the entry of ``MODULE:CLASS``, or of the calculator's class or a base class of it.

    A custom class that states ``periodic_directions``, such as ``{0, 2, 3}``, is trusted.
    """
    found = KNOWN.get(_OTHER_NAMES.get(spec, spec))
    for kind in type(calculator).__mro__:
        found = found or KNOWN.get(f"{kind.__module__}:{kind.__qualname__}")
    found = found or UNKNOWN
    stated = getattr(calculator, "periodic_directions", None)
    if stated is None:
        return found
    return replace(found, periodic=frozenset(stated))


def periodicity_refusal(spec: str, pbc: Any, calculator: Any = None) -> str:
    """Return why a calculator does not support this periodicity, or an empty string."""
    can = known(spec, calculator).periodic
    repeats = [axis for axis, periodic in zip("xyz", np.asarray(pbc, dtype=bool), strict=True) if periodic]
    if len(repeats) in can:
        return ""
    counts = " or ".join({0: "no", 1: "one", 2: "two", 3: "all three"}[count] for count in sorted(can))
    along = " and ".join(repeats) or "no direction"
    if 3 not in can:
        return f"{spec} computes what is periodic in {counts} direction, but this is periodic along {along}"
    open_ = " and ".join(axis for axis in "xyz" if axis not in repeats)
    return (
        f"{spec} computes what is periodic in {counts} directions, but this is periodic along {along}, and would be "
        f"computed as a crystal with the height of the box. Make all three directions periodic (boundary p p p, "
        f'pbc="T T T"), with vacuum that you choose along {open_}'
    )


def options_refusal(spec: str, options: Mapping[str, Any]) -> str:
    """Return why no calculator can be created with these options, or an empty string.

    The reasons are NaN, an invalid charge or multiplicity (known classes only), an absolute output folder of Espresso,
    and a multiplicity without the option that unrestricted calculations need.
    """
    for own, value in options.items():
        if isinstance(value, float) and np.isnan(value):
            return f"option {own} = nan: expected a number; correct it or remove it"
    kind = known(spec)
    for wanted, name in (("charge", kind.charge), ("multiplicity", kind.multiplicity)):
        value = option(options, name or "")
        if value is None or kind.way == "unknown":
            continue
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if wanted == "charge" and not (is_number and abs(value) <= LARGEST_CHARGE):
            expected = "the total charge, a number of elementary charges such as 1 or -1"
        elif wanted == "multiplicity" and not (is_number and 1 <= value <= LARGEST_CHARGE and value == int(value)):
            expected = "2S+1, a whole number such as 1 (singlet) or 3 (triplet)"
        else:
            continue
        return f"option {name} = {value!r}: expected {expected}; write {name} = 1 without quotes, or remove it"
    if spec == ESPRESSO and Path(outdir := str(option(options, OUTDIR) or ".")).is_absolute():
        return f"option {OUTDIR} = {outdir}: calculations at a time would write one folder; remove it"
    multiplicity = options.get(kind.multiplicity or "")
    if kind.unrestricted and multiplicity not in (None, 1) and not options.get(kind.unrestricted):
        return (
            f"option {kind.multiplicity} = {multiplicity} without {kind.unrestricted} = true: {spec} would compute the "
            f"restricted singlet and report nothing; give {kind.unrestricted} = true"
        )
    return ""


def electrons_refusal(spec: str, options: Mapping[str, Any], atoms: Atoms, calculator: Any = None) -> str:
    """Return why a calculator with these options would not compute the stated charge and spin, or an empty string."""
    kind = known(spec, calculator)
    try:
        check_parity(atoms)
        stated = electrons_of(atoms)
        charge, multiplicity = stated.total_charge, stated.multiplicity
        if kind.way in ("sums", "parameters"):
            multiplicity = _multiplicity(spec, stated)
        charge = _agreed(kind.charge, options, charge, stated)
        multiplicity = _agreed(kind.multiplicity, options, multiplicity, stated)
    except ValueError as error:
        return str(error).removeprefix("configuration: ")
    if kind.way == "none" and (charge or (multiplicity or 1) != 1):
        said = stated if not stated.is_plain else f"options {dict(options)}"
        return f"{spec} does not support charge or spin, but there is {said}: remove it, or use another calculator"
    if calculator is not None and kind.way in ("parameters", "start") and charge and _lacks(options, kind.charge):
        return f"{spec}: charge {charge} is passed to this calculator only by its option {kind.charge}: give it"
    if kind.way in ("parameters", "start") and kind.multiplicity is None and (multiplicity or 1) != 1:
        return (
            f"{spec}: multiplicity {multiplicity} is stated, and nnpal does not know by which options this calculator "
            "takes it: remove it from the file and give it in oracle.options"
        )
    return ""


def hand_over(spec: str, options: Mapping[str, Any], atoms: Atoms, calculator: Any = None) -> dict[str, Any]:
    """Set charge and spin of ``atoms`` in the form that the calculator expects, and return options for creating it.

    Call it after :func:`electrons_refusal` has returned an empty string.
    """
    kind, stated = known(spec, calculator), electrons_of(atoms)
    if kind.way == "parameters":
        wanted = {kind.charge: stated.total_charge, kind.multiplicity: _multiplicity(spec, stated)}
        return {**options, **{name: value for name, value in wanted.items() if name and value is not None}}
    charge, multiplicity = stated.total_charge, stated.multiplicity
    if kind.way == "start":
        put(atoms, Electrons(None, None, None, stated.moments))
        return dict(options) if not charge else with_option(options, str(kind.charge), charge)
    if kind.way == "sums":
        multiplicity = _multiplicity(spec, stated)
        charges = None if not charge else _on_first(charge, len(atoms))
        moments = None if multiplicity in (None, 1) else _on_first(multiplicity - 1, len(atoms))
        put(atoms, Electrons(charge, multiplicity, charges, moments))
    elif kind.way == "unknown":
        # in all forms that calculators read: sums (spread, as a guess), and info for OMol25's and MACE's models
        charges, moments = stated.charges, stated.moments
        if charges is None and charge:
            charges = np.full(len(atoms), charge / len(atoms))
        if moments is None and multiplicity not in (None, 1):
            moments = np.full(len(atoms), (multiplicity - 1) / len(atoms))
        put(atoms, Electrons(charge, multiplicity, charges, moments))
        if multiplicity is not None:
            atoms.info["spin"] = multiplicity
    return dict(options)


def options_with(spec: str, options: Mapping[str, Any], electrons: Electrons) -> dict[str, Any]:
    """Return options that give charge and spin to a calculator in LAMMPS, which passes only positions.

    Raises:
        ValueError: the options contradict the stated values, or the calculator has no such options.
    """
    kind = known(spec)
    wanted = {
        "charge": (kind.charge, electrons.total_charge),
        "multiplicity": (kind.multiplicity, _multiplicity(spec, electrons)),
    }
    found = dict(options)
    for name, (name_there, value) in wanted.items():
        _agreed(name_there, options, value, electrons)
        if value is None or not _lacks(options, name_there):
            continue
        if name_there is None or kind.way in ("none", "unknown"):
            if value != (0 if name == "charge" else 1):
                raise ValueError(
                    f"{electrons} is stated, and nnpal does not know how to pass it to {spec}: give it in "
                    "oracle.options, "
                    f"as {name} = {value} if that is its name, or write a custom calculator class that sets it"
                )
            continue
        found = with_option(found, name_there, value)
    return found


def electrons_caution(spec: str, options: Mapping[str, Any], electrons: Electrons) -> str:
    """Return a warning about how charge and spin are computed, or an empty string."""
    kind = known(spec)
    try:
        multiplicity = _multiplicity(spec, electrons) if kind.way == "sums" else electrons.multiplicity
        asked = _agreed(kind.multiplicity, options, multiplicity, electrons)
    except ValueError:
        return ""  # reported by electrons_refusal
    if spec == TBLITE and (asked or 1) >= 3 and options.get("spin_polarization") is None:
        return (
            f"multiplicity {asked} of tblite without spin_polarization: GFN-xTB has no exchange between unpaired "
            "electrons, so that states of high spin come out too high (triplet O2 0.07 eV above the singlet); give "
            "the option spin_polarization 1.0"
        )
    if kind.way == "none" and electrons.moments is not None:
        return f"{spec} does not support spin: {MOMENTS_LEFT_OUT}"
    if kind.way == "unknown" and not electrons.is_plain and options.get(kind.charge or "") is None:
        return (
            f"{spec}: configurations state {electrons}; they reach the calculator as ASE's initial charges and moments "
            "and as charge and spin in info, but nnpal does not know whether it uses them: compare an energy"
        )
    return ""


def without_open_vectors(atoms: Atoms) -> Atoms:
    """Return a copy without cell vectors along nonperiodic directions, which have no meaning."""
    copy = atoms.copy()
    copy.calc = None
    copy.set_cell(atoms.cell.array * atoms.pbc[:, None], scale_atoms=False)
    return copy


def _multiplicity(spec: str, stated: Electrons) -> int | None:
    """Return the stated multiplicity, or the one from the sum of moments, which is all that such calculators use.

    Raises:
        ValueError: the sum is not an integer, differs from the stated multiplicity, or is zero, which would lose the
            moments.
    """
    if stated.moments is None:
        return stated.multiplicity
    total = float(np.asarray(stated.moments).sum())
    if stated.moments.ndim > 1 or abs(total - round(total)) > WHOLE or round(total) == 0:
        raise ValueError(
            f"initial_magmoms sum to {total:.4g} μB, of which {spec} uses only the sum, as the number of unpaired "
            "electrons, expected a whole number, not 0; remove the column and state multiplicity = 2S+1"
        )
    found = abs(round(total)) + 1
    if stated.multiplicity not in (None, found):
        raise ValueError(f"multiplicity {stated.multiplicity}, but initial_magmoms sum to {total:g}; correct either")
    return found


def _agreed(name: str | None, options: Mapping[str, Any], stated: int | None, electrons: Electrons) -> int | None:
    """Return the stated value, or that of an option.

    Raises:
        ValueError: both are given and differ.
    """
    given = None if name is None else option(options, name)
    if given is None or isinstance(given, str | bool):
        return stated
    if stated is not None and float(given) != stated:
        raise ValueError(f"{electrons} is stated, but the oracle's option {name} = {given}; remove either")
    return int(given) if float(given).is_integer() else stated


def _lacks(options: Mapping[str, Any], name: str | None) -> bool:
    return name is None or option(options, name) is None


def _on_first(total: int, n_atoms: int) -> np.ndarray:
    """Return a column whose sum is exactly ``total``."""
    return np.array([float(total)] + [0.0] * (n_atoms - 1))
