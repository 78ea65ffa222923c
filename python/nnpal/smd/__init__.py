"""Steered molecular dynamics: the hook for LAMMPS, and the analysis of its output."""

from nnpal.smd.free_energy import FreeEnergy, jarzynski, jarzynski_profile
from nnpal.smd.hook import SMD
from nnpal.smd.members import along_pulls, mean_activation_energy, own_pulls
from nnpal.smd.pull import Break, Pull, activation_energy, find_break, letting_go, running_mean
from nnpal.smd.reading import read_pull
from nnpal.smd.work import MeanWork, mean_work

__all__ = [
    "SMD",
    "Break",
    "FreeEnergy",
    "MeanWork",
    "Pull",
    "activation_energy",
    "along_pulls",
    "find_break",
    "jarzynski",
    "jarzynski_profile",
    "letting_go",
    "mean_activation_energy",
    "mean_work",
    "own_pulls",
    "read_pull",
    "running_mean",
]
