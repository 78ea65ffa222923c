"""`nnpal.smd:SMD` in LAMMPS: derivatives, conservation, splitting and restarting, ranks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from colvar import read_colvar
from lmp_runner import FULL_DIGITS, Lmp
from nnpal.smd import read_pull
from smd_scripts import ALUMINIUM, CRYSTAL, HOOK, MODIFY, PAIR, ROUNDING, dumped, fix_virial, output, vector

NVE = "fix 1 all nve"

PULLS = {
    "atoms": "atoms 1 17 k 2 rate 5 start 3.3",
    "across the boundary": "atoms 1 106 k 2 rate 5 start 4.0",
    "groups": "groups corner other k 2 rate -5 start 3.3",
    "point": "group corner point 1.0 2.0 3.0 k 2 rate 5 start 3.3",
    "point along a direction": "group corner point 1.0 2.0 3.0 direction 1 1 -1 k 2 rate 5 start 3.3",
    "constant force": "atoms 1 17 force 0.3",
    "constant force on groups": "groups corner other force -0.3",
}
INTERNAL = [name for name in PULLS if "point" not in name]

# No other forces, so that dump and pressure hold the spring alone; tilted, so that images and shear count
CELL = np.array([[12.15, 0.0, 0.0], [2.0, 12.15, 0.0], [-1.0, 1.5, 12.15]])
TILTED = f"""
{CRYSTAL}
change_box all triclinic
change_box all xy final 2.0 xz final -1.0 yz final 1.5 remap units box
displace_atoms all random 0.2 0.2 0.2 4711 units box
group corner id 1:4
group other id 15:20
{NVE}
"""

H = 1e-4  # of central differences, Å or strain: their own error is h²/6 times third derivatives, some 1e-8 eV/Å
DIFFERENCES = {"rtol": 0.0, "atol": 1e-7}


def energies_after(lmp: Lmp, pull: str, changes: list[str]) -> np.ndarray:
    """Return the hook's energy after each of some successive changes of atoms or box, [n_changes]."""
    runs = "".join(f"{change}\nrun 0 post no\n" for change in changes)
    run = lmp(f"{TILTED}\n{HOOK} {pull}\n{output()}\nrun 0 post no\n{runs}")
    return np.array([table["f_pull"][0] for table in run.thermo[1:]])


@pytest.mark.parametrize("pull", PULLS.values(), ids=PULLS)
def test_forces_are_minus_the_gradient_of_the_energy(lmp: Lmp, pull: str) -> None:
    tags = (1, 2, 15, 17, 20, 106)
    run = lmp(
        f"{TILTED}\n{HOOK} {pull}\ndump d all custom 1 all.dump id fx fy fz\n"
        f"dump_modify d sort id format float {FULL_DIGITS}\nrun 0 post no"
    )
    forces = run.dump("all.dump")[0].forces
    changes = []
    for tag in tags:
        for step in H * np.eye(3):
            # up, down, and back in place
            changes += [
                f"group g{tag} id {tag}\ndisplace_atoms g{tag} move {x:.17g} {y:.17g} {z:.17g} units box"
                for x, y, z in (step, -2 * step, step)
            ]
    up, down, _ = energies_after(lmp, pull, changes).reshape(-1, 3).T
    gradient = ((up - down) / (2 * H)).reshape(-1, 3)
    mine = forces[[tag - 1 for tag in tags]]
    np.testing.assert_allclose(mine, -gradient, **DIFFERENCES)
    assert np.max(np.abs(mine)) > 0.01
    if pull in (PULLS[name] for name in INTERNAL):
        np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-12)


def box_strained_by(component: int, strain: float) -> str:
    """Return the command that strains box and atoms: x_i += strain x_j for component ij of xx yy zz xy xz yz."""
    i, j = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))[component]
    cell = CELL.copy()
    cell[:, i] += strain * CELL[:, j]
    lengths = " ".join(f"{axis} final 0 {cell[k, k]:.17g}" for k, axis in enumerate("xyz"))
    return f"change_box all {lengths} xy final {cell[1, 0]:.17g} xz final {cell[2, 0]:.17g} yz final " + (
        f"{cell[2, 1]:.17g} remap units box"
    )


@pytest.mark.parametrize("pull", [PULLS[name] for name in INTERNAL], ids=INTERNAL)
def test_virial_is_minus_the_derivative_by_strain(lmp: Lmp, pull: str) -> None:
    run = lmp(f"{TILTED}\n{HOOK} {pull}\n{MODIFY}\n{output()}\nrun 0 post no")
    changes = [box_strained_by(component, sign * H) for component in range(6) for sign in (1, -1)]
    up, down = energies_after(lmp, pull, changes).reshape(-1, 2).T
    virial = fix_virial(run)[0]
    np.testing.assert_allclose(virial, -(up - down) / (2 * H), **DIFFERENCES)
    assert np.max(np.abs(virial)) > 0.1


