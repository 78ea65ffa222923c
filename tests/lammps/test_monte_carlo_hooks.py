"""Monte Carlo fixes over hooks: every trial state has the hook's energy, and no clock advances on it.

Acceptance is compared with that of LAMMPS's own fixes of the same energy and seed, move by move.
"""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from hook_scripts import ENV, thermo
from lmp_runner import FULL_DIGITS, Lmp
from momt_biases import BOLTZ, frozen, write_function
from nnpal.momt import read_trace
from nnpal.momt.grid import Axis

ALLOY = """units metal
atom_modify map array
lattice fcc {a}
region box block 0 2 0 2 0 2
create_box 2 box
create_atoms 1 box
mass 1 26.982
mass 2 58.693
set group all type/fraction 2 0.5 4711
displace_atoms all random 0.1 0.1 0.1 4711 units box
pair_style lj/smooth/linear 6.0
pair_coeff 1 1 {epsilon} 2.6
pair_coeff 1 2 {cross} 2.6
pair_coeff 2 2 {epsilon} 2.6
velocity all create 300 4711 loop geom
timestep 0.001
"""
SWAPS = "fix mc all atom/swap 1 10 4711 400 ke no types 1 2\n"
# EMT's elements; the calculator is the whole potential
CU_AU = """units metal
lattice fcc 5.0
region box block 0 2 0 2 0 2
create_box 2 box
create_atoms 1 box
mass 1 63.546
mass 2 196.966570
set group all type/fraction 2 0.5 4711
displace_atoms all random 0.1 0.1 0.1 4711 units box
pair_style zero 5.0
pair_coeff * *
"""
EMT_FORCES = (
    "fix orac all python/hook nnpal.oracle:CalculatorForces calculator ase.calculators.emt:EMT\n"
    "fix_modify orac energy yes\n"
)
MC_OUT = ("step", "atoms", "pe", *(f"f_mc[{i}]" for i in (1, 2)))
GCMC_OUT = ("step", "atoms", "pe", *(f"f_mc[{i}]" for i in range(1, 7)))
SAME_NUMBERS = {"rtol": 1e-9, "atol": 1e-9}  # sums in another order, over some tens of steps


def alloy(epsilon: float = 0.3, cross: float = 0.25, a: float = 4.05) -> str:
    return ALLOY.format(epsilon=epsilon, cross=cross, a=a)


def assert_same_moves(one: dict[str, np.ndarray], other: dict[str, np.ndarray], columns: tuple[str, ...]) -> None:
    names = {"step": "Step", "atoms": "Atoms", "pe": "PotEng"}
    for name in (names.get(column, column) for column in columns):
        np.testing.assert_allclose(one[name], other[name], **SAME_NUMBERS)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_swaps_are_accepted_as_with_fix_addforce(lmp: Lmp, n_ranks: int) -> None:
    end = f"fix_modify e energy yes\n{SWAPS}fix n all nve\n{thermo(*MC_OUT)}run 10\n"
    own = "variable e atom type*x*0.05\nvariable f atom -type*0.05\nfix e all addforce v_f 0 0 energy v_e\n"
    hooks = [f"fix e all python/hook monte_carlo_hooks:{hook} slope 0.05\n" for hook in ("TypeField", "LateTypeField")]
    run = lmp("clear\n".join(alloy() + field + end for field in (own, *hooks)), n_ranks=n_ranks, env=ENV)
    expected, *found = run.thermo
    assert 5 < expected["f_mc[2]"][-1] < 95, "both outcomes must occur for this test"
    assert len(found) == 2
    for mine in found:
        assert_same_moves(mine, expected, MC_OUT)


def test_a_trial_state_has_its_own_potential_energy(lmp: Lmp) -> None:
    """Half of a potential by a hook, against the potential with half the well depths; a bias after it sees the half."""
    end = f"{SWAPS}fix n all nve\n{thermo(*MC_OUT)}run 10\n"
    own = lmp(alloy(epsilon=0.15, cross=0.05) + end)
    mine = lmp(
        alloy(epsilon=0.3, cross=0.1)
        + "fix h all python/hook monte_carlo_hooks:Halved\nfix_modify h energy yes\n"
        + end,
        env=ENV,
    )
    assert 5 < own.last("f_mc[2]") < 95, "both outcomes must occur for this test"
    assert_same_moves(mine.thermo[0], own.thermo[0], MC_OUT)
    quarter = lmp(
        alloy(epsilon=0.6, cross=0.2)
        + "".join(f"fix {h} all python/hook monte_carlo_hooks:Halved\nfix_modify {h} energy yes\n" for h in "hi")
        + end,
        env=ENV,
    )
    assert_same_moves(quarter.thermo[0], own.thermo[0], MC_OUT)


