"""Every mistake in the options of `nnpal.smd:SMD` is an error that names it and says how to fix it, on every rank."""

from __future__ import annotations

import pytest

from lmp_runner import Lmp
from smd_scripts import ALUMINIUM, CRYSTAL, HOOK, PAIR

SPRING = "k 2 rate 1"

MISTAKES = {
    "no options": ("", "give k and rate .* or force"),
    "nothing to pull": (SPRING, "nothing to pull; give one of: atoms I J"),
    "two things to pull": (f"atoms 1 2 groups corner other {SPRING}", "found atoms and groups; give one of"),
    "identical atoms": (f"atoms 3 3 {SPRING}", "atoms 3 3: the pulled atoms are one and the same"),
    "unknown atom": (f"atoms 1 109 {SPRING}", "no atom with ID 109"),
    "one atom": (f"atoms 1 {SPRING}", "option atoms takes 2 values"),
    "unknown group": (f"groups corner nowhere {SPRING}", "no group nowhere"),
    "identical groups": (f"groups corner corner {SPRING}", "groups corner corner: the pulled groups are one"),
    "empty group": (f"groups corner nobody {SPRING}", "no atoms in group nobody"),
    "empty group to a point": (f"group nobody point 0 0 0 {SPRING}", "no atoms in group nobody"),
    "overlapping groups": (f"groups corner overlap {SPRING}", "corner overlap: 2 atoms are in both"),
    "group without a point": (f"group corner {SPRING}", "give point X Y Z"),
    "point without a group": (f"atoms 1 2 point 0 0 0 {SPRING}", "point and direction are for group"),
    "point nowhere": (f"group corner point nan 0 0 {SPRING}", "point nan 0 0: expected three finite numbers"),
    "direction to nowhere": (
        f"group corner point 0 0 0 direction inf 0 0 {SPRING}",
        "direction inf 0 0: expected three",
    ),
    "no direction": (f"group corner point 0 0 0 direction 0 0 0 {SPRING}", "direction 0 0 0: expected .* not all zero"),
    "k zero": ("atoms 1 2 k 0 rate 1", "k 0: expected a spring constant greater than 0"),
    "k negative": ("atoms 1 2 k -2 rate 1", "k -2: expected"),
    "k not finite": ("atoms 1 2 k nan rate 1", "k nan: expected a finite number"),
    "no rate": ("atoms 1 2 k 2", "give k and rate"),
    "force and spring": ("atoms 1 2 force 1 k 2", "k 2 with force 1: give k and rate, or force only"),
    "every zero": (f"atoms 1 2 {SPRING} every 0", "every 0: expected"),
    "no folder": (
        f"atoms 1 2 {SPRING} file nowhere/pull.txt",
        "option file: there is no folder nowhere for nowhere/pull.txt; create it",
    ),
    "misspelled option": ("atoms 1 2 k 2 rat 1", "unknown option rat; did you mean rate"),
    "half the box apart": (f"atoms 1 19 {SPRING}", "half the box apart along x .*12.15.*take a box longer"),
    "same place": (f"group corner point 1.0125 1.0125 1.0125 {SPRING}", "distance is 0, so there is no direction"),
}

GROUPS = """
group nobody id 1000
group overlap id 3:8
"""
STILL = f"{CRYSTAL}\n{PAIR}\ngroup corner id 1:4\ngroup other id 15:20\n{GROUPS}"


@pytest.mark.mpi
@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_named(lmp: Lmp, name: str) -> None:
    options, message = MISTAKES[name]
    # on two ranks a few cases of every kind suffice: all go through the same way out
    ranks = (1, 2) if name in ("identical atoms", "unknown atom", "overlapping groups", "half the box apart") else (1,)
    lmp.expect_error(f"{STILL}\n{HOOK} {options}\nrun 0", message, ranks=ranks)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("notes.txt", "option file: notes.txt exists and is not a trace file of SMD; it is left unchanged"),
        ("folder", "option file: folder is a folder; give the name of a file"),
    ],
)
def test_files_of_others_are_left_alone(lmp: Lmp, name: str, message: str) -> None:
    (lmp.folder / "folder").mkdir()
    (lmp.folder / "notes.txt").write_text("not mine\n")
    lmp.expect_error(f"{STILL}\n{HOOK} atoms 1 2 {SPRING} file {name}\nrun 0", message, ranks=(1,))
    assert (lmp.folder / "notes.txt").read_text() == "not mine\n"


def test_an_earlier_pull_is_kept(lmp: Lmp) -> None:
    script = f"{ALUMINIUM}\n{HOOK} atoms 1 2 {SPRING} file pull.txt every 1\nrun "
    lmp(script + "2")
    first = (lmp.folder / "pull.txt").read_text()
    assert "smd: pull.txt of an earlier pull is kept as pull.txt.bak1" in lmp(script + "3").text
    assert (lmp.folder / "pull.txt.bak1").read_text() == first
    assert len((lmp.folder / "pull.txt").read_text().splitlines()) == len(first.splitlines()) + 1


