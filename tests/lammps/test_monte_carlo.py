"""LAMMPS's Monte Carlo fixes on the pair style: trial states have the right energy, and statistics come out right."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ensembles import one_element_ensemble
from lmp_runner import THERMO_FORMAT, Lmp
from lmp_single_point import header
from lmp_systems import fcc, random_hcno
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel

HARTREE = 27.211386245988  # eV
BOLTZMANN, PLANCK, EV_OF_KINETIC = 8.617343e-5, 4.135667403e-3, 1.0364269e-4  # as LAMMPS has them, units metal


def write_model(path: Path, self_energy: float, *, interacts: bool = True) -> Path:
    """Write an ensemble for Al with this self-energy (eV), and with energies or without any."""
    model = one_element_ensemble("Al", 2, self_energy=self_energy / HARTREE)
    if not interacts:
        for parameter in model.parameters():
            torch.nn.init.zeros_(parameter)
    export_ensemble(model, path, dtype=torch.float32)
    return path


def test_self_energies_shift_the_chemical_potential_and_nothing_else(lmp: Lmp) -> None:
    """Deletions left the self-energy behind: of models that differ in it alone one emptied the box, others did not."""
    counts = []
    for shift in (0.0, -3.0, 3.0):
        path = write_model(lmp.folder / f"{shift}.pt", shift)
        run = lmp(
            f"""
units metal
lattice fcc 4.2
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
mass 1 26.982
displace_atoms all random 0.1 0.1 0.1 4711
pair_style nnp {path} precision double
pair_coeff * * Al
fix mc all gcmc 1 10 0 1 4711 5000.0 {-2.0 + shift} 0.0 full_energy overlap_cutoff 1.2
thermo 1
thermo_style custom step atoms f_mc[3] f_mc[4] f_mc[5] f_mc[6]
{THERMO_FORMAT}
run 10
"""
        )
        counts.append(np.column_stack([run.thermo[0][f"f_mc[{k}]"] for k in (3, 4, 5, 6)]))
        assert counts[-1][-1, 1] > 0
        assert 0 < counts[-1][-1, 3] < counts[-1][-1, 2]
    np.testing.assert_array_equal(counts[1], counts[0])
    np.testing.assert_array_equal(counts[2], counts[0])


def test_number_of_atoms_of_an_ideal_gas(lmp: Lmp) -> None:
    """<N> = V exp(beta (mu - s)) / Lambda^3, s the self-energy: atoms come and go by detailed balance."""
    volume, temperature, expected, s, n_steps, per_step = 8000.0, 1000.0, 8.0, -3.0, 400, 25
    kT = BOLTZMANN * temperature
    wavelength = math.sqrt(PLANCK**2 / (2 * math.pi * 26.982 * EV_OF_KINETIC * kT))
    mu = s + kT * math.log(expected * wavelength**3 / volume)
    path = write_model(lmp.folder / "gas.pt", s, interacts=False)
    run = lmp(
        f"""
units metal
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 random 8 4711 box overlap 0.5
mass 1 26.982
pair_style nnp {path}
pair_coeff * * Al
fix mc all gcmc 1 {per_step} 0 1 4711 {temperature} {mu:.15g} 0.0 full_energy
thermo 1
thermo_style custom step atoms pe
{THERMO_FORMAT}
run {n_steps}
"""
    )
    table = run.thermo[0]
    np.testing.assert_allclose(table["PotEng"], s * table["Atoms"], rtol=1e-6)
    counts = table["Atoms"][21:]
    blocks = counts.reshape(20, -1).mean(1)
    error = blocks.std(ddof=1) / math.sqrt(len(blocks))
    assert error < 0.08 * expected  # or the next line says nothing
    assert abs(counts.mean() - expected) < 4 * error
    assert abs(counts.var() / expected - 1) < 0.4  # Poisson


def test_trial_deletion_of_a_molecule(lmp: Lmp) -> None:
    """Two far dimers: to delete one costs its own energy, which intra_energy makes up for.

    LAMMPS's list keeps the pairs within a molecule that is tried, since its atoms lose their bit of group `all`.
    """
    path = write_model(lmp.folder / "al.pt", -3.0)
    (lmp.folder / "dimer.txt").write_text("dimer\n\n2 atoms\n\nCoords\n\n1 -1.4 0 0\n2 1.4 0 0\n\nTypes\n\n1 1\n2 1\n")
    start = """
units metal
atom_style molecular
atom_modify map yes
region box block 0 60 0 60 0 60
create_box 1 box
molecule dimer dimer.txt
create_atoms 0 single 10 10 10 mol dimer 1
"""
    style = f"mass 1 26.982\npair_style nnp {path} precision double\npair_coeff * * Al\nspecial_bonds lj/coul 1 1 1\n"
    one = lmp(start + style + f"thermo_style custom step pe\n{THERMO_FORMAT}\nrun 0\n").last("PotEng")
    assert abs(one) > 2.0
    move = f"""
