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

    phase: Literal["fcc", "bcc", "hcp"] = Field(description="crystal structure: fcc (32 atoms), bcc (54) or hcp (48)")
    element: str = Field(pattern="^[A-Z][a-z]?$", description="chemical symbol")
    bond: PositiveFloat = Field(description="initial nearest-neighbor distance, Å; preferably that of the oracle")
    c_over_a: PositiveFloat | None = Field(
        None, description="fixed c/a ratio of hcp; absent: relaxed, starting from the ideal value 1.633"
    )

    @model_validator(mode="after")
    def _ratio_belongs_to_hcp(self) -> StructureSettings:
        if self.c_over_a is not None and self.phase != "hcp":
            raise ValueError(f"c_over_a = {self.c_over_a} for {self.phase}, expected for hcp only; remove it")
        return self

    def structure(self) -> Structure:
        return Structure(self.phase, self.element, self.bond, self.c_over_a)


class EvaluateSection(Section):
    """[evaluate]: reference data that a model is evaluated on."""

    data: tuple[str | FileSettings, ...] = Field(
        (), description="labeled configurations: paths, or tables as in [data]; absent: data.test"
    )
    structures: tuple[StructureSettings, ...] = Field((), description="crystals to relax under model and oracle")
    oracle: tuple[str, ...] = Field(
        (),
        description="LAMMPS commands of the oracle for the crystals, in metal units, with one atom type; {element} "
        "stands for the element of the crystal; files are looked up in the folder of the configuration file; absent: "
        "[oracle] if it is a LAMMPS oracle, otherwise only the model relaxes the crystals",
    )
    output: Path = Field(
        Path("evaluate"),
        description="output folder for summary.json, figures, CSV files and LAMMPS runs, relative to the "
        "configuration file",
    )
    uq_force: bool = Field(True, description="compute uq_force, which takes one backward pass per member")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="device: cpu, cuda or cuda:N")
    seed: int = Field(0, ge=0, description="random seed of the bootstrap for standard errors")
