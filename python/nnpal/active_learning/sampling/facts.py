"""What a run's folder says to the readers of its frames and rows: ``run.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from nnpal.config import Section, validated
from nnpal.geometry.electrons import Electrons, from_json
from nnpal.lammps.units import UNITS, Units
from nnpal.runtime.json_files import read_json, write_json

FACTS = "run.json"
AnyFacts = TypeVar("AnyFacts", bound="RunFacts")


def holds_run(folder: Path) -> bool:
    """Whether a run was started in a folder."""
    return (folder / FACTS).is_file()


class RunFacts(Section):
    """Of any run.

    Attributes:
        kind: "smd", "momt", "npt" or "md".
        symbols: element of each LAMMPS type, from type 1.
        units: LAMMPS's style of units.
        electrons: charge and spin that the structure states, as JSON; runs of older versions say nothing.
    """

    kind: str
    symbols: tuple[str, ...]
    units: Literal["metal", "real"]
    electrons: dict[str, Any] = Field(default_factory=dict)

    @property
    def unit_factors(self) -> Units:
        return UNITS[self.units]

    @property
    def stated(self) -> Electrons:
        return from_json(self.electrons)

    def write(self, folder: Path) -> None:
        """Write them into a run's folder."""
        write_json(folder / FACTS, self.model_dump(mode="json"), sort_keys=False)

    @classmethod
    def read(cls: type[AnyFacts], folder: Path) -> AnyFacts:
        """Read those of a folder.

        Raises:
            FileNotFoundError: the folder holds no run.
            nnpal.config.ConfigError: keys are missing or unknown, as those of a run of another kind.
        """
        found = read_json(folder / FACTS)
        if found is None:
            raise FileNotFoundError(f"{folder / FACTS}: no such file; expected the folder of a run")
        return validated(found, cls, source=str(folder / FACTS))


class MDFacts(RunFacts):
    """Of the oracle's dynamics."""

    kind: Literal["md"] = "md"


class BiasedFacts(RunFacts):
    """Of a run of exploration.

    Attributes:
        types: LAMMPS type of each atom.
        has_uq: whether the force field gave uncertainties.
    """

    types: tuple[int, ...]
    has_uq: bool


class SMDFacts(BiasedFacts):
    """Of a pull.

    Attributes:
        uq: the column of rows that holds the uncertainty.
        rate: Å/ps.
    """

    kind: Literal["smd"] = "smd"
    uq: str
    rate: float


class MOMTFacts(BiasedFacts):
    """Of a run of MOMT.

    Attributes:
        timestep: ps; runs of older versions do not state it.
    """

    kind: Literal["momt"] = "momt"
    walkers: int
    timestep: float | None = None


class NPTFacts(BiasedFacts):
    """Of a run of NPT dynamics.

    Attributes:
        start: "crystal" or "liquid".
        pressure: bar. timestep: ps.
        reciprocal_vectors: those of the order parameter, multiples of the box's, [n_g, 3]; none: it is not measured.
    """

    kind: Literal["npt"] = "npt"
    start: Literal["crystal", "liquid"]
    pressure: float
    timestep: float
    reciprocal_vectors: tuple[tuple[int, int, int], ...]
