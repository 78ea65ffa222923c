"""What a hook reads of the potential is LAMMPS's own of that very step, and what it adds is seen by all of LAMMPS."""

from __future__ import annotations

import numpy as np
import pytest

from hook_scripts import ENV, ION_PAIRS, al_start, thermo, write_ion_pairs
from lmp_runner import Lmp

# Sums over a few hundred atoms in another order: rounding of float64, relative to the largest term
ROUNDING = 1e-12

POTENTIAL = [f"f_p[{i}]" for i in range(1, 8)]
VIRIAL = "variable nktv2p equal 1.6021765e6\ncompute w all pressure NULL virial\n"


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
def test_energy_and_virial_are_lammps_own(lmp: Lmp, n_ranks: int) -> None:
    """EAM: compute pe and the virial of compute pressure, on every step."""
    pressures = [f"c_w[{i}]" for i in range(1, 7)]
    run = lmp(
        al_start()
        + VIRIAL
        + "fix p all python/hook lammps_hooks:Potential\nfix n all nve\n"
        + thermo("step", "pe", "vol", *pressures, *POTENTIAL)
        + "run 10\n",
        n_ranks=n_ranks,
        env=ENV,
    )
    table = run.thermo[0]
    np.testing.assert_allclose(table["f_p[1]"], table["PotEng"], rtol=ROUNDING)
    for i, name in enumerate(pressures):
        expected = table[name] * table["Volume"] / 1.6021765e6
        np.testing.assert_allclose(table[f"f_p[{i + 2}]"], expected, rtol=1e-6, atol=1e-9)  # nktv2p has 8 digits


@pytest.mark.parametrize("mc", ["", "fix mc all gcmc 2 0 5 1 4711 900 -1 0.2 full_energy\n"])
def test_at_the_end_of_steps_with_new_neighbor_lists(lmp: Lmp, mc: str) -> None:
    """A hook that measures in end_of_step alone is told the step's own, also where lists were built in it."""
    run = lmp(
        al_start()
        + VIRIAL
        + f"neigh_modify every 1 delay 0 check no\nfix p all python/hook lammps_hooks:PotentialAtTheEnd\n{mc}"
        + "fix n all nve\n"
        + thermo("step", "pe", "vol", "c_w[4]", *POTENTIAL)
        + "run 4\n",
        env=ENV,
    )
    table = {name: values[1:] for name, values in run.thermo[0].items()}
    np.testing.assert_allclose(table["f_p[1]"], table["PotEng"], rtol=ROUNDING)
    np.testing.assert_allclose(table["f_p[5]"], table["c_w[4]"] * table["Volume"] / 1.6021765e6, rtol=1e-6, atol=1e-9)


def test_bonds_kspace_and_tail_are_included(lmp: Lmp) -> None:
    write_ion_pairs(lmp.folder / "data")
    run = lmp(
        ION_PAIRS
        + "compute w all pressure NULL virial\nfix p all python/hook lammps_hooks:Potential\nfix n all nve\n"
        + thermo("step", "pe", "ebond", "elong", "etail", "vol", "c_w[1]", "c_w[2]", "c_w[3]", "c_w[6]", *POTENTIAL)
        + "run 5\n",
        env=ENV,
    )
    table = run.thermo[0]
    for part in ("E_bond", "E_long", "E_tail"):
        assert np.abs(table[part]).min() > 1e-3, f"{part} must matter for this test"
    np.testing.assert_allclose(table["f_p[1]"], table["PotEng"], rtol=ROUNDING)
    for hook, lammps in (("f_p[2]", "c_w[1]"), ("f_p[3]", "c_w[2]"), ("f_p[4]", "c_w[3]"), ("f_p[7]", "c_w[6]")):
        np.testing.assert_allclose(table[hook], table[lammps] * table["Volume"] / 68568.415, rtol=1e-6, atol=1e-6)