@pytest.mark.mpi
@pytest.mark.parametrize(("n_ranks", "n_steps"), [(1, 10), (2, 4)])
def test_energy_of_an_atom_shifts_the_chemical_potential(lmp: Lmp, n_ranks: int, n_steps: int) -> None:
    """Insertions and deletions: e for each atom with mu + e is no hook with mu; a deleted atom does not count."""
    gcmc = "fix mc all gcmc 1 20 10 1 4711 6000 {mu} 0.4 full_energy overlap_cutoff 1.5\n"
    end = f"{thermo(*GCMC_OUT)}run {n_steps}\n"
    own = lmp(alloy(a=5.0) + gcmc.format(mu=-8) + end, n_ranks=n_ranks)
    tries = [own.last(f"f_mc[{i}]") for i in range(3, 7)]
    assert 0 < tries[1] < tries[0], "insertions must be accepted and refused for this test"
    assert 0 < tries[3] < tries[2], "and deletions"
    mine = lmp(
        alloy(a=5.0)
        + "fix h all python/hook monte_carlo_hooks:PerAtom e 2.5\nfix_modify h energy yes\n"
        + gcmc.format(mu=-5.5)
        + thermo("step", "atoms", *(f"f_mc[{i}]" for i in range(1, 7)))
        + f"run {n_steps}\n",
        n_ranks=n_ranks,
        env=ENV,
    )
    assert_same_moves(mine.thermo[0], own.thermo[0], tuple(c for c in GCMC_OUT if c != "pe"))


def test_widom_insertion_finds_the_energy_of_an_atom(lmp: Lmp) -> None:
    """In a gas without interactions the excess chemical potential is the hook's energy of an atom."""
    run = lmp(
        alloy(epsilon=0.0, cross=0.0)
        + "fix h all python/hook monte_carlo_hooks:PerAtom e 0.125\nfix_modify h energy yes\n"
        + f"fix w all widom 1 5 1 4711 1000 full_energy\n{thermo('step', 'f_w[1]')}run 2\n",
        env=ENV,
    )
    np.testing.assert_allclose(run.thermo[0]["f_w[1]"][1:], 0.125, rtol=1e-9)


IONS = """units real
atom_style charge
region box block 0 20 0 20 0 20
create_box 2 box
create_atoms 1 random 6 4711 box overlap 2
create_atoms 2 random 6 11 box overlap 2
mass * 20
set type 1 charge 1
set type 2 charge -1
pair_style lj/cut 5.0
pair_coeff * * 0.1 2.0
"""


@pytest.mark.parametrize(
    "mc",
    [
        "atom/swap 2 3 4711 400 ke no types 1 2",
        "gcmc 2 3 3 1 4711 400 -2 0.2 full_energy",
        "widom 2 3 1 4711 400 full_energy",
        "neighbor/swap 2 3 4711 400 3.0 v diff 1",
        "charge/regulation 1 2 pIp 2 pIm 2 nevery 2 nmc 3 pH 7 seed 4711",
    ],
)
def test_clocks_stand_still_in_trial_states(lmp: Lmp, mc: str) -> None:
    """Of 6 steps each is counted once, whichever way a Monte Carlo fix evaluates its trial states in between.

    Fix charge/regulation alone calls pre_reverse in its trial states.
    """
    head = IONS if "charge" in mc else alloy()
    silent = "fix silent all python/hook monte_carlo_hooks:Clock\n"  # its energy counts in no move: a warning
    if "neighbor" in mc:
        head += "compute v all voronoi/atom neighbors yes\n"
    run = lmp(
        f"{head}{silent}fix c all python/hook monte_carlo_hooks:Clock\nfix_modify c energy yes\nfix mc all {mc}\n"
        f"fix n all nve\ntimestep 1e-4\n{thermo('step', 'f_c[1]', 'f_c[2]', 'f_c[3]')}run 6\nrun 2\n",
        env=ENV,
    )
    assert f"fix mc ({mc.split()[0]}) accepts moves without this hook's energy" in run.text
    assert "fix c (python/hook monte_carlo_hooks:Clock): fix mc" not in run.text
    first, second = run.thermo
    np.testing.assert_array_equal(first["f_c[1]"], np.arange(7) + 1)
    np.testing.assert_array_equal(first["f_c[3]"], np.arange(7))
    assert first["f_c[2]"][-1] >= 4, "trial states must occur for this test"
    np.testing.assert_array_equal(second["f_c[1]"] - first["f_c[1]"][-1], [1, 2, 3])


