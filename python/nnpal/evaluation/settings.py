"""The table [evaluate] of the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from nnpal.config import Section
from nnpal.data.settings import FileSettings
from nnpal.evaluation.relax import Structure


class StructureSettings(Section):
    """[[evaluate.structures]]: a crystal to relax."""

    phase: Literal["fcc", "bcc", "hcp"] = Field(description="crystal: fcc (32 atoms), bcc (54) or hcp (48)")
    element: str = Field(pattern="^[A-Z][a-z]?$", description="chemical symbol")
    bond: PositiveFloat = Field(description="distance of nearest neighbors to start from, Å; best the oracle's")
    c_over_a: PositiveFloat | None = Field(
        None, description="of hcp: keep this ratio; absent: relax it, starting from the ideal 1.633"
    )

    @model_validator(mode="after")
    def _ratio_belongs_to_hcp(self) -> StructureSettings:
        if self.c_over_a is not None and self.phase != "hcp":
            raise ValueError(f"c_over_a = {self.c_over_a} for {self.phase}, expected it for hcp alone")
        return self

    def structure(self) -> Structure:
        return Structure(self.phase, self.element, self.bond, self.c_over_a)


class EvaluateSection(Section):
    """[evaluate]: what a model is held against."""

    data: tuple[str | FileSettings, ...] = Field(
        (), description="labeled configurations: paths, or tables as in [data]; data.test when absent"
    )
    structures: tuple[StructureSettings, ...] = Field((), description="crystals to relax under model and oracle")
    oracle: tuple[str, ...] = Field(
        (),
        description="LAMMPS commands of the oracle for the crystals, metal units, one atom type; {element} stands for "
        "the crystal's, and files are sought from the configuration file's folder; absent: [oracle] where that is "
        "LAMMPS's, else the model alone",
    )
    output: Path = Field(
        Path("evaluate"),
        description="folder for summary.json, figures, CSV files and LAMMPS runs, from the configuration file's own",
    )
    uq_force: bool = Field(True, description="compute uq_force, a backward pass for each member")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="cpu, cuda or cuda:N")
    seed: int = Field(0, ge=0, description="of the bootstrap that gives standard errors")
