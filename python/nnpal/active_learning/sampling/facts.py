"""``run.json``: the facts that are needed to read a run's frames and rows."""

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
    """Return whether a run was started in a folder."""
    return (folder / FACTS).is_file()


class RunFacts(Section):
    """Facts of any run.

    Attributes:
        kind: "smd", "momt", "npt" or "md".
        symbols: element of each LAMMPS type, from type 1.
        units: LAMMPS unit style.
        electrons: charge and spin given in the structure, as JSON; empty in runs of older versions.
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
        """Write the facts to a run's folder."""
        write_json(folder / FACTS, self.model_dump(mode="json"), sort_keys=False)

    @classmethod
    def read(cls: type[AnyFacts], folder: Path) -> AnyFacts:
        """Read the facts from a run's folder.

        Raises:
            FileNotFoundError: the folder has no run.
            nnpal.config.ConfigError: keys are missing or unknown, as for a run of another kind.
        """
        found = read_json(folder / FACTS)
        if found is None:
            raise FileNotFoundError(f"{folder / FACTS}: no such file; expected the folder of a run")
        return validated(found, cls, source=str(folder / FACTS))


class MDFacts(RunFacts):
    """Facts of molecular dynamics under the oracle."""

    kind: Literal["md"] = "md"


class BiasedFacts(RunFacts):
    """Facts of an exploration run.

    Attributes:
        types: LAMMPS type of each atom.
        has_uq: whether the force field computes uncertainties.
    """

    types: tuple[int, ...]
    has_uq: bool


class SMDFacts(BiasedFacts):
    """Facts of a pull.

    Attributes:
        uq: column of the rows with the uncertainty.
        rate: pulling rate, Å/ps.
    """

    kind: Literal["smd"] = "smd"
    uq: str
    rate: float


class MOMTFacts(BiasedFacts):
    """Facts of a MOMT run.

    Attributes:
        walkers: number of walkers.
        timestep: timestep, ps; None in runs of older versions.
    """

    kind: Literal["momt"] = "momt"
    walkers: int
    timestep: float | None = None


class NPTFacts(BiasedFacts):
    """Facts of an NPT run.

    Attributes:
        start: initial phase, "crystal" or "liquid".
        pressure: pressure, bar.
        timestep: timestep, ps.
        reciprocal_vectors: vectors of the order parameter, in multiples of the box's reciprocal vectors, [n_g, 3];
            empty: it is not computed.
    """

    kind: Literal["npt"] = "npt"
    start: Literal["crystal", "liquid"]
    pressure: float
    timestep: float
    reciprocal_vectors: tuple[tuple[int, int, int], ...]