def test_a_point_gives_no_virial(lmp: Lmp) -> None:
    run = lmp(f"{TILTED}\n{HOOK} {PULLS['point']}\n{MODIFY}\n{output()}\nrun 0 post no")
    np.testing.assert_array_equal(fix_virial(run), 0.0)
    assert abs(vector(run)[0, 2]) > 0.1


@pytest.mark.parametrize("name", ["atoms", "groups", "point", "constant force"])
def test_energy_is_conserved_while_nothing_moves_the_spring(lmp: Lmp, name: str) -> None:
    pull = (
        PULLS[name]
        .replace("rate -5", "rate 0")
        .replace("rate 5", "rate 0")
        .replace("k 2", "k 5")
        .replace("force 0.3", "force 1.5")
    )
    script = f"{ALUMINIUM}\n{NVE}\n{HOOK} {pull}\n{MODIFY}\n{output()}"
    drifts = []
    for dt in (0.002, 0.001):
        table = lmp(f"{script}\ntimestep {dt}\nrun {round(0.2 / dt)}").thermo[-1]
        drifts.append(np.ptp(table["TotEng"]))
        assert np.ptp(table["f_pull"]) > 5 * drifts[-1]
    # Velocity Verlet's error of the conserved energy falls as dt²; a wrong force would leave it as it is
    assert drifts[1] < 0.4 * drifts[0]


def test_work_of_a_moving_spring_is_the_energy_that_it_brings(lmp: Lmp) -> None:
    script = f"{ALUMINIUM}\n{NVE}\n{HOOK} atoms 1 17 k 5 rate 10\n{MODIFY}\n{output()}"
    errors = []
    for dt in (0.002, 0.001):
        run = lmp(f"{script}\ntimestep {dt}\nrun {round(0.2 / dt)}")
        total, work = run.thermo[-1]["TotEng"], vector(run)[:, 3]
        errors.append(np.max(np.abs(total - total[0] - work)))
        assert work[-1] > 0.1
    assert errors[1] < 0.4 * errors[0]  # as above: dt²


