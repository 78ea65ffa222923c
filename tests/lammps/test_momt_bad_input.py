"""What MOMT says of options, starts and files that do not fit."""

from __future__ import annotations

import re

import pytest

from hook_scripts import al_start
from lmp_runner import Lmp

GRID = "H -130 -60 30 O -5 40 45"
POTENTIAL = "pair_style eam/fs\n" + re.findall(r"pair_coeff.*", al_start())[0] + "\n"


def run(options: str, after: str = "fix n all nve\nrun 2\n", group: str = "all", before: str = "") -> str:
    return al_start() + before + f"fix momt {group} python/hook nnpal.momt:MOMT {options}\n" + after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (f"lattice fcc {GRID}", "missing option temp of MOMT"),
        (f"temp 900 latice fcc {GRID}", r"unknown option latice; did you mean lattice\?"),
        ("temp 900 lattice fcc", "grids of none: expected grids of H, O, H and O, V and H"),
        ("temp 900 V 400 600 10", "grids of V: expected grids of H, O, H and O, V and H"),
        (
            "temp 900 lattice fcc H -60 -130 30",
            "H -60 -130 30: expected low < high, finite numbers; write H LOW HIGH BINS",
        ),
        ("temp 900 H -130 -60 0", "grid H -130 -60 0: expected 1 to 10000000 bins"),
        ("temp 900 H -130 -60", r"option H takes 3 values \(number number integer\)"),
        ("temp 900 H -130 -120 10", r"H = -10\d\.\d+ at the start is outside the grid H -130 -120 10; widen the grid"),
        ("temp 900 lattice fcc O 0 10 10", r"O = 31\.\d+ at the start is outside the grid O 0 10 10"),
        (f"temp 900 {GRID}", "a grid of O: expected lattice fcc, bcc, hcp or diamond, or reciprocal h k l"),
        (f"temp 900 lattice fccc {GRID}", r"unknown lattice fccc; did you mean fcc\?"),
        (f"temp 900 lattice hcp {GRID}", "lattice hcp does not fit 32 atoms in a box of 8.1 x 8.1 x 8.1"),
        (f"temp 900 lattice fcc cells 2 2 1.5 {GRID}", "lattice fcc does not fit cells 2 2 1.5"),
        (f"temp 900 cells 2 2 2 {GRID}", "option cells has no meaning without lattice"),
        (f"temp 900 lattice fcc reciprocal 1 1 1 {GRID}", "option reciprocal replaces lattice and cells"),
        (f"temp 0 lattice fcc {GRID}", r"option temp: expected a finite temperature above 0, 1e\+08 at most, found 0"),
        (f"temp 900 lattice fcc {GRID} stride 0", "option stride: expected a number of steps from 1, found 0"),
        (f"temp 900 lattice fcc {GRID} schedule slow", "option schedule: expected 1/t or flat, found slow"),
        (f"temp 1e300 lattice fcc {GRID}", r"option temp: expected a finite temperature above 0, 1e\+08 at most"),
        (f"temp 900 lattice fcc {GRID} ln_f 1e20", "expected 0 < ln_f_end <= ln_f, finite numbers, 100 kT at most"),
        (f"temp 900 lattice fcc {GRID} ln_f 1e-9", "expected 0 < ln_f_end <= ln_f"),
        (
            f"temp 900 lattice fcc {GRID} walls V+",
            r"option walls: unknown edge V\+; expected yes, no or some of H- H\+ O-",
        ),
        (f"temp 900 lattice fcc {GRID} wall_strength -1", "option wall_strength: expected a finite number above 0"),
        (f"temp 900 lattice fcc {GRID} ends 9 2", "option ends 9 2: expected low < high"),
        (f"temp 900 lattice fcc {GRID} phase done", "option phase: expected learning or production, found done"),
        (f"temp 900 lattice fcc {GRID} phase production", r"phase production: expected start FILE too"),
        (f"temp 900 lattice fcc {GRID} start none.h5", r"bias file none\.h5: no such file"),
        (f"temp 900 lattice fcc {GRID} file a trace a", "options file and trace: both are a"),
        (f"temp 900 lattice fcc {GRID} walkers yes", r"walkers yes: expected several partitions; start mpirun"),
    ],
)
def test_options(lmp: Lmp, options: str, message: str) -> None:
    lmp.expect_error(run(options), message, ranks=(1,))


