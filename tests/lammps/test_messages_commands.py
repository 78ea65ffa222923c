"""What LAMMPS's other commands do to a model whose messages pass over several hops."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import header
from lmp_systems import System, fcc
from message_modules import message_model
from message_reference import evaluate
from torchani_reference import ExportedModel

DOUBLE = 1e-11  # eV, eV/Å: see test_messages.py
BOLTZMANN, PLANCK, EV_OF_KINETIC = 8.617343e-5, 4.135667403e-3, 1.0364269e-4  # as LAMMPS has them, units metal

OBSERVE = f"""thermo 1000
thermo_style custom step pe c_uq[4] lx ly lz xy xz yz xlo ylo zlo
{THERMO_FORMAT}
"""

# Each ends with a table whose last row is of the positions and forces that are dumped then
STAGES = {
    "minimized": "min_style cg\nminimize 0 1e-4 5 20",
    "drifting": """velocity all create 900 4711 loop geom
velocity all set 20.0 30.0 40.0 sum yes units box
fix n all nve
timestep 0.002
run 15""",
    "triclinic": """unfix n
change_box all triclinic
fix n all npt temp 600 600 0.1 tri 20000 20000 0.2
run 10
unfix n""",
    "deformed": """fix n all nve
fix f all deform 1 xy erate 3.0 x erate -1.0 remap x
run 10
unfix f
run 0""",
    "small skin": "neighbor 0.3 bin\nrun 10\nrun 0\nrun 0",
    "replicated": "replicate 2 1 1\nrun 2",
    "deleted": "group gone id 5 9 40\ndelete_atoms group gone compress no\nrun 2\nrun 3 pre no",
    "restarted": f"write_restart file\nclear\nread_restart file\ncompute uq all pair nnp\n{OBSERVE}run 0",
    "moved boundaries": "fix n all nve\nfix b all balance 2 0.9 shift xyz 5 1.1\nrun 10",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    return message_model(tmp_path_factory.mktemp("models") / "al.nnp.pt")


def script_of(model: ExportedModel, lmp: Lmp, system: System, options: str = "precision double") -> str:
    system.write(lmp.folder / "data")
    return header(model, system, options=options, before_box="atom_modify map yes")


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_commands_one_after_another(lmp: Lmp, model: ExportedModel, n_ranks: int) -> None:
    """Minimization, changing boxes, other atoms, a restart: forces at the end of each stage are right."""
    text = script_of(model, lmp, fcc("Al", 4.05, 2)) + "compute uq all pair nnp\n" + OBSERVE
    for name, stage in STAGES.items():
        dump = f"write_dump all custom {name.replace(' ', '_')}.dump id type x y z fx fy fz"
        text += f'{stage}\nprint "end of {name}"\n{dump} modify sort id format float {FULL_DIGITS}\n'
    text += "thermo_style one\nuncompute uq\npair_style lj/cut 3.0\npair_coeff * * 0.1 2.5\nrun 0\n"
    run = lmp(text, n_ranks=n_ranks)
    parts = re.split(r"^end of .*$", run.text, flags=re.M)
    for name, part in zip(STAGES, parts, strict=False):
        row = {key: values[-1] for key, values in dataclasses.replace(run, text=part).thermo[-1].items()}
        frame = run.dump(f"{name.replace(' ', '_')}.dump")[0]
        cell = np.array([[row["Lx"], 0, 0], [row["Xy"], row["Ly"], 0], [row["Xz"], row["Yz"], row["Lz"]]])
        origin = np.array([row["Xlo"], row["Ylo"], row["Zlo"]])
        expected = evaluate(model, System(("Al",), frame["type"].astype(int), frame.positions, cell, True, origin))
        np.testing.assert_allclose(frame.forces, expected.forces, atol=DOUBLE, err_msg=name)
        np.testing.assert_allclose(row["PotEng"], expected.energy, atol=100 * DOUBLE, err_msg=name)
        np.testing.assert_allclose(row["c_uq[4]"], expected.summary[3], atol=DOUBLE, err_msg=name)
        assert np.abs(expected.forces).max() > 0.01
    assert len(frame["id"]) == 61
    # The other style has its own cutoff of 3 Å and the skin again
    cutoffs = [float(value) for value in re.findall(r"ghost atom cutoff = (\S+)", run.text)]
    assert cutoffs[-1] == pytest.approx(5.0 if n_ranks == 1 else 11.1)  # a restart file keeps the cutoff
    assert cutoffs[0] == pytest.approx(5.6 if n_ranks == 1 else 12.8)


def test_another_pair_style_gets_its_own_halo(lmp: Lmp, model: ExportedModel) -> None:
    """The communication cutoff is raised as long as the model needs it, and one that a user sets later stays."""
    script = script_of(model, lmp, fcc("Al", 4.05, 2))
    near = message_model(lmp.folder / "near.nnp.pt", cutoff=3.0, hops=2, n_members=1)
    lj = "pair_style lj/cut 3.0\npair_coeff * * 0.1 2.5\nrun 0\n"
    nnp = f"pair_style nnp {model.path} precision double\npair_coeff * * Al\n"
    both = (
        f"pair_style hybrid/overlay nnp {near.path} nnp {model.path}\n"
        "pair_coeff * * nnp 1 Al\npair_coeff * * nnp 2 Al\nrun 0\nrun 0\n"
    )
    stages = f"run 0\n{lj}{nnp}run 0\n{lj}{both}{lj}comm_modify cutoff 14.0\n{nnp}run 0\n{lj}"
    run = lmp(script + stages, n_ranks=2)
    cutoffs = [float(value) for value in re.findall(r"ghost atom cutoff = (\S+)", run.text)]
    np.testing.assert_allclose(cutoffs, [12.8, 5.0, 12.8, 5.0, 12.8, 5.0, 14.0, 14.0])


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_trial_states_of_monte_carlo_fixes(lmp: Lmp, model: ExportedModel, n_ranks: int) -> None:
    """An insertion at one spot has the energy that the whole graph gives; so has a deletion, by its acceptance."""
    system, spot = fcc("Al", 4.3, 2), np.array([2.1, 2.0, 2.2])
    inserted = dataclasses.replace(
        system, types=np.append(system.types, 1), positions=np.vstack([system.positions, spot])
    )
    rest = dataclasses.replace(system, types=system.types[1:], positions=system.positions[1:])
    energy, energy_inserted, energy_deleted = (evaluate(model, s).energy for s in (system, inserted, rest))
    inside = min(system.positions, key=lambda r: float(np.abs(r - 4.3).max()))
    start = script_of(model, lmp, system)
    widom = f"""
