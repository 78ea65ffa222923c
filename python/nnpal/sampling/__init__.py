"""Sample and label configurations with an embedded-atom potential, through LAMMPS."""

from nnpal.sampling.eam import eam_potential, label
from nnpal.sampling.order import fcc_order
from nnpal.sampling.trajectories import Schedule, sample_cluster, sample_crystal, sample_liquid

__all__ = [
    "Schedule",
    "eam_potential",
    "fcc_order",
    "label",
    "sample_cluster",
    "sample_crystal",
    "sample_liquid",
]
