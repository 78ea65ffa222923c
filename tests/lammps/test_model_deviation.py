"""The columns of DP-GEN's model_devi.out from a LAMMPS run, against those of its dump."""

from __future__ import annotations

import numpy as np
import torch

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import header
from lmp_systems import fcc
from nnpal.data import Units, read_frames
from nnpal.data.trajectory import steps_of
from nnpal.evaluation import predict
from nnpal.evaluation.model_deviation import model_deviation
from torchani_reference import ExportedModel


def test_a_run_and_its_dump(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    run = lmp(
        header(al_model, system)
        + f"""velocity all create 1500.0 4711
timestep 0.002
fix n all nve
fix f all pair 5 nnp uq_force 1
compute max all reduce max f_f
compute min all reduce min f_f
compute avg all reduce ave f_f
compute c all pair nnp
fix devi all ave/time 5 1 5 c_max c_min c_avg file devi_f.txt format " {FULL_DIGITS}"
dump d all custom 5 traj.lammpstrj id type x y z
dump_modify d units yes format float {FULL_DIGITS}
thermo 5
thermo_style custom step c_c[3] c_c[4]
{THERMO_FORMAT}
run 10 post no
"""
    )
    path = lmp.folder / "traj.lammpstrj"
    frames = read_frames(path, units=Units.lammps("metal"), symbols=["Al"], labeled=False)
    assert steps_of(path, frames) == [0, 5, 10]
    expected = model_deviation(predict(al_model.path, frames, dtype=torch.float64))
    written = np.loadtxt(lmp.folder / "devi_f.txt")
    assert written[:, 0].tolist() == [0, 5, 10]
    # float64 sums in another order, as in test_uncertainty
    np.testing.assert_allclose(written[:, 1:], expected[:, 3:6], atol=1e-8)
    assert np.ptp(expected[:, 3]) > 1e-4
    (table,) = run.thermo
    np.testing.assert_allclose(table["c_c[4]"], expected[:, 3], atol=1e-8)
    np.testing.assert_allclose(table["c_c[3]"] / np.sqrt(len(frames[0])), expected[:, 6], atol=1e-8)
