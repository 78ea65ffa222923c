"""The table [oracle] of the configuration file: the reference method for energies and forces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from nnpal.config import Section
from nnpal.oracle.calculator_oracle import TBLITE, CalculatorOracle
from nnpal.oracle.lammps_oracle import LammpsOracle
from nnpal.oracle.protocol import Oracle
from nnpal.oracle.python_oracle import PythonOracle

Options = dict[str, Any]
IMPORT_PATH = r"^[\w.]+:\w+$"
FILES = "files or folders whose contents affect the results, relative to the folder of the configuration file"
VERSION = "version of an external program, as free text; labels are recomputed when it changes"


class AnyOracle(Section):
    """[oracle] of any kind."""

    def oracle(self, folder: Path) -> Oracle:
        """Return the oracle; its file paths are relative to ``folder``."""
        raise NotImplementedError


class LammpsSection(AnyOracle):
    """[oracle] with kind = "lammps": any LAMMPS pair style."""

    kind: Literal["lammps"] = Field("lammps", description="a LAMMPS pair style")
    elements: tuple[str, ...] = Field(min_length=1, description="chemical symbol of each atom type")
    commands: tuple[str, ...] = Field(
        min_length=1,
        description="LAMMPS commands: pair_style, pair_coeff and any others needed; {symbols} stands for all elements, "
        "{Ni} for the atom type of Ni; files are looked up in the folder of the configuration file and among the "
        "potentials of LAMMPS",
    )
    units: Literal["metal", "real"] = Field("metal", description="LAMMPS units of the commands")
    charges: dict[str, float] | None = Field(None, description="charge of each element, e; absent: no charges")
    stress: bool = Field(True, description="false if the pair style does not compute a virial")

    def oracle(self, folder: Path) -> Oracle:
        return LammpsOracle(
            self.commands, self.elements, units=self.units, charges=self.charges, stress=self.stress, folder=folder
        )


class AseSection(AnyOracle):
    """[oracle] with kind = "ase": any ASE calculator."""

    kind: Literal["ase"] = Field(description="an ASE calculator")
    calculator: str = Field(TBLITE, pattern=IMPORT_PATH, description="ASE calculator, as MODULE:CLASS")
    options: Options = Field(
        {}, description="keyword arguments; {folder} in strings stands for the folder of the configuration file"
    )
    ladder: tuple[Options, ...] | None = Field(
        None,
        description="fallback settings: changes of options that are tried in order if a calculation fails; absent: "
        "none, but for tblite more iterations, then smaller steps; []: none",
    )
    files: tuple[str, ...] = Field((), description=FILES)
    version: str | None = Field(None, description=VERSION)
    profile: dict[str, str] | None = Field(
        None,
        description="ASE profile of an external program (Espresso, CP2K, ORCA, ...): command, and further keys of the "
        "profile (Espresso: pseudo_dir; CP2K: data_dir); {folder} as in options; absent: the configuration of ASE",
    )
    reuse: bool = Field(False, description="reuse one calculator for all configurations, if creating it is slow")

    def oracle(self, folder: Path) -> Oracle:
        return CalculatorOracle(
            self.calculator,
            self.options,
            ladder=self.ladder,
            files=self.files,
            version=self.version,
            profile=self.profile,
            reuse=self.reuse,
            folder=folder,
        )


class PythonSection(AnyOracle):
    """[oracle] with kind = "python": a custom Python class."""

    kind: Literal["python"] = Field(description="a custom Python class with a method compute(atoms)")
    import_path: str = Field(
        pattern=IMPORT_PATH, description="MODULE:CLASS; the module may be in the folder of the configuration file"
    )
    options: Options = Field(
        {}, description="keyword arguments; {folder} in strings stands for the folder of the configuration file"
    )
    ladder: tuple[Options, ...] = Field(
        (), description="fallback settings: changes of options that are tried in order if a calculation fails"
    )
    files: tuple[str, ...] = Field((), description=FILES)
    version: str | None = Field(None, description=VERSION)

    def oracle(self, folder: Path) -> Oracle:
        return PythonOracle(
            self.import_path,
            self.options,
            ladder=self.ladder,
            files=self.files,
            version=self.version,
            folder=folder,
        )


OracleSection = Annotated[LammpsSection | AseSection | PythonSection, Field(discriminator="kind")]


def oracle_from(section: AnyOracle, base_folder: str | os.PathLike[str] = ".") -> Oracle:
    """Return the oracle of a table [oracle]; its file paths are relative to ``base_folder``, the configuration file's.

    Raises:
        nnpal.oracle.protocol.OracleError: it cannot work as specified, as far as this is known before it starts.
    """
    return section.oracle(Path(base_folder))
