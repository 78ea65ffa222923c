"""Outputs of a hook that are no numbers, or that differ by rank, end LAMMPS: the message names what, step and rank."""

from __future__ import annotations

import pytest

from hook_scripts import ENV, al_start, thermo
from lmp_runner import FULL_DIGITS, Lmp
from nnpal.demo.eam import eam_potential

BAD = "hooks_with_bad_outputs:Bad kind"
WHERE = "on rank {rank}, after pre_reverse at step 2"


def script(hook: str) -> str:
    return f"{al_start()}fix n all nve\nfix h all python/hook {hook}\nthermo_style custom step f_h[1]\nrun 3\n"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("'nan energy'", f"energy is nan; expected a finite number {WHERE}"),
        ("'infinite energy'", f"energy is inf; expected a finite number {WHERE}"),
        (
            "'energies of atoms'",
            rf"energy is an array of shape \(3,\); expected one number, of all atoms and ranks {WHERE}",
        ),
        ("'no energy'", f"energy is None; expected a number {WHERE}"),
        ("'long energy'", f"energy is an object of str; expected a number {WHERE}"),
        ("'nan virial'", f"virial xy is nan; expected a finite number {WHERE}"),
        (
            "'virial as a matrix'",
            rf"virial has shape \(3, 3\); expected 6 values in a row \(xx yy zz xy xz yz\) {WHERE}",
        ),
        ("'virial in words'", rf"virial is \['xx', 'yy'\]; expected an array of numbers {WHERE}"),
        ("'vector as a matrix'", rf"vector has shape \(2, 1\); expected values in a row {WHERE}"),
        ("'longer vector'", f"vector had 2 values when the hook was made, and now 3; its length must stay {WHERE}"),
        ("'longer tuple'", f"vector had 2 values when the hook was made, and now 3; its length must stay {WHERE}"),
        ("'tuple with words'", rf"vector is \(0.0, 'x'\); expected an array of numbers {WHERE}"),
        ("'nan in a tuple'", f"virial yy is nan; expected a finite number {WHERE}"),
        ("'nan vector'", r"vector\[1\] is nan; expected a finite number \(.* must be NaN after __init__\) " + WHERE),
        ("'nan force'", rf"force on atom 5 is \(\S+ -?nan \S+\); expected finite numbers {WHERE}"),
    ],
)
def test_what_is_no_number(lmp: Lmp, kind: str, message: str) -> None:
    lmp.expect_error(
        script(f"{BAD} {kind}"), rf"fix h \(python/hook \S+\): .*{message.format(rank=0)}", ranks=(1,), env=ENV
    )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("'no vector'", "vector is None; expected an array of numbers on rank 0, after __init__ at step 0"),
        ("energies", r"energy is an array of shape \(2,\); .* on rank 0, after __init__ at step 0"),
        ("reads", "reads is 3; expected names in brackets, of energy and virial"),
    ],
)
def test_what_is_wrong_from_the_start(lmp: Lmp, kind: str, message: str) -> None:
    lmp.expect_error(script(f"hooks_with_bad_outputs:BadFromTheStart kind {kind}"), message, ranks=(1,), env=ENV)


def test_what_is_wrong_after_a_restart(lmp: Lmp) -> None:
    start = f"{al_start()}fix n all nve\nfix h all python/hook hooks_with_bad_outputs:BadFromTheStart kind restart\n"
    lmp(start + "run 3\nwrite_restart middle\n", env=ENV)
    again = f"read_restart middle\npair_style eam/fs\npair_coeff * * {eam_potential()} Al\n"
    lmp.expect_error(
        again + start[start.index("fix n") :] + "run 1\n",
        "vector had 1 values when the hook was made, and now 4; .* on rank 0, after load_state_dict at step 3",
        ranks=(1,),
        env=ENV,
    )


def test_tuples_lists_and_arrays_are_alike(lmp: Lmp) -> None:
    columns = (*(f"f_h[{k}]" for k in (1, 2, 3)), *(f"c_p[{k}]" for k in range(1, 7)), "vol")
    one = (
        "{start}fix n all nve\nfix h all python/hook lammps_hooks:Sequences kind '{kind}'\nfix_modify h virial yes\n"
        "compute p all pressure NULL fix\n{thermo}run 2\n"
    )
    kinds = ("array", "tuple", "mixed tuple", "list")
    scripts = [one.format(start=al_start(), kind=kind, thermo=thermo(*columns)) for kind in kinds]
    for table in lmp("clear\n".join(scripts), env=ENV).thermo:
        found = [float(table[name][-1]) for name in columns[:-1]]
        bar = 1.6021765e6 / table["Volume"][-1]
        assert found[:3] == [1.0, 7.0, 0.25]
        assert found[3:] == pytest.approx([bar * w for w in (1.5, 2.0, 3.5, 4.5, 5.5, 2.0)], rel=1e-6)


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (f"{BAD} 'nan energy' rank 1", f"energy is nan; expected a finite number {WHERE.format(rank=1)}"),
        (f"{BAD} 'longer vector' rank 1", f"vector had 2 values .* {WHERE.format(rank=1)}"),
        (f"{BAD} 'another energy' rank 1", "at step 2 energy is 0 on rank 0 and 1.5 on rank 1; it must be the same"),
        (f"{BAD} 'another virial' rank 0", r"at step 2 virial xz is 0\.001\d* on rank 0 and 0 on rank 1"),
        (f"{BAD} 'another vector' rank 1", r"at step 2 vector\[1\] is 0 on rank 0 and -2\.5 on rank 1"),
        ("hooks_with_bad_outputs:OtherLength", "number of values in vector is 1 on rank 0 and 2 on rank 1"),
    ],
)
def test_what_differs_by_rank(lmp: Lmp, hook: str, message: str) -> None:
    lmp.expect_error(script(hook), message, ranks=(2,), env=ENV)


@pytest.mark.mpi
def test_infinite_trial_energy_on_one_rank(lmp: Lmp) -> None:
    """Every rank decides on a move by itself, so they would part."""
    text = script("hooks_with_bad_outputs:InfiniteTrial").replace(
        "thermo_style", "fix_modify h energy yes\nfix mc all gcmc 1 0 5 1 4711 900 -1 0.1 full_energy\nthermo_style"
    )
    lmp.expect_error(text, "at step 1 energy is 0 on rank 0 and inf on rank 1", ranks=(2,), env=ENV)


@pytest.mark.mpi
def test_what_is_allowed(lmp: Lmp) -> None:
    """Rounding between ranks, and NaN in an entry that was NaN when the hook was made.

    LAMMPS has the same bits on every rank then: a Monte Carlo move or a line search decides by them on each.
    """
    each = (
        "variable h equal f_h\nvariable e atom v_h\ndump d all custom 2 d id v_e\n"
        f"dump_modify d format float {FULL_DIGITS}\nthermo_style"
    )
    run = lmp(script(f"{BAD} rounding rank 1").replace("thermo_style", each), n_ranks=2, env=ENV)
    (energies,) = (frame["v_e"] for frame in run.dump("d") if frame.step == 2)
    assert set(energies) == {energies[0]}, "atoms of both ranks"
    lmp(script(f"{BAD} 'measured seldom'"), n_ranks=2, env=ENV)
