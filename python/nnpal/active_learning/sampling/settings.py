"""The tables [explore] (kind = "smd", "momt" or "npt") and [initial] of the configuration file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from nnpal.config import Section

UQ = Literal["energy_deviation", "uq_energy", "uq_force"]
Lattice = Literal["fcc", "bcc", "hcp", "diamond"]
Phase = Literal["crystal", "liquid"]
Grid = tuple[float, float, PositiveInt]
Word = str | int | float

HOT, HOT_AT_LEAST = 10.0, 5000.0
"""Limits as a multiple of the target temperature, and in K: a run above both has failed. A breaking bond heats a small
molecule by about 1000 K, at any initial temperature."""


class Run(Section):
    """Settings of every LAMMPS run."""

    equilibration: NonNegativeInt = Field(4000, description="number of equilibration steps before the first frame")
    every: PositiveInt = Field(20, description="number of steps between frames")
    damping: PositiveFloat = Field(0.1, description="damping time of the thermostat, ps")
    runs: PositiveInt = Field(1, description="number of runs with the same settings and different initial velocities")
    max_temperature: PositiveFloat | None = Field(
        None,
        description=f"temperature, K, above which a run is ended; absent: {HOT:g} times its target temperature, at "
        f"least "
        f"{HOT_AT_LEAST:g}",
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="device of pair_style nnp: auto, cpu, cuda or cuda:N"
    )
    threads: PositiveInt = Field(1, description="CPU threads per rank in pair_style nnp")
    launch: tuple[str, ...] = Field((), description='launch command before lmp, such as ["mpirun", "-np", "4"]')

    def hottest(self, temperature: float) -> float:
        """Return the temperature, K, above which a run at ``temperature`` ends."""
        return self.max_temperature or max(HOT * temperature, HOT_AT_LEAST)


class SMDSection(Run):
    """[explore] with kind = "smd": two atoms are pulled apart by a spring."""

    kind: Literal["smd"] = Field(description="steered molecular dynamics")
    structure: str = Field(
        min_length=1, description="structure file that ASE can read, relative to the folder of the configuration file"
    )
    atoms: tuple[PositiveInt, PositiveInt] = Field(
        description="the two atoms to pull apart; the first atom of the file is 1"
    )
    k: PositiveFloat = Field(20.0, description="spring constant, eV/Å²")
    rates: tuple[float, ...] = Field(
        (1.0,),
        min_length=1,
        description="pulling rates of the far end of the spring, Å/ps; negative rates push the atoms together",
    )
    start: PositiveFloat | None = Field(
        None, description="initial position of the far end, Å; absent: the distance of the two atoms in the structure"
    )
    length: PositiveFloat = Field(4.0, description="distance over which the far end moves, Å")
    most_runs: PositiveInt | None = Field(
        None,
        description="largest number of pulls at each rate: while the confidence interval of the error of E_a is too "
        "wide to decide whether the goal is reached, pairs of pulls are added; absent: none are added",
    )
    temperature: PositiveFloat = Field(300.0, description="temperature, K")
    timestep: PositiveFloat = Field(0.00025, description="timestep, ps")
    noiseless: NonNegativeInt = Field(
        2,
        description="number of additional pulls at the largest rate without thermal noise, under both oracle and "
        "ensemble, that show a systematic error of the activation energy",
    )
    uq_every: PositiveInt = Field(
        5, description="number of steps between rows of distance, work and uncertainty; a divisor of every"
    )
    uq: UQ = Field(
        "energy_deviation",
        description="uncertainty; energy_deviation: standard deviation of the total energy over the members, divided "
        "by "
        "the square root of the number of atoms, eV; uq_energy: largest value of any atom, eV; uq_force: largest value "
        "of any atom, eV/Å",
    )
    max_uq: PositiveFloat | None = Field(
        None, description="uncertainty, in the units of uq, above which a run is ended; absent: no limit"
    )
    max_error: PositiveFloat | None = Field(
        None, description="calibrated force error of any atom, eV/Å, above which a run is ended; absent: no limit"
    )

    @field_validator("rates")
    @classmethod
    def _move(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        if 0.0 in rates or len(set(rates)) < len(rates):
            raise ValueError("expected rates that differ, and none 0; runs = 3 gives three pulls of each")
        return rates

    @model_validator(mode="after")
    def _fit(self) -> SMDSection:
        if self.atoms[0] == self.atoms[1]:
            raise ValueError(f"atoms: {list(self.atoms)}, expected two different ones")
        if self.every % self.uq_every:
            raise ValueError(f"every: {self.every}, expected a multiple of uq_every, {self.uq_every}")
        if self.most_runs is not None and self.most_runs < self.runs:
            raise ValueError(
                f"most_runs: {self.most_runs}, expected runs, {self.runs}, or more; absent: none are added"
            )
        return self

    @property
    def fastest(self) -> float:
        """The rate of the noiseless pulls: the largest, Å/ps."""
        return max(self.rates, key=abs)

    @property
    def adds_runs(self) -> bool:
        """Whether pulls may be added to the first ``runs``."""
        return self.most_runs is not None and self.most_runs > self.runs

    def steps(self, rate: float) -> int:
        """Return the number of steps of a pull at ``rate``, Å/ps."""
        return max(1, round(self.length / abs(rate) / self.timestep))


class IsobaricSection(Run):
    """Settings shared by MOMT and NPT sampling of a crystal and its liquid at constant pressure."""

    kind: str
    structure: str | None = Field(
        None,
        description="structure file that ASE can read, relative to the folder of the configuration file; "
        "alternatively, give element, lattice and cells",
    )
    element: str | None = Field(None, description="element of a crystal that is built from conventional cells")
    lattice: Lattice | None = Field(
        None, description="crystal structure of the order parameter, and of the crystal that is built"
    )
    lattice_constant: PositiveFloat | None = Field(None, description="initial lattice constant, Å; absent: that of ASE")
    cells: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (3, 3, 3), description="number of conventional cells along each direction (fcc: 4 atoms per cell)"
    )
    temperature: PositiveFloat = Field(description="temperature, K")
    pressure: float = Field(1.0, description="pressure, bar")
    steps: PositiveInt = Field(2_000_000, description="number of sampling steps")
    every: PositiveInt = Field(100, description="number of steps between frames")
    equilibration: NonNegativeInt = Field(
        5000, description="number of equilibration steps at constant pressure before the first frame"
    )
    timestep: PositiveFloat = Field(0.001, description="timestep, ps")
    pressure_damping: PositiveFloat = Field(1.0, description="damping time of the barostat, ps")

    @model_validator(mode="after")
    def _one_start(self) -> IsobaricSection:
        if (self.structure is None) == (self.element is None):
            raise ValueError("expected either structure (a file) or element (with lattice)")
        if self.element is not None and self.lattice is None:
            raise ValueError("lattice: missing, expected the crystal structure of element")
        return self

    @property
    def n_frames(self) -> int:
        """Return the number of configurations of all runs, if all are complete."""
        return self.n_walks * (self.steps // self.every + 1)

    @property
    def n_steps(self) -> int:
        """Return the number of steps of all runs, including those before the first frame."""
        return self.n_walks * (self.equilibration + self.steps)

    @property
    def n_walks(self) -> int:
        """Return the number of trajectories."""
        return self.runs


class MOMTSection(IsobaricSection):
    """[explore] with kind = "momt": multiorder-multithermal sampling of a crystal and its liquid."""

    kind: Literal["momt"] = Field(description="multiorder-multithermal sampling")
    H: Grid | None = Field(None, description="grid of the enthalpy: lower bound, upper bound (eV), number of bins")
    O: Grid | None = Field(None, description="grid of the order parameter: lower bound, upper bound, number of bins")  # noqa: E741
    options: dict[str, Word | tuple[Word, ...]] = Field({}, description="further options of fix nnpal.momt:MOMT")
    walkers: PositiveInt = Field(
        1, description="number of walkers (LAMMPS partitions) per run, which learn one common bias"
    )

    @model_validator(mode="after")
    def _fit(self) -> MOMTSection:
        if self.H is None and self.O is None:
            raise ValueError("expected a grid: H = [low, high, bins], O = [low, high, bins], or both")
        if self.O is not None and self.lattice is None and "reciprocal" not in self.options:
            raise ValueError("O: expected lattice, or options.reciprocal, which define the order parameter")
        taken = {"temp", "press", "lattice", "H", "O", "file", "trace", "every", "walkers"} & set(self.options)
        if taken:
            raise ValueError(
                f"options: {', '.join(sorted(taken))} are set by other keys of [explore]; remove them from options"
            )
        return self

    @property
    def n_walks(self) -> int:
        return self.runs * self.walkers


class NPTSection(IsobaricSection):
    """[explore] with kind = "npt": separate isobaric-isothermal dynamics of a crystal and of its liquid."""

    kind: Literal["npt"] = Field(description="isobaric-isothermal molecular dynamics")
    starts: tuple[Phase, ...] = Field(
        ("crystal", "liquid"),
        min_length=1,
        description="initial structures of the runs; crystal: the structure itself; liquid: the structure after "
        "melting",
    )
    melt_temperature: PositiveFloat | None = Field(
        None, description="temperature at which the structure is melted, K; absent: twice the sampling temperature"
    )
    melt_steps: PositiveInt = Field(20_000, description="number of melting steps, before equilibration")
    steps: PositiveInt = Field(200_000, description="number of sampling steps per run")

    @model_validator(mode="after")
    def _fit(self) -> NPTSection:
        if len(set(self.starts)) < len(self.starts):
            raise ValueError(f"starts: {list(self.starts)}, expected different ones; runs = 2 gives two runs of each")
        fields = type(self).model_fields  # compare values, not which keys were set: a task sets all of them
        unused = [key for key in ("melt_steps", "melt_temperature") if getattr(self, key) != fields[key].default]
        if "liquid" not in self.starts and unused:
            raise ValueError(f'{", ".join(unused)}: no effect without starts = [..., "liquid"]; remove it')
        if self.melt_temperature is not None and self.melt_temperature <= self.temperature:
            raise ValueError(
                f"melt_temperature: {self.melt_temperature:g} K, expected more than temperature, {self.temperature:g} K"
            )
        return self

    @property
    def melting(self) -> float:
        """Return the temperature, K, at which liquid starts are melted."""
        return self.melt_temperature or 2 * self.temperature

    @property
    def n_walks(self) -> int:
        return self.runs * len(self.starts)

    @property
    def n_steps(self) -> int:
        return super().n_steps + (self.runs * self.melt_steps if "liquid" in self.starts else 0)


ExploreSection = Annotated[SMDSection | MOMTSection | NPTSection, Field(discriminator="kind")]


class InitialSection(Run):
    """[initial]: molecular dynamics under the oracle, near equilibrium, for the first training data."""

    structure: str = Field(
        min_length=1, description="structure file that ASE can read, relative to the folder of the configuration file"
    )
    temperatures: tuple[PositiveFloat, ...] = Field(
        (300.0,), min_length=1, description="temperatures, K; `runs` runs at each"
    )
    pressure: float | None = Field(None, description="pressure, bar; absent: constant volume")
    pressure_damping: PositiveFloat = Field(1.0, description="damping time of the barostat, ps")
    steps: PositiveInt = Field(4000, description="number of steps per run")
    timestep: PositiveFloat = Field(0.00025, description="timestep, ps")

    @field_validator("temperatures")
    @classmethod
    def _differ(cls, temperatures: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(temperatures)) < len(temperatures):
            raise ValueError("expected temperatures that differ; runs = 3 gives three runs at each")
        return temperatures


def options_words(options: dict[str, Any]) -> list[str]:
    """Return the options of a hook as words of a LAMMPS input script."""
    words: list[str] = []
    for name, value in options.items():
        values = value if isinstance(value, list | tuple) else [value]
        words += [name, *(repr(v) if isinstance(v, float) else str(v) for v in values)]
    return words
