"""Every mistake in the options of `nnpal.smd:SMD` is an error that names it and says the cure, on every rank."""

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
    "point without a group": (f"atoms 1 2 point 0 0 0 {SPRING}", "point and direction go with group"),
    "no direction": (f"group corner point 0 0 0 direction 0 0 0 {SPRING}", "direction 0 0 0: expected .* not all zero"),
    "k zero": ("atoms 1 2 k 0 rate 1", "k 0: expected a spring constant greater than 0"),
    "k negative": ("atoms 1 2 k -2 rate 1", "k -2: expected"),
    "k not finite": ("atoms 1 2 k nan rate 1", "k nan: expected a finite number"),
    "no rate": ("atoms 1 2 k 2", "give k and rate"),
    "force and spring": ("atoms 1 2 force 1 k 2", "k 2 with force 1: give k and rate, or force alone"),
    "every zero": (f"atoms 1 2 {SPRING} every 0", "every 0: expected"),
    "no folder": (f"atoms 1 2 {SPRING} file nowhere/pull.txt", "no folder nowhere; create it"),
    "misspelt option": ("atoms 1 2 k 2 rat 1", "unknown option rat; did you mean rate"),
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
