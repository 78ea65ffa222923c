"""Runs: energy conservation, barostats, minimization, restart files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import MEASURE, header
from lmp_systems import System, fcc, random_hcno, tilted
from torchani_reference import ExportedModel

N_STEPS = 100


def al_with_zbl(lmp: Lmp, model: ExportedModel, precision: str = "double") -> str:
    """Al with ZBL repulsion under the test model, so that random weights cannot collapse it."""
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    return f"""units metal
read_data data
pair_style hybrid/overlay nnp {model.path} precision {precision} zbl 2.0 2.5
pair_coeff * * nnp Al
pair_coeff 1 1 zbl 13 13
velocity all create 600.0 4711
timestep 0.001
"""


def nve(lmp: Lmp, model: ExportedModel, precision: str, timestep: float) -> np.ndarray:
    """Return the total energy at every step, in eV, of N_STEPS fs at 300 K."""
    run = lmp(
        al_with_zbl(lmp, model, precision)
        + f"""fix n all nve
thermo 1
thermo_style custom step etotal temp
{THERMO_FORMAT}
timestep {timestep}
run {round(N_STEPS * 0.001 / timestep)} post no
"""
    )
    energies: np.ndarray = run.thermo[0]["TotEng"]
    return energies


@pytest.mark.parametrize("precision", ["double", "single"])
def test_nve_conserves_energy(lmp: Lmp, al_model: ExportedModel, precision: str) -> None:
    """The error of velocity Verlet is of second order in the timestep; rounding adds a walk."""
    coarse, fine = (nve(lmp, al_model, precision, dt) for dt in (0.001, 0.0005))
    coarse_error = np.abs(coarse - coarse[0]).max()
    fine_error = np.abs(fine - fine[0]).max()
    # A force rounded by d = 5e-5 eV/Å (float32) does the random work d v dt sqrt(3 N n) on N atoms
    # in n steps: 5e-5 * 4 Å/ps * 1e-3 ps * sqrt(96 * 200) = 3e-5 eV.
    rounding = {"double": 1e-9, "single": 1e-4}[precision]
    assert fine_error < 0.3 * coarse_error + rounding
    # 32 atoms at 300 K hold 1.2 eV of kinetic energy: a wrong force loses a good part of it.
    assert coarse_error < 1e-2


@pytest.mark.parametrize(
    "barostat",
    ["aniso 0.0 0.0 0.1", "tri 0.0 0.0 0.1"],
    ids=["orthogonal", "triclinic"],
)
def test_npt_keeps_its_conserved_quantity(lmp: Lmp, al_model: ExportedModel, barostat: str) -> None:
    """A virial that is not the strain derivative of the energy breaks the barostat's balance."""
    triclinic = "change_box all triclinic\n" if "tri" in barostat else ""
    drifts = {}
    for timestep in (0.001, 0.0005):
        run = lmp(
            al_with_zbl(lmp, al_model)
            + triclinic
            + f"""fix b all nph {barostat} pchain 0
thermo 1
thermo_style custom step econserve vol ke
{THERMO_FORMAT}
timestep {timestep}
run {round(N_STEPS * 0.001 / timestep)} post no
"""
        )
        conserved, volume = run.thermo[0]["Econserve"], run.thermo[0]["Volume"]
        assert abs(volume[-1] / volume[0] - 1) > 1e-4, "the barostat did nothing"
        drifts[timestep] = abs(conserved - conserved[0]).max()
        exchanged = np.ptp(run.thermo[0]["KinEng"])
    # second order in the timestep, as in test_nve_conserves_energy
    assert drifts[0.0005] < 0.35 * drifts[0.001] + 1e-6
    assert drifts[0.0005] < 0.05 * exchanged, "the energy that the conserved quantity has to balance"


def test_minimize_ends_with_small_forces(lmp: Lmp, al_model: ExportedModel) -> None:
    run = lmp(
        al_with_zbl(lmp, al_model)
        + f"""thermo_style custom step pe fmax
{THERMO_FORMAT}
min_style cg
minimize 0.0 1.0e-4 200 2000
"""
    )
    table = run.thermo[0]
    assert table["PotEng"][-1] < table["PotEng"][0]
    assert table["Fmax"][-1] < 0.1 * table["Fmax"][0]
    assert "Stopping criterion = linesearch" not in run.text