def test_fresh_on_steps_that_print_nothing(lmp: Lmp) -> None:
    """Without thermo, LAMMPS tallies nothing of its own accord: the hook must ask for each step."""
    script = al_start() + "fix p all python/hook lammps_hooks:Potential file {file}\nfix n all nve\nthermo {every}\n"
    lmp(script.format(file="each", every=1) + "run 20\nrun 3 pre no\n", env=ENV)
    lmp(script.format(file="few", every=100) + "run 20\nrun 3 pre no\n", env=ENV)
    each, few = np.loadtxt(lmp.folder / "each"), np.loadtxt(lmp.folder / "few")
    assert len(each) == 23
    assert len(set(each[:, 1])) == 23
    np.testing.assert_array_equal(few, each)


def test_energy_and_virial_enter_lammps_where_asked(lmp: Lmp) -> None:
    """fix_modify energy and virial: pe and pressure hold the hook's share, and nothing of it without."""
    tether = "fix t all python/hook lammps_hooks:Tether k 0.3 z0 4.0\n"
    columns = thermo("step", "pe", "press", "vol", "f_t")
    plain = lmp(al_start() + tether + columns + "run 0\n", env=ENV).thermo[0]
    with_both = lmp(al_start() + tether + "fix_modify t energy yes virial yes\n" + columns + "run 0\n", env=ENV).thermo[
        0
    ]
    dump = "dump d all custom 1 dump id x y z fx fy fz\ndump_modify d format float %20.15g\n"
    atoms = lmp(al_start() + "run 0\n" + dump + "run 0\n").dump("dump")[-1]
    energy = 0.15 * float(((atoms["z"] - 4.0) ** 2).sum())
    virial = -0.3 * float(((atoms["z"] - 4.0) * atoms["z"]).sum())
    assert plain["f_t"][0] == pytest.approx(energy, rel=1e-10)  # dump has 15 digits
    assert with_both["PotEng"][0] - plain["PotEng"][0] == pytest.approx(energy, rel=1e-10)
    shift = with_both["Press"][0] - plain["Press"][0]
    assert shift == pytest.approx(virial / (3 * plain["Volume"][0]) * 1.6021765e6, rel=1e-7)


@pytest.mark.parametrize("first", ["hook", "barostat"])
def test_barostat_sees_the_virial_from_the_first_step(lmp: Lmp, first: str) -> None:
    """E = P V as a hook, at external pressure 0, is fix nph at external pressure P: also when defined later."""
    nph = "fix b all nph iso {p} {p} 0.3 pchain 0\n"
    columns = thermo("step", "vol", "pe")
    hook = "fix h all python/hook lammps_hooks:Pressure pressure 20000\nfix_modify h energy yes virial yes\n"
    both = hook + nph.format(p=0) if first == "hook" else nph.format(p=0) + hook
    by_hook = lmp(al_start() + both + columns + "run 60\n", env=ENV).thermo[0]["Volume"]
    by_barostat = lmp(al_start() + nph.format(p=20000) + columns + "run 60\n").thermo[0]["Volume"]
    assert abs(by_barostat[-1] / by_barostat[0] - 1) > 0.01, "the volume must move for this test"
    np.testing.assert_allclose(by_hook, by_barostat, rtol=1e-9)  # rounding, grown over 60 steps


def test_minimize_sees_the_energy(lmp: Lmp) -> None:
    """One atom on a spring: the minimum is known, and so is its energy."""
    run = lmp(
        """units metal
region box block 0 10 0 10 0 10
create_box 1 box
create_atoms 1 single 5 5 8
mass 1 27
pair_style zero 4.0
pair_coeff * *
fix t all python/hook lammps_hooks:Tether k 0.5 z0 3.0
fix_modify t energy yes virial yes
compute z all reduce sum z
"""
        + thermo("step", "pe", "c_z")
        + "minimize 1e-14 1e-14 100 1000\n",
        env=ENV,
    )
    assert run.thermo[0]["PotEng"][0] == pytest.approx(0.25 * 25, rel=1e-14)
    assert run.last("PotEng") == pytest.approx(0.0, abs=1e-12)
    assert run.last("c_z") == pytest.approx(3.0, abs=1e-6)


