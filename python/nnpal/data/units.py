"""Units of energies, lengths, forces and stresses in files: stated, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ase import units as ase_units

from nnpal.runtime.spelling import did_you_mean

ENERGIES: Mapping[str, float] = {  # eV
    "eV": 1.0,
    "meV": 1e-3,
    "hartree": ase_units.Hartree,
    "rydberg": ase_units.Rydberg,
    "kcal/mol": ase_units.kcal / ase_units.mol,
    "kJ/mol": ase_units.kJ / ase_units.mol,
}
LENGTHS: Mapping[str, float] = {"Å": 1.0, "bohr": ase_units.Bohr, "nm": 10.0}  # Å
PRESSURES: Mapping[str, float] = {  # eV/Å³
    "GPa": ase_units.GPa,
    "kbar": 1e3 * ase_units.bar,
    "bar": ase_units.bar,
    "atm": 101325.0 * ase_units.Pascal,
    "Pa": ase_units.Pascal,
}
STYLES: Mapping[str, tuple[str, str, str]] = {  # LAMMPS's: energy, length, pressure
    "metal": ("eV", "Å", "bar"),
    "real": ("kcal/mol", "Å", "atm"),
    "electron": ("hartree", "bohr", "Pa"),
}
_OTHER_SPELLINGS = {
    "ev": "eV", "mev": "meV", "ha": "hartree", "eh": "hartree", "ry": "rydberg", "kj/mol": "kJ/mol",
    "å": "Å", "a": "Å", "ang": "Å", "angstrom": "Å", "angstroms": "Å", "a0": "bohr",
    "gpa": "GPa", "pa": "Pa",
}  # fmt: skip


@dataclass(frozen=True)
class Units:
    """Units of a file, with the factors that convert to eV, Å, eV/Å and eV/Å³.

    Attributes:
        energy: unit of energies and virials, a key of ``ENERGIES``.
        length: unit of lengths, a key of ``LENGTHS``.
        force: unit of forces, ENERGY/LENGTH; by default from the two above.
        stress: unit of stresses, a key of ``PRESSURES`` or ENERGY/LENGTH^3; by default from the two above.

    Raises:
        ValueError: an unknown name.
    """

    energy: str
    length: str
    force: str = ""
    stress: str = ""

    def __post_init__(self) -> None:
        energy = _known(self.energy, ENERGIES, "unit of energy")
        length = _known(self.length, LENGTHS, "unit of length")
        force = _quotient(self.force, "unit of force") if self.force else f"{energy}/{length}"
        stress = _stress(self.stress) if self.stress else f"{energy}/{length}^3"
        for name, value in (("energy", energy), ("length", length), ("force", force), ("stress", stress)):
            object.__setattr__(self, name, value)

    @classmethod
    def lammps(cls, style: str) -> Units:
        """Return the units of the LAMMPS unit style metal, real or electron.

        Arguments:
            style: ``metal``, ``real`` or ``electron``.

        Raises:
            ValueError: another style; `lj` has no physical units.
        """
        energy, length, pressure = STYLES[_known(style, STYLES, "LAMMPS unit style")]
        return cls(energy, length, stress=pressure)

    @classmethod
    def parse(cls, text: str) -> Units:
        """Return the units of a LAMMPS unit style, or of `ENERGY LENGTH [STRESS]`, e.g. `hartree Å` or `eV Å GPa`.

        Arguments:
            text: a unit style, or the units of energy, length and, if it differs, stress.

        Raises:
            ValueError: anything else.
        """
        words = text.replace(",", " ").split()
        if len(words) == 1 and words[0] not in ENERGIES and words[0].lower() not in _OTHER_SPELLINGS:
            return cls.lammps(words[0])
        if len(words) not in (2, 3):
            raise ValueError(
                f"units {text!r}: expected a LAMMPS unit style ({', '.join(STYLES)}) or `ENERGY LENGTH [STRESS]`, "
                "e.g. `eV Å`"
            )
        return cls(words[0], words[1], stress=words[2] if len(words) == 3 else "")

    @property
    def to_ev(self) -> float:
        """Return the unit of energy in eV."""
        return ENERGIES[self.energy]

    @property
    def to_angstrom(self) -> float:
        """Return the unit of length in Å."""
        return LENGTHS[self.length]

    @property
    def to_ev_per_angstrom(self) -> float:
        """Return the unit of force in eV/Å."""
        energy, _, length = self.force.rpartition("/")
        return ENERGIES[energy] / LENGTHS[length]

    @property
    def to_ev_per_angstrom3(self) -> float:
        """Return the unit of stress in eV/Å³."""
        if self.stress in PRESSURES:
            return PRESSURES[self.stress]
        energy, _, length = self.stress.removesuffix("^3").rpartition("/")
        return ENERGIES[energy] / LENGTHS[length] ** 3

    def __str__(self) -> str:
        return f"{self.energy} {self.length} {self.force} {self.stress}"


def _known(name: str, table: Mapping[str, object], what: str) -> str:
    """Return ``name`` in the spelling of the table."""
    if name in table:
        return name
    spelled = _OTHER_SPELLINGS.get(name.lower(), name.lower())
    if spelled in table:
        return spelled
    reason = "has no scale" if name == "lj" else "unknown"
    raise ValueError(f"{what} {name!r}: {reason}{did_you_mean(name, list(table))}")


def _quotient(name: str, what: str) -> str:
    energy, slash, length = name.rpartition("/")
    if not slash:
        raise ValueError(f"{what} {name!r}: expected ENERGY/LENGTH, e.g. eV/Å or hartree/bohr")
    return f"{_known(energy, ENERGIES, what)}/{_known(length, LENGTHS, what)}"


def _stress(name: str) -> str:
    if name.endswith(("^3", "³")):
        return _quotient(name.removesuffix("^3").removesuffix("³"), "unit of stress") + "^3"
    return _known(name, PRESSURES, "unit of stress")


OURS = Units("eV", "Å")