@pytest.mark.mpi
@pytest.mark.parametrize(("n_ranks", "n_steps"), [(1, 100), (2, 20)])  # a move is slow where ranks share a core
def test_spring_holds_under_moves_and_its_clock_goes_by_steps(lmp: Lmp, n_ranks: int, n_steps: int) -> None:
    run = lmp(
        "units metal\nboundary f f f\nregion box block -20 20 -20 20 -20 20\ncreate_box 1 box\n"
        "create_atoms 1 single 0 0 0\ncreate_atoms 1 single 3 0 0\nmass 1 26.982\npair_style zero 5.0\n"
        "pair_coeff * *\ntimestep 0.001\n"
        "fix pull all python/hook nnpal.smd:SMD atoms 1 2 k 20 rate 1 start 3.0 file pull.txt every 1\n"
        "fix_modify pull energy yes\nfix mc all gcmc 1 0 20 1 4711 300.0 -1.0 0.5 full_energy\n"
        + thermo("step", "f_mc[1]", "f_mc[2]", "f_pull[1]", "f_pull[2]")
        + f"run {n_steps}\n",
        n_ranks=n_ranks,
    )
    table = run.thermo[0]
    np.testing.assert_allclose(table["f_pull[2]"], 3.0 + 0.001 * table["Step"], rtol=1e-12)
    assert 0.05 < run.last("f_mc[2]") / run.last("f_mc[1]") < 0.6
    stretch = (table["f_pull[1]"] - table["f_pull[2]"])[1:]
    spread = np.sqrt(BOLTZ * 300 / 20)  # 0.036 Å
    assert np.abs(stretch).max() < 5 * spread
    # 20 moves of two atoms leave some correlation: two rows count for one at least
    assert stretch.std() == pytest.approx(spread, rel=4 / np.sqrt(n_steps))
    steps = [int(line.split()[1]) for line in (lmp.folder / "pull.txt").read_text().splitlines() if line[0] != "#"]
    assert steps == list(range(n_steps + 1))


def test_frozen_bias_under_moves_samples_what_is_known(lmp: Lmp) -> None:
    """Two harmonic oscillators have a level density of states: with δH = αU, <U> is kT/(1 + α)."""
    temp, alpha, n_steps = 1000.0, 1.0, 1000
    axis = Axis("H", -1.0, 5.0, 60)
    write_function(lmp.folder / "bias.h5", (axis,), lambda u: alpha * u, temp=temp, press=0, n_cells=None)
    lmp(
        "units metal\nregion box block 0 20 0 20 0 20\ncreate_box 1 box\ncreate_atoms 1 single 5 5 10.2\n"
        "create_atoms 1 single 15 15 10.1\nmass 1 26.982\npair_style zero 5.0\npair_coeff * *\n"
        "fix tether all python/hook lammps_hooks:Tether k 1 z0 10\nfix_modify tether energy yes\n"
        + frozen((axis,), temp=temp, press=0, lattice=None).replace("sampled.h5", "sampled.h5 every 1")
        + f"fix mc all gcmc 1 0 10 1 4711 {temp} -1.0 0.7 full_energy\nrun {n_steps}\n",
        env=ENV,
    )
    trace = read_trace(lmp.folder / "sampled.trace")
    np.testing.assert_array_equal(trace.step, np.arange(1, n_steps + 1))
    blocks = trace.H.reshape(20, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(20)
    exact = BOLTZ * temp / (1 + alpha)
    assert error < 0.1 * exact
    assert abs(blocks.mean() - exact) < 4 * error


def test_oracle_of_the_atoms_at_hand(lmp: Lmp) -> None:
    """After insertions, deletions and moves the printed energy is the calculator's of the very atoms dumped."""
    run = lmp(
        CU_AU
        + EMT_FORCES
        + "fix mc all gcmc 1 10 10 1 4711 6000 -5 0.4 full_energy overlap_cutoff 1.5\n"
        + f"dump d all custom 1 d id type x y z\ndump_modify d format float {FULL_DIGITS}\n"
        + thermo(*GCMC_OUT, "f_orac[1]")
        + "run 6\n",
    )
    assert run.last("f_orac[1]") > 60, "nearly every one of 120 moves is a calculation"
    assert run.last("f_mc[4]") > 0, "atoms must be inserted for this test"
    assert run.last("f_mc[6]") > 0, "and deleted"
    for frame, energy in zip(run.dump("d"), run.thermo[0]["PotEng"], strict=True):
        atoms = Atoms(np.where(frame["type"] == 1, 29, 79), frame.positions, cell=3 * [10.0], pbc=True)
        atoms.calc = EMT()
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-8)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_excluded_atom_leaves_the_oracle(lmp: Lmp, n_ranks: int) -> None:
    run = lmp(
        f"{CU_AU}{EMT_FORCES}{thermo('step', 'pe')}group gone id 7 8\nneigh_modify exclude group gone all\nrun 0\n"
        "neigh_modify exclude none\ndelete_atoms group gone\nrun 0\n",
        n_ranks=n_ranks,
    )
    excluded, deleted = (table["PotEng"][0] for table in run.thermo)
    assert excluded == pytest.approx(deleted, abs=1e-9)