region spot sphere {{0[0]:.17g}} {{0[1]:.17g}} {{0[2]:.17g}} 1e-7
fix w all widom 1 2 1 4711 2000.0 full_energy region spot
thermo_style custom step atoms pe f_w[2]
{THERMO_FORMAT}
run 1
clear
"""
    # At 100 K and 0.1 eV from the chemical potential at which exp(...) is 1, a deletion is certain or impossible
    kT = BOLTZMANN * 100.0
    wavelength = math.sqrt(PLANCK**2 / (2 * math.pi * 26.982 * EV_OF_KINETIC * kT))
    mu = energy - energy_deleted + kT * math.log(wavelength**3 / np.linalg.det(system.cell))
    gcmc = f"""
group gas id 1
fix mc gas gcmc 1 6 0 1 4711 100.0 {{:.10g}} 0.0 full_energy max 1
thermo_style custom step atoms pe f_mc[5] f_mc[6]
{THERMO_FORMAT}
run 1
clear
"""
    text = start + widom.format(spot) + start + widom.format(inside + 0.02)
    if n_ranks == 1:
        text += start + gcmc.format(mu - 0.1) + start + gcmc.format(mu + 0.1)
    there, on_top, *exchanges = lmp(text, n_ranks=n_ranks).thermo
    boltzmann_factor = math.exp(-(energy_inserted - energy) / (BOLTZMANN * 2000.0))
    # The sphere's 1e-7 Å times forces of 0.1 eV/Å, over kT
    np.testing.assert_allclose(there["f_w[2]"][-1], boltzmann_factor, rtol=1e-6)
    assert on_top["f_w[2]"][-1] == 0.0
    for table in (there, on_top):
        np.testing.assert_allclose(table["PotEng"], energy, atol=100 * DOUBLE)
    if exchanges:
        deletes, keeps = exchanges
        assert deletes["f_mc[5]"][-1] > 0 < keeps["f_mc[5]"][-1]
        assert deletes["f_mc[6]"][-1] > 0 == keeps["f_mc[6]"][-1]
        np.testing.assert_allclose(keeps["PotEng"][-1], energy, atol=100 * DOUBLE)


def test_second_derivatives_by_dynamical_matrix(lmp: Lmp, model: ExportedModel) -> None:
    """Each displaced state follows the list of the first one."""
    system, step = fcc("Al", 4.05, 2), 1e-3

    def forces(by: float) -> np.ndarray:
        positions = system.positions.copy()
        positions[0, 1] += by
        return evaluate(model, dataclasses.replace(system, positions=positions)).forces

    lmp(script_of(model, lmp, system) + f"dynamical_matrix all regular {step} file matrix\n")
    row = np.loadtxt(lmp.folder / "matrix").reshape(96, 32, 3)[1] * 26.982
    # 7 digits of text and of LAMMPS's constants
    np.testing.assert_allclose(row, (forces(-step) - forces(step)) / (2 * step), atol=1e-4)


def test_atoms_without_ids(lmp: Lmp, model: ExportedModel) -> None:
    """Images cannot be told then, so that a halo takes their place."""
    system = fcc("Al", 4.05, 2)
    atoms = "".join("create_atoms 1 single {:.17g} {:.17g} {:.17g}\n".format(*(r % 8.1)) for r in system.positions)
    run = lmp(
        f"""
units metal
atom_modify id no
region box block 0 8.1 0 8.1 0 8.1
create_box 1 box
{atoms}mass 1 26.982
pair_style nnp {model.path} precision double
pair_coeff * * Al
compute uq all pair nnp
thermo_style custom step pe fnorm c_uq[1] c_uq[4]
{THERMO_FORMAT}
run 0
"""
    )
    expected = evaluate(model, system)
    assert "ghost atom cutoff = 12.8" in run.text
    np.testing.assert_allclose(run.last("PotEng"), expected.energy, atol=100 * DOUBLE)
    np.testing.assert_allclose(run.last("Fnorm"), np.linalg.norm(expected.forces), atol=100 * DOUBLE)
    np.testing.assert_allclose(run.last("c_uq[1]"), expected.summary[0], atol=DOUBLE)
    np.testing.assert_allclose(run.last("c_uq[4]"), expected.summary[3], atol=DOUBLE)