create_atoms 0 single 40 40 40 mol dimer 2
{style}
group gas molecule 1 2
fix mc gas gcmc 1 6 0 0 4711 1000.0 {{}} 0.0 mol dimer full_energy intra_energy {one:.17g}
thermo_style custom step atoms f_mc[4] f_mc[5] f_mc[6]
{THERMO_FORMAT}
run 1
"""
    gone = lmp(start + move.format(-5.0))
    assert gone.last("f_mc[5]") > 0
    assert gone.last("Atoms") == 2


@pytest.mark.parametrize(
    ("fix", "yes"), [("widom 1 5 1 4711 2000.0", "widom"), ("gcmc 1 5 0 1 4711 2000.0 -1034 0", "gcmc")]
)
def test_insertions_with_large_self_energies(lmp: Lmp, al_model: ExportedModel, fix: str, yes: str) -> None:
    """exp(1034 eV / kT) is beyond a double: fix widom gave an average of nan, fix gcmc rejected every move."""
    system = fcc("Al", 4.6, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options="precision double {}")
    script += f"fix mc all {fix} full_energy\nthermo_style custom step f_mc[1] f_mc[2]\n{THERMO_FORMAT}\nrun 2\n"
    lmp.expect_error(
        script.replace("{}", ""), rf"self-energy of Al \(-1034\S* eV\) .* fix {yes} .*self_energies no", ranks=(1,)
    )
    if yes == "widom":
        run = lmp(script.replace("{}", "self_energies no"))
        assert np.isfinite(run.last("f_mc[1]"))
        assert run.last("f_mc[2]") > 0


@pytest.mark.mpi
def test_insertions_on_top_of_an_atom_are_rejected(lmp: Lmp, al_model: ExportedModel) -> None:
    """They are no error as in a run; and fix pair, which reads each trial state, has the frame's own values after."""
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    x, y, z = min(system.positions, key=lambda r: float(np.abs(r - 4.05).max()))
    script = f"""{header(al_model, system, options="precision double self_energies no")}
region spot sphere {x:.17g} {y:.17g} {z:.17g} 0.05
fix uq all pair 1 nnp uq_energy 1 uq_force 1
compute uq all pair nnp
compute worst all reduce max f_uq[1] f_uq[2]
fix w all widom 1 4 1 4711 2000.0 full_energy region spot
thermo 1
thermo_style custom step atoms pe c_uq[1] c_uq[4] c_worst[*] f_w[2]
{THERMO_FORMAT}
run 2
"""
    for n_ranks in (1, 2):
        table = lmp(script, n_ranks=n_ranks).thermo[0]
        np.testing.assert_array_equal(table["f_w[2]"], 0.0)
        np.testing.assert_array_equal(table["Atoms"], 32)
        np.testing.assert_allclose(table["PotEng"], table["PotEng"][0], rtol=1e-12)
        for one, two in (("c_uq[1]", "c_worst[1]"), ("c_uq[4]", "c_worst[2]")):
            assert np.isfinite(table[one]).all()
            np.testing.assert_allclose(table[one], table[two], rtol=1e-12)
    clash = header(al_model, system) + f"create_atoms 1 single {x + 0.03} {y} {z}\nrun 0\n"
    lmp.expect_error(clash, "Å apart, closer than 0.1 Å", ranks=(1,))


def test_hybrid_monte_carlo_with_an_uncertainty_is_refused(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system) + "fix n all nve\nfix h all hmc 2 4711 300\n"
    lmp(script + "run 2\n")
    lmp.expect_error(
        script + "compute uq all pair nnp\nrun 2\n", "compute pair would show .* fix hmc has rejected", ranks=(1,)
    )


@pytest.mark.parametrize(
    "swaps",
    [
        "compute v all voronoi/atom neighbors yes\nfix s all neighbor/swap 1 3 4711 30000 3 v diff 2",
        "fix s all atom/swap 1 3 4711 30000 semi-grand yes types 2 4 mu 0 0",
    ],
)
def test_values_after_swaps_are_those_of_the_state_at_hand(lmp: Lmp, hcno_model: ExportedModel, swaps: str) -> None:
    """A fresh evaluation of the last state gives what was printed for it after trial states."""
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    columns = "thermo_style custom step pe press c_uq c_uq[*] c_worst[*]"
    run = lmp(
        header(hcno_model, system, options="precision double self_energies no", before_box="atom_modify map yes")
        + f"""fix uq all pair 1 nnp uq_energy 1 uq_force 1
compute uq all pair nnp
compute worst all reduce max f_uq[1] f_uq[2]
{swaps}
fix n all nve
timestep 0.0001
thermo 1
{columns} f_s[2]
{THERMO_FORMAT}
run 4
unfix s
{columns}
{THERMO_FORMAT}
run 0
"""
    )
    assert run.thermo[0]["f_s[2]"][-1] > 0
    for name, values in run.thermo[1].items():
        np.testing.assert_allclose(run.thermo[0][name][-1], values[0], rtol=1e-9, err_msg=name)