def test_restart_of_another_pull(lmp: Lmp) -> None:
    lmp(f"{ALUMINIUM}\n{HOOK} atoms 1 2 {SPRING}\nrun 1\nwrite_restart there")
    again = f"units metal\nread_restart there\n{PAIR}\n"
    lmp.expect_error(f"{again}{HOOK} atoms 1 3 {SPRING}\nrun 0", "holds a pull of atoms 1 2", ranks=(1,))
    lmp.expect_error(f"{again}{HOOK} atoms 1 2 force 1\nrun 0", "holds a pull of atoms 1 2 by MovingSpring", ranks=(1,))


def test_pulled_beyond_half_the_box_while_it_runs(lmp: Lmp) -> None:
    lmp.expect_error(
        f"{CRYSTAL}\ntimestep 0.002\nfix 1 all nve\n{HOOK} atoms 1 17 k 5 rate 100\nrun 1000",
        "half the box",
        ranks=(1,),
    )


FOUR_ATOMS = """
units metal
atom_modify map yes
region box block 0 20 0 20 0 20
create_box 2 box
create_atoms 1 single 1 1 1
create_atoms 1 single 4 1 1
create_atoms 1 single 8 1 1
create_atoms {type_of_last} single 13 1 1
mass 1 26.982
mass 2 58.693
group first id 1
"""
CONSTANT = "pair_style zero 3.0\npair_coeff * *\nfix n all nve\n"
# With the default of delete_atoms (compress yes) the last atom becomes atom 1
RENUMBER = "delete_atoms group first\n"
PULL = f"{HOOK} atoms 1 3 k 0.1 rate 0.1"


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("WARNING: fix pull")]


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_other_atoms_under_the_same_ids_are_noticed(lmp: Lmp, n_ranks: int) -> None:
    run = lmp(f"{FOUR_ATOMS.format(type_of_last=1)}{CONSTANT}{PULL}\nrun 5\n{RENUMBER}run 5", n_ranks=n_ranks)
    (warning,) = warnings(run.text)
    assert "atom 1 is 8 from where the last run left it, and d is 5, which was 7" in warning
    assert "reset_atoms id" in warning
    lmp.expect_error(
        f"{FOUR_ATOMS.format(type_of_last=2)}{CONSTANT}{PULL}\nrun 5\n{RENUMBER}run 5",
        "atom 1 had type 1 and mass 26.982 at the end of the last run and has type 2 and mass 58.693 now",
        ranks=(n_ranks,),
    )


def test_other_atoms_after_a_restart_are_noticed(lmp: Lmp) -> None:
    """The restart file says which atoms were pulled, also one that is written within a run."""
    lmp(f"{FOUR_ATOMS.format(type_of_last=1)}{CONSTANT}{PULL}\nrestart 3 within\nrun 5\nwrite_restart after")
    for file in ("within.3", "after"):
        again = f"units metal\nread_restart {file}\n{CONSTANT}"
        assert not warnings(lmp(f"{again}{PULL}\nrun 5\n").text)
        renumbered = lmp(f"{again}group first id 1\n{RENUMBER}{PULL}\nrun 5\n")
        assert "atom 1 is 8 from" in warnings(renumbered.text)[0]


def test_another_group_under_the_same_name_is_noticed(lmp: Lmp) -> None:
    head = f"{STILL}\ntimestep 0.001\nfix n all nve\n{HOOK} groups corner other k 1 rate 0\nrun 2\n"
    lmp.expect_error(
        f"{head}group corner clear\ngroup corner id 1:3\nrun 2",
        "group corner had 4 atoms and mass 107.928 at the end of the last run and has 3 atoms and mass 80.946 now",
        ranks=(1,),
    )
    moved = lmp(f"{head}group corner clear\ngroup corner id 5:8\nrun 2").text
    assert "group corner is" in warnings(moved)[0]


def test_no_warning_where_atoms_are_the_same(lmp: Lmp) -> None:
    """Runs of every kind, minimize and a change of order in memory leave the same atoms under the IDs."""
    text = lmp(
        f"{ALUMINIUM}\nfix n all nve\n{HOOK} atoms 1 15 k 5 rate 1\natom_modify sort 1 0.0\nrun 20\nrun 5 pre no\n"
        "minimize 0 0 3 3\nrun 5\nreset_timestep 0\nvelocity all create 300 5\nrun 5 every 2 NULL\nrun 0\n"
    ).text
    assert not warnings(text)