def test_constant_force_gives_its_force_and_work(lmp: Lmp) -> None:
    run = lmp(f"{ALUMINIUM}\n{NVE}\n{HOOK} atoms 1 17 force 0.3\n{MODIFY}\n{output()}\nrun 50")
    d, target, force, work = vector(run).T
    np.testing.assert_array_equal(force, 0.3)
    np.testing.assert_array_equal(target, d[0])
    np.testing.assert_allclose(work, 0.3 * (d - d[0]), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(run.thermo[-1]["f_pull"], -0.3 * d, rtol=1e-14)
    assert np.ptp(d) > 0.01


@pytest.mark.parametrize("name", ["atoms", "groups", "constant force"])
def test_splitting_and_restarting_change_nothing(lmp: Lmp, name: str) -> None:
    fixes = f"{NVE}\n{HOOK} {PULLS[name]} file pull.txt every 5\n{MODIFY}"
    whole = vector(lmp(f"{ALUMINIUM}\n{fixes}\n{output()}\nrun 60"))
    rows = (lmp.folder / "pull.txt").read_text()
    split = lmp(f"{ALUMINIUM}\n{fixes}\n{output()}\nrun 17\nrun 0\nrun 13\nwrite_restart half\nrun 20\nrun 10")
    np.testing.assert_allclose(vector(split, 0), whole[:18], **ROUNDING)
    np.testing.assert_allclose(vector(split), whole[50:], **ROUNDING)
    # The restarted run repeats steps 31 to 60, and its file must not hold them twice
    again = lmp(f"units metal\nread_restart half\n{PAIR}\n{fixes}\n{output()}\nrun 30")
    np.testing.assert_allclose(vector(again), whole[30:], **ROUNDING)
    mine = np.loadtxt(lmp.folder / "pull.txt")
    assert mine[:, 1].tolist() == list(range(0, 61, 5))
    np.testing.assert_allclose(mine, np.loadtxt(rows.splitlines()), **ROUNDING)
    assert np.max(np.abs(whole[30:] - whole[:31])) > 1e-3  # a pull that began anew would be seen


def test_clock_ignores_the_step_number_minimization_and_follows_the_timestep(lmp: Lmp) -> None:
    run = lmp(
        f"{ALUMINIUM}\n{NVE}\n{HOOK} atoms 1 17 k 2 rate 5 start 5\n{MODIFY}\n{output()}\n"
        "run 10\nreset_timestep 1000\nrun 10\nminimize 0 0 5 5\nrun 0\ntimestep 0.001\nreset_timestep 3\nrun 10"
    )
    targets = [vector(run, i)[-1, 1] for i in range(5)]
    np.testing.assert_allclose(targets, [5.1, 5.2, 5.2, 5.2, 5.25], rtol=1e-14)


def test_the_file_is_a_colvar_file_over_runs_and_restarts(lmp: Lmp) -> None:
    """Its time is LAMMPS's, which goes on where the timestep changes."""
    table = "thermo 5\nthermo_style custom step time\nthermo_modify line yaml\n"
    pull = f"{NVE}\n{HOOK} groups corner other k 2 rate 5 file pull.txt every 5\n{table}"
    first = lmp(f"{ALUMINIUM}\n{pull}timestep 0.002\nrun 10\ntimestep 0.001\nrun 5\nwrite_restart half\nrun 10\n")
    again = lmp(f"units metal\nread_restart half\n{PAIR}\n{pull}timestep 0.0005\nrun 10\n")
    columns, constants = read_colvar(lmp.folder / "pull.txt")
    assert list(columns) == ["time", "step", "d", "lambda", "force", "work"]
    assert columns["step"].tolist() == [0, 5, 10, 15, 20, 25]
    expected = [*first.thermo[0]["Time"], first.thermo[1]["Time"][-1], *again.thermo[0]["Time"][1:]]
    np.testing.assert_allclose(columns["time"], expected, rtol=1e-14)
    np.testing.assert_allclose(columns["time"], [0, 0.01, 0.02, 0.025, 0.0275, 0.03], rtol=1e-12)
    assert (constants["pulled"], constants["units"]) == ("groups,corner,other", "metal")
    assert read_pull(lmp.folder / "pull.txt").facts["pulled"] == "groups corner other"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves the file open
def test_what_plumed_reads(lmp: Lmp) -> None:
    """PLUMED's own reader of Python gives the same, constants with it."""
    plumed = pytest.importorskip("plumed")
    lmp(f"{ALUMINIUM}\n{NVE}\n{HOOK} atoms 1 17 k 2 rate 5 file pull.txt every 5\nrun 10\n")
    columns, constants = read_colvar(lmp.folder / "pull.txt")
    read = plumed.read_as_pandas(str(lmp.folder / "pull.txt"), enable_conversion=False)
    assert list(read.columns) == list(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(read[name], values)
    assert {name: value for name, _, value in read.plumed_constants} == constants


def test_minimization_feels_the_spring(lmp: Lmp) -> None:
    run = lmp(f"{TILTED}\n{HOOK} atoms 1 17 k 2 rate 5 start 5\n{MODIFY}\n{output()}\nminimize 0 1e-10 100 100")
    d, target, _, work = vector(run)[-1]
    np.testing.assert_allclose([d, target], 5.0, rtol=1e-6)  # nothing else holds the atoms
    assert work == 0.0


def test_another_rate_after_a_restart_goes_on_from_there(lmp: Lmp) -> None:
    lmp(f"{ALUMINIUM}\n{NVE}\n{HOOK} atoms 1 17 k 2 rate 5 start 5\nrun 20\nwrite_restart there")
    run = lmp(
        f"units metal\nread_restart there\n{PAIR}\n{NVE}\n{HOOK} atoms 1 17 k 2 rate -5 start 5\n{output()}\nrun 10"
    )
    np.testing.assert_allclose(vector(run)[[0, -1], 1], [5.2, 5.1], rtol=1e-14)


@pytest.mark.slow
@pytest.mark.mpi
def test_ranks_agree_on_all_pulls_at_once(lmp: Lmp) -> None:
    fixes = "".join(
        f"fix pull{i} all python/hook nnpal.smd:SMD {pull} file pull{i}.txt every 10\n"
        f"fix_modify pull{i} energy yes virial yes\n"
        for i, pull in enumerate(PULLS.values())
    )
    columns = " ".join(f"f_pull{i}[*]" for i in range(len(PULLS)))
    results = []
    for n_ranks in (1, 2, 4):
        run = lmp(f"{ALUMINIUM}\n{NVE}\n{fixes}\n{output(1, columns)}\n{dumped(40)}\nrun 40", n_ranks=n_ranks)
        rows = [np.loadtxt(lmp.folder / f"pull{i}.txt") for i in range(len(PULLS))]
        assert all(len(row) == 5 for row in rows)
        results.append((*run.thermo[-1].values(), run.dump("all.dump")[-1].positions, *rows))
    for other in results[1:]:
        for mine, expected in zip(other, results[0], strict=True):
            np.testing.assert_allclose(mine, expected, **ROUNDING)


@pytest.mark.mpi
def test_restart_on_another_number_of_ranks(lmp: Lmp) -> None:
    fixes = f"{NVE}\n{HOOK} {PULLS['groups']}\n{MODIFY}"
    second_half = vector(lmp(f"{ALUMINIUM}\n{fixes}\n{output()}\nrun 20\nwrite_restart half\nrun 20", n_ranks=2))
    again = vector(lmp(f"units metal\nread_restart half\n{PAIR}\n{fixes}\n{output()}\nrun 20", n_ranks=1))
    np.testing.assert_allclose(again, second_half, **ROUNDING)


def test_examples_of_the_page_run(lmp: Lmp) -> None:
    page = (Path(__file__).parents[2] / "docs" / "smd.md").read_text()
    examples = re.findall(r"^fix pull all python/hook nnpal.smd:SMD .*$", page, re.M)
    assert len(examples) == 5
    groups = "group left id 1:4\ngroup right id 15:20\ngroup tip id 30:40"
    runs = "\n".join(f"{example}\nrun 2\nunfix pull" for example in examples)
    lmp(f"{ALUMINIUM}\n{groups}\n{NVE}\n{runs}")
