"""The trajectories of the demo: conditions, role and seed of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from typing import Any

from ase import Atoms

from nnpal.demo.eam import eam_potential
from nnpal.demo.order import fcc_order
from nnpal.demo.settings import DemoSettings
from nnpal.demo.trajectories import Schedule, sample_cluster, sample_crystal, sample_liquid

PHASES = ("solid", "liquid", "cluster")
"""Two phases that the ensemble is trained on, and one that it is not."""


@dataclass(frozen=True)
class Trajectory:
    """One independent trajectory.

    Attributes:
        role: ``train``, ``held_out`` or ``start`` (of a run under ``pair_style nnp``).
        phase: one of ``PHASES``.
        temperature: temperature, K.
        pressure: pressure of bulk phases, GPa.
        size: cubic cells along each edge, or shells of the cluster.
        schedule: length and stride.
        seed: random seed of velocities and thermostat.
    """

    role: str
    phase: str
    temperature: float
    pressure: float
    size: int
    schedule: Schedule
    seed: int


def plan(settings: DemoSettings) -> list[Trajectory]:
    """Return all trajectories, no two with the same seed."""
    seeds = count(1000 * settings.seed)
    rest = settings.held_out_schedule
    start = Schedule(n_frames=1, every=1, n_equilibrate=settings.md_equilibrate)
    bulk = [
        ("train", "solid", settings.solid_temperatures, settings.solid_schedule),
        ("train", "liquid", settings.liquid_temperatures, settings.liquid_schedule),
        ("held_out", "solid", settings.held_out_solid_temperatures, rest),
        ("held_out", "liquid", settings.held_out_liquid_temperatures, rest),
    ]

    def trajectories() -> Iterator[Trajectory]:
        for role, phase, phase_temperatures, schedule in bulk:
            pressures = settings.pressures if role == "train" else settings.held_out_pressures
            for temperature, pressure in product(phase_temperatures, pressures):
                yield Trajectory(role, phase, temperature, pressure, settings.repeat, schedule, next(seeds))
        sizes = dict.fromkeys(PHASES, settings.md_repeat) | {"cluster": settings.cluster_shells}
        temperatures = settings.md_temperatures
        yield Trajectory("held_out", "cluster", temperatures["cluster"], 0.0, sizes["cluster"], rest, next(seeds))
        for phase in PHASES:
            yield Trajectory("start", phase, temperatures[phase], 0.0, sizes[phase], start, next(seeds))

    return list(trajectories())


def run(trajectory: Trajectory, settings: DemoSettings) -> list[Atoms]:
    """Run one trajectory with the embedded-atom potential; store its conditions in ``Atoms.info``."""
    potential = eam_potential(settings.potential)
    common: dict[str, Any] = {
        "potential": potential,
        "temperature": trajectory.temperature,
        "schedule": trajectory.schedule,
        "seed": trajectory.seed,
    }
    cell = (settings.element, settings.lattice_constant, trajectory.size)
    if trajectory.phase == "cluster":
        frames = sample_cluster(*cell, vacuum=settings.vacuum, **common)
    elif trajectory.phase == "solid":
        frames = sample_crystal(*cell, pressure=trajectory.pressure, **common)
    else:
        frames = sample_liquid(*cell, pressure=trajectory.pressure, **common)
    for frame in frames:
        frame.info.update(
            phase=trajectory.phase,
            temperature=trajectory.temperature,
            pressure=trajectory.pressure,
            seed=trajectory.seed,
        )
        if trajectory.phase != "cluster":
            frame.info["fcc_order"] = fcc_order(frame, trajectory.size)
    return frames


def has_its_phase(phase: str, frames: Sequence[Atoms]) -> bool:
    """Return whether the mean order of a solid is above, or of a liquid below, half that of the perfect crystal."""
    if phase == "cluster":
        return True
    order = sum(frame.info["fcc_order"] for frame in frames) / len(frames)
    return (order > len(frames[0]) / 2) == (phase == "solid")