@pytest.mark.mpi
def test_every_rank_ends(lmp: Lmp) -> None:
    lmp.expect_error(run("temp 900 H -130 -120 10"), "at the start is outside the grid", ranks=(2,))


@pytest.mark.mpi
def test_a_folder_of_the_users_stays(lmp: Lmp) -> None:
    """An error on all ranks, before the run, that leaves the folder and its content as they are."""
    folder = lmp.folder / "results"
    folder.mkdir()
    (folder / "thesis.txt").write_text("three years")
    for ranks, option in ((1, "file"), (2, "trace")):
        lmp.expect_error(
            run(f"temp 900 lattice fcc {GRID} {option} results"),
            f"option {option}: results is a folder",
            ranks=(ranks,),
        )
    (lmp.folder / "momt.h5").write_text("the user's")
    lmp.expect_error(run(f"temp 900 lattice fcc {GRID}"), r"option file: momt\.h5 exists and is not a bias", ranks=(2,))
    assert (folder / "thesis.txt").read_text() == "three years"
    assert (lmp.folder / "momt.h5").read_text() == "the user's"
    assert not list(lmp.folder.glob("*.bak*"))


def test_group_without_atoms(lmp: Lmp) -> None:
    script = run(f"temp 900 lattice fcc {GRID}", group="none", before="group none empty\n")
    lmp.expect_error(script, "group none has no atoms; expected at least one", ranks=(1,))


def test_part_of_the_atoms_needs_cells(lmp: Lmp) -> None:
    script = run(f"temp 900 lattice fcc {GRID}", group="half", before="group half id 1:16\n")
    lmp.expect_error(script, r"group half has 16 of 32 atoms, so .* cannot be deduced; say cells NA NB NC", ranks=(1,))


def test_barostat_must_see_the_bias(lmp: Lmp) -> None:
    script = run(f"temp 900 lattice fcc {GRID}", "fix b all nph iso 0 0 1.0\nrun 2\n")
    lmp.expect_error(script, "add: fix_modify momt energy yes virial yes", ranks=(1,))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            "temp 900 lattice fcc H -130 -60 20 O -5 40 45",
            r"restart file has grid H -130 -60 30, .* run has grid H -130 -60 20",
        ),
        (f"temp 950 lattice fcc {GRID}", "restart file has temp 900, and this run has temp 950"),
        (f"temp 900 press 5 lattice fcc {GRID}", "restart file has press 0, and this run has press 5"),
        (f"temp 900 reciprocal 2 2 2 {GRID}", "restart file has reciprocal vectors"),
    ],
)
def test_restart_with_other_options(lmp: Lmp, changed: str, message: str) -> None:
    lmp(run(f"temp 900 lattice fcc {GRID}", "fix n all nve\nrun 2\nwrite_restart a.restart\n"))
    script = f"read_restart a.restart\n{POTENTIAL}fix momt all python/hook nnpal.momt:MOMT {changed}\nrun 0\n"
    lmp.expect_error(script, message, ranks=(1,))


def test_start_from_another_grid(lmp: Lmp) -> None:
    lmp(run(f"temp 900 lattice fcc {GRID}"))
    lmp.expect_error(
        run("temp 900 lattice fcc H -130 -60 20 O -5 40 45 start momt.h5"),
        r"momt\.h5 has grid H -130 -60 30, .* run has grid H -130 -60 20.*; carry δH between runs of the same",
        ranks=(1,),
    )


def test_start_from_something_else(lmp: Lmp) -> None:
    (lmp.folder / "other.h5").write_text("something else")
    lmp.expect_error(run(f"temp 900 lattice fcc {GRID} start other.h5"), r"other\.h5 cannot be read", ranks=(1,))