REFUSED = {
    "sgcmc": (
        "fix h all python/hook monte_carlo_hooks:PerAtom e 1\nfix_modify h energy yes\nfix mc all sgcmc 1 0.1 300 0\n",
        r"fix mc \(sgcmc\) accepts moves by energies of the pair style alone",
    ),
    "a pulled atom is deleted": (
        "fix h all python/hook nnpal.smd:SMD atoms 1 2 k 1 rate 0\nfix_modify h energy yes\n"
        "group few id 1 2\nfix mc few gcmc 1 20 0 1 4711 5000 -20 0.3 full_energy\n",
        "atom [12] is excluded from all others, by a Monte Carlo fix that tries to delete it",
    ),
    "an atom of a pulled group is deleted": (
        "group a id 1 2\ngroup b id 3 4\nfix h all python/hook nnpal.smd:SMD groups a b k 1 rate 0\n"
        "fix_modify h energy yes\nfix mc a gcmc 1 20 0 1 4711 5000 -20 0.3 full_energy\n",
        "group a has [13] atoms in a trial state of a Monte Carlo fix, and 2 are pulled",
    ),
    "MOMT with another number of atoms": (
        "fix h all python/hook nnpal.momt:MOMT temp 900 H -200 200 40\nfix_modify h energy yes\n"
        "fix mc all gcmc 1 20 0 1 4711 5000 -3 0.3 full_energy\n",
        "a Monte Carlo fix tries a state of 3[13] atoms, and the grid of this bias is of 32",
    ),
    "MOMT with fix hmc": (
        "fix h all python/hook nnpal.momt:MOMT temp 900 H -200 200 40\nfix_modify h energy yes\n"
        "fix mc all hmc 5 4711 900\n",
        "fix hmc rejects whole trajectories after MOMT has counted them",
    ),
    "a moving spring with fix hmc": (
        "fix h all python/hook nnpal.smd:SMD atoms 1 2 k 1 rate 1\nfix mc all hmc 5 4711 900\n",
        "fix hmc rejects whole trajectories",
    ),
    "the virial of a trial state": (
        f"fix h all python/hook monte_carlo_hooks:VirialInTrial\nfix_modify h energy yes\n{SWAPS}",
        "the virial was asked for in a trial state",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(lmp: Lmp, name: str) -> None:
    lines, message = REFUSED[name]
    lmp.expect_error(f"{alloy()}{lines}run 5\n", message, ranks=(1,), env=ENV)


def test_oracle_that_fails_in_a_trial_says_so(lmp: Lmp) -> None:
    """The state at fault is not that of a step, so no restart file is written."""
    script = (
        CU_AU
        + EMT_FORCES.replace("ase.calculators.emt:EMT", "failing_calculator:FailsWhenMoreThan n 32")
        + "fix mc all gcmc 1 5 0 1 4711 6000 10 0.4 full_energy\nrun 2\n"
    )
    (lmp.folder / "failing_calculator.py").write_text(
        "from ase.calculators.emt import EMT\n\n\nclass FailsWhenMoreThan(EMT):\n"
        "    def __init__(self, n):\n        super().__init__()\n        self.n = n\n\n"
        "    def calculate(self, atoms=None, *args):\n"
        "        if len(atoms) > self.n:\n            raise RuntimeError('too many atoms')\n"
        "        super().calculate(atoms, *args)\n"
    )
    lmp.expect_error(
        script,
        r"failed at step 1, in a trial state of a Monte Carlo fix: RuntimeError: too many atoms\. No restart file was",
        ranks=(1,),
    )