@pytest.mark.parametrize("n_ranks", [1, pytest.param(4, marks=pytest.mark.mpi)])
@pytest.mark.parametrize("hook_is_first", [True, False])
def test_scaling_leaves_other_fixes_forces_alone(lmp: Lmp, n_ranks: int, hook_is_first: bool) -> None:
    """Scaling by 0 leaves just the force of fix addforce, in either order of the fixes; ghosts' share is scaled too."""
    fixes = ["fix s all python/hook lammps_hooks:Scale factor 0.0\n", "fix a all addforce 0.1 0.2 0.3\n"]
    run = lmp(
        al_start()
        + "".join(fixes if hook_is_first else reversed(fixes))
        + "dump d all custom 1 dump id x y z fx fy fz\ndump_modify d format float %20.15g\nrun 0\n",
        n_ranks=n_ranks,
        env=ENV,
    )
    # 1e-15: EAM forces are multiplied by an exact zero, the added ones are exact too
    np.testing.assert_allclose(run.dump("dump")[0].forces - [0.1, 0.2, 0.3], 0, atol=1e-15)


def test_scaled_potential_conserves_energy(lmp: Lmp) -> None:
    """Energy and forces times 1.7 are a potential: velocity Verlet's error falls with the step squared."""
    error = {}
    for dt, steps in ((0.001, 200), (0.0005, 400)):
        run = lmp(
            al_start()
            + "fix s all python/hook lammps_hooks:Scale factor 1.7\nfix_modify s energy yes\n"
            + f"fix n all nve\ntimestep {dt}\n"
            + thermo("step", "etotal", "ke")
            + f"run {steps}\n",
            env=ENV,
        )
        assert np.ptp(run.thermo[0]["KinEng"]) > 1.0
        error[dt] = np.ptp(run.thermo[0]["TotEng"])
    # 4 in the limit of small steps; forces that are no gradient of the energy leave about 1
    assert 3 < error[0.001] / error[0.0005] < 5


def test_later_hooks_see_the_potential_of_earlier_ones(lmp: Lmp) -> None:
    script = (
        al_start()
        + "fix t all python/hook lammps_hooks:Tether k 0.3 z0 4.0\n"
        + "fix p all python/hook lammps_hooks:Potential\n"
        + thermo("step", "pe", "f_t", "f_p[1]", "f_t[1]")
        + "run 0\n"
    )
    table = lmp(script, env=ENV).thermo[0]
    assert table["f_t"][0] > 0.1
    assert table["f_p[1]"][0] == pytest.approx(table["PotEng"][0] + table["f_t"][0], rel=ROUNDING)
    assert table["f_t[1]"][0] == pytest.approx(table["PotEng"][0], rel=ROUNDING), (
        "the earlier one does not see the later"
    )


def test_tether_forces_are_those_of_fix_spring_self(lmp: Lmp) -> None:
    """The same spring by a fix of LAMMPS: the trajectory agrees, so views of x and f are LAMMPS's own memory."""
    columns = thermo("step", "pe", "ke")
    hook = al_start() + "fix t all python/hook lammps_hooks:Tether k 0.3 z0 4.0\nfix n all nve\n" + columns
    spring = al_start() + "variable f atom -0.3*(z-4.0)\nfix t all addforce 0 0 v_f\nfix n all nve\n" + columns
    by_hook = lmp(hook + "run 50\n", env=ENV).thermo[0]
    by_lammps = lmp(spring + "run 50\n").thermo[0]
    assert np.ptp(by_lammps["KinEng"]) > 0.5
    np.testing.assert_allclose(by_hook["KinEng"], by_lammps["KinEng"], rtol=1e-9)  # rounding, grown over 50 steps
