"""The table [oracle] of the configuration file: what computes energies and forces."""

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
FILES = "files or folders whose contents decide the numbers, relative to the configuration file's folder"
VERSION = "of a program outside Python, in your words; another version computes anew"


class AnyOracle(Section):
    """[oracle], whatever its kind."""

    def oracle(self, folder: Path) -> Oracle:
        """Return the oracle; its files are sought from ``folder``."""
        raise NotImplementedError


class LammpsSection(AnyOracle):
    """[oracle] with kind = "lammps": any pair style."""

    kind: Literal["lammps"] = Field("lammps", description="a pair style of LAMMPS")
    elements: tuple[str, ...] = Field(min_length=1, description="chemical symbol of each atom type")
    commands: tuple[str, ...] = Field(
        min_length=1,
        description="pair_style, pair_coeff and what else is needed; {symbols} stands for all elements, {Ni} for the "
        "number of Ni's atom type; files are sought in the configuration file's folder and among LAMMPS's own",
    )
    units: Literal["metal", "real"] = Field("metal", description="units of the commands")
    charges: dict[str, float] | None = Field(None, description="charge of each element, e; absent: no charges")
    stress: bool = Field(True, description="false where the pair style has no virial")

    def oracle(self, folder: Path) -> Oracle:
        return LammpsOracle(
            self.commands, self.elements, units=self.units, charges=self.charges, stress=self.stress, folder=folder
        )


class AseSection(AnyOracle):
    """[oracle] with kind = "ase": any ASE calculator."""

    kind: Literal["ase"] = Field(description="an ASE calculator")
    calculator: str = Field(TBLITE, pattern=IMPORT_PATH, description="MODULE:CLASS")
    options: Options = Field(
        {}, description="keyword arguments; {folder} in texts stands for the configuration file's folder"
    )
    ladder: tuple[Options, ...] | None = Field(
        None,
        description="overrides of options that are tried in turn where a calculation fails; absent: for tblite more "
        "iterations, then smaller steps; [] for none",
    )
    files: tuple[str, ...] = Field((), description=FILES)
    version: str | None = Field(None, description=VERSION)
    profile: dict[str, str] | None = Field(
        None,
        description="the program behind Espresso, CP2K, ORCA, ...: command, and what else ASE's profile for it takes "
        "(Espresso: pseudo_dir; CP2K: data_dir); {folder} as in options; absent: ASE's own configuration",
    )
    reuse: bool = Field(False, description="keep the calculator between configurations, where making it takes long")

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
    """[oracle] with kind = "python": a class of your own."""

    kind: Literal["python"] = Field(description="a class of your own, with a method compute(atoms)")
    import_path: str = Field(
        pattern=IMPORT_PATH, description="MODULE:CLASS; the module may lie beside the configuration file"
    )
    options: Options = Field(
        {}, description="keyword arguments; {folder} in texts stands for the configuration file's folder"
    )
    ladder: tuple[Options, ...] = Field((), description="overrides of options, tried in turn where a calculation fails")
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
    """Return the oracle of a table [oracle]; its files are sought from ``base_folder``, the configuration file's.

    Raises:
        nnpal.oracle.protocol.OracleError: it cannot work as described, as far as this can be told before it starts.
    """
    return section.oracle(Path(base_folder))