def hcno_box() -> System:
    return tilted(random_hcno(24, 0.06, periodic=True), 1.0, -0.5, 0.7)


def test_restart_continues_the_same_trajectory(lmp: Lmp, hcno_model: ExportedModel) -> None:
    """Without giving pair_style or pair_coeff again: the file holds both."""
    system = hcno_box()
    system.write(lmp.folder / "data")
    tail = f"""
fix n all nve
timestep 0.0002
thermo_style custom step pe press
{THERMO_FORMAT}
dump d all custom 20 out.dump id x y z vx vy vz fx fy fz
dump_modify d sort id format float {FULL_DIGITS}
"""
    start = header(hcno_model, system, options="precision double members 2")
    first = lmp(start + "velocity all create 300.0 1\nrun 0\n" + tail + "run 40\n")
    straight = first.dump("out.dump")[-1]
    lmp(start + "velocity all create 300.0 1\nrun 0\n" + tail + "run 20\nwrite_restart half.restart\n")
    second = lmp("read_restart half.restart\n" + tail + "run 20\n")
    assert "2 of 3 members" in second.text
    assert "double precision" in second.text
    continued = second.dump("out.dump")[-1]
    assert (straight.step, continued.step) == (40, 40)
    # read_restart sorts atoms anew, so sums run in another order: 1e-15, grown little in 20 steps.
    for name in ("x", "y", "z", "vx", "vy", "vz", "fx", "fy", "fz"):
        np.testing.assert_allclose(continued[name], straight[name], atol=1e-9)


def test_restart_of_a_model_that_moved(lmp: Lmp, al_model: ExportedModel) -> None:
    """A missing file is only an error if pair_style is not given again."""
    copy = lmp.folder / "copy.pt"
    copy.write_bytes(al_model.path.read_bytes())
    moved = dataclasses.replace(al_model, path=copy)
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    first = lmp(header(moved, system) + "run 0\nwrite_restart now.restart\n")
    copy.unlink()
    lmp.expect_error("read_restart now.restart\nrun 0\n", r"pair_style nnp: model .*copy\.pt.*pair_style")
    again = lmp(
        f"""read_restart now.restart
pair_style nnp {al_model.path} precision double
pair_coeff * * Al
run 0
"""
    )
    assert again.returncode == first.returncode
    copy.write_bytes(al_model.path.read_bytes())
    assert "WARNING: pair_style nnp" not in lmp("read_restart now.restart\nrun 0\n").text


def test_restart_with_another_file_of_the_same_name_warns(
    lmp: Lmp, al_model: ExportedModel, al_other_model: ExportedModel
) -> None:
    copy = lmp.folder / "copy.pt"
    copy.write_bytes(al_model.path.read_bytes())
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    lmp(header(dataclasses.replace(al_model, path=copy), system) + "run 0\nwrite_restart now.restart\n")
    copy.write_bytes(al_other_model.path.read_bytes())
    run = lmp("read_restart now.restart\nrun 0\n")
    assert "is not the file that the restart file was written with" in run.text


def test_neighbor_settings_do_not_matter(lmp: Lmp, al_model: ExportedModel) -> None:
    """Skin, delays and sorting choose when lists are built, never what the pairs are."""
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    frames = []
    for settings in (
        "neighbor 2.0 bin\nneigh_modify every 1 delay 0 check yes",
        "neighbor 0.3 bin\nneigh_modify every 1 delay 0 check no",
        "neighbor 1.0 nsq\nneigh_modify every 2 delay 4 check yes\natom_modify sort 3 2.0",
    ):
        script = header(al_model, system) + settings + "\nvelocity all create 300.0 4711\n"
        run = lmp(script + MEASURE + "fix n all nve\nrun 30 post no\n")
        frames.append(run.dump("all.dump")[-1])
    for frame in frames[1:]:
        assert frame.step == 30
        for name in ("fx", "fy", "fz", "c_e", "f_uq[1]", "f_uq[2]"):
            np.testing.assert_allclose(frame[name], frames[0][name], atol=1e-8, err_msg=name)
        shift = (frame["x"] - frames[0]["x"]) / system.cell[0, 0]  # atoms are wrapped when lists are built
        np.testing.assert_allclose(shift, np.round(shift), atol=1e-9)


def test_run_0_twice_gives_the_same(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    run = lmp(header(al_model, system) + MEASURE + "run 0\nrun 0\n")
    one, two = run.thermo
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
