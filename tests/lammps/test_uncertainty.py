"""Uncertainty in use: it belongs to the very frame that is dumped, tested or stopped on."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from broken_models import write_lost_member
from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Frame, Lmp
from lmp_single_point import MEASURE, header, single_points
from lmp_systems import System, fcc, random_hcno
from torchani_reference import ExportedModel, Reference, evaluate

# As in test_agreement: float64 sums in another order, beside self-energies.
ROUNDING = 1e-8

UQ_DUMP = f"""
dump d all custom 5 uq.dump id type x y z f_uq[*]
dump_modify d sort id format float {FULL_DIGITS}
"""


def reference_of(model: ExportedModel, system: System, frame: Frame) -> Reference:
    """Evaluate the frame's own positions and types by TorchANI."""
    at_frame = dataclasses.replace(system, positions=frame.positions, types=frame["type"].astype(int))
    return evaluate(model.model, at_frame)


def assert_belongs(model: ExportedModel, system: System, frame: Frame) -> None:
    expected = reference_of(model, system, frame)
    np.testing.assert_allclose(frame["f_uq[1]"], expected.uq_energy, atol=ROUNDING)
    np.testing.assert_allclose(frame["f_uq[2]"], expected.uq_force, atol=ROUNDING)


def hot_al(lmp: Lmp, model: ExportedModel) -> tuple[System, str]:
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    return system, header(model, system) + "velocity all create 1500.0 4711\ntimestep 0.002\n"


def test_values_belong_to_the_dumped_frame(lmp: Lmp, al_model: ExportedModel) -> None:
    system, script = hot_al(lmp, al_model)
    run = lmp(
        script
        + "fix uq all pair 5 nnp uq_energy 1 uq_force 1\nfix n all nve\n"
        + UQ_DUMP
        + "run 10 post no\nrun 5 post no\n"
    )
    frames = run.dump("uq.dump")
    assert [frame.step for frame in frames] == [0, 5, 10, 15]
    # The frames differ by far more than the tolerance, so a stale value would be seen.
    assert np.abs(frames[1]["f_uq[2]"] - frames[2]["f_uq[2]"]).max() > 100 * ROUNDING
    for frame in frames:
        assert_belongs(al_model, system, frame)


def test_asking_does_not_change_the_trajectory(lmp: Lmp, al_model: ExportedModel) -> None:
    """Bit for bit, in single precision, where another order of operations would show."""
    _, script = hot_al(lmp, al_model)
    script = script.replace("precision double", "precision single")
    assert "precision single" in script
    dump = f"dump t all custom 20 t.dump id x y z fx fy fz\ndump_modify t sort id format float {FULL_DIGITS}\n"
    questions = (
        "fix uq all pair 1 nnp uq_energy 1 uq_force 1\ncompute c all pair nnp\nthermo_style custom step c_c[4]\n"
    )
    ends = []
    for asked in ("", questions):
        run = lmp(script + asked + "thermo 1\nfix n all nve\n" + dump + "run 20 post no\n")
        ends.append(run.dump("t.dump")[-1])
    for name in ("x", "y", "z", "fx", "fy", "fz"):
        np.testing.assert_array_equal(ends[1][name], ends[0][name], err_msg=name)


def test_rerun_reproduces_the_run(lmp: Lmp, al_model: ExportedModel) -> None:
    system, script = hot_al(lmp, al_model)
    every_fifth = MEASURE.replace("thermo 1\n", "thermo 5\n").replace("custom 1 all", "custom 5 all")
    run = lmp(script + "fix n all nve\n" + every_fifth + "run 20 post no\n")
    original = single_points(run)
    (lmp.folder / "all.dump").rename(lmp.folder / "original.dump")
    rerun = lmp(header(al_model, system) + MEASURE + "rerun original.dump dump x y z\n")
    again = single_points(rerun)
    assert [p.frame.step for p in again] == [p.frame.step for p in original] == [0, 5, 10, 15, 20]
    for one, two in zip(original, again, strict=True):
        np.testing.assert_allclose(two.energy, one.energy, rtol=1e-13, atol=ROUNDING)
        np.testing.assert_allclose(two.summary, one.summary, atol=ROUNDING)
        np.testing.assert_allclose(two.uq_energy, one.uq_energy, atol=ROUNDING)
        np.testing.assert_allclose(two.uq_force, one.uq_force, atol=ROUNDING)


def test_values_belong_to_the_frame_after_swaps(lmp: Lmp, hcno_model: ExportedModel) -> None:
    """fix atom/swap recomputes energies of trial states between the steps."""
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    run = lmp(
        header(hcno_model, system)
        + """fix uq all pair 5 nnp uq_energy 1 uq_force 1
fix swap all atom/swap 1 4 4711 3000.0 types 2 4
fix n all nve
timestep 0.0001
thermo_style custom step pe f_swap[1] f_swap[2]
thermo 5
"""
        + THERMO_FORMAT
        + UQ_DUMP
        + "run 10 post no\n"
    )
    assert run.last("f_swap[1]") > 0
    assert run.last("f_swap[2]") > 0, "no swap was accepted: the test sees nothing"
    frames = run.dump("uq.dump")
    assert len(frames) == 3
    for frame in frames:
        assert_belongs(hcno_model, system, frame)


def test_values_after_insertions_and_deletions(lmp: Lmp, al_model: ExportedModel) -> None:
    """fix gcmc with full energies changes the number of atoms between the steps."""
    system, script = hot_al(lmp, al_model)
    run = lmp(
        script.replace("precision double", "precision double self_energies no")
        + """fix uq all pair 5 nnp uq_energy 1 uq_force 1
fix mc all gcmc 1 4 2 1 4711 5000.0 100.0 0.3 full_energy overlap_cutoff 1.5
fix n all nve
thermo_style custom step atoms pe f_mc[2] f_mc[4] f_mc[6]
thermo 5
"""
        + THERMO_FORMAT
        + UQ_DUMP
        + "run 10 post no\n"
    )
    frames = run.dump("uq.dump")
    assert {len(frame["id"]) for frame in frames} != {32}, "gcmc changed nothing"
    for frame in frames:
        assert_belongs(al_model, system, frame)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_values_follow_moves_and_line_searches_on_one_step(lmp: Lmp, al_model: ExportedModel, n_ranks: int) -> None:
    """fix pair reads once a step by itself; a second run on the step, or a minimizer, evaluates again."""
    system, script = hot_al(lmp, al_model)
    keep = (f"write_dump all custom {{}}.dump id type x y z f_uq[*] modify sort id format float {FULL_DIGITS}\n").format
    names = ("start", "moved", "cg", "fire")
    run = lmp(
        script
        + "fix uq all pair 1 nnp uq_energy 1 uq_force 1\nrun 0 post no\n"
        + keep("start")
        + "displace_atoms all random 0.1 0.1 0.1 4711\nrun 0 post no\n"
        + keep("moved")
        + "min_style cg\nminimize 0.0 0.0 5 50\n"
        + keep("cg")
        + "min_style fire\nminimize 0.0 0.0 5 50\n"
        + keep("fire"),
        n_ranks=n_ranks,
    )
    frames = [run.dump(f"{name}.dump")[0] for name in names]
    assert frames[0].step == frames[1].step
    for before, frame in itertools.pairwise(frames):
        # A stale value would be seen.
        assert np.abs(before["f_uq[2]"] - frame["f_uq[2]"]).max() > 100 * ROUNDING
    for frame in frames:
        assert_belongs(al_model, system, frame)


@pytest.mark.parametrize("column", [1, 4])
def test_fix_halt_stops_on_the_maximum(lmp: Lmp, al_model: ExportedModel, column: int) -> None:
    """fix halt sees the value of the very step, on every rank, and the run ends cleanly."""
    _, script = hot_al(lmp, al_model)
    observe = f"""compute c all pair nnp
fix n all nve
thermo 1
thermo_style custom step c_c[{column}]
{THERMO_FORMAT}
"""
    values = lmp(script + observe + "run 20 post no\n").thermo[0][f"c_c[{column}]"]
    # a threshold that is first crossed in the middle of the run
    running_maximum = np.maximum.accumulate(values)
    step = int(np.flatnonzero(running_maximum > values[:4].max() + 1e-6)[0])
    threshold = (running_maximum[step - 1] + values[step]) / 2
    assert 1 < step < 20
    halt = f"variable u equal c_c[{column}]\nfix h all halt 1 v_u > {threshold:.17g} error soft\n"
    for n_ranks in (1, 2):
        run = lmp(script + observe + halt + "run 20 post no\nprint 'after'\n", n_ranks=n_ranks)
        assert run.thermo[0]["Step"][-1] == step
        np.testing.assert_allclose(run.last(f"c_c[{column}]"), values[step], atol=ROUNDING)
        assert "after" in run.text


@pytest.mark.parametrize(("options", "step"), [("precision double", 20), ("members 1", 5)])
def test_fix_halt_stops_where_the_value_is_not_defined(
    lmp: Lmp, al_model: ExportedModel, options: str, step: int
) -> None:
    """A single member has no spread. It was nan, with which each comparison is false: the run went on unwatched."""
    system, script = hot_al(lmp, al_model)
    run = lmp(
        header(al_model, system, options=options)
        + script.split("pair_coeff * * Al\n")[1]
        + f"""compute c all pair nnp
fix n all nve
variable is_lost equal "c_c[4] > 1e6"
fix h all halt 5 v_is_lost != 0 error continue
thermo 5
thermo_style custom step pe
{THERMO_FORMAT}
run 20 post no
"""
    )
    assert run.last("Step") == step


def test_non_finite_uncertainty_is_an_error(lmp: Lmp, tmp_path: Path) -> None:
    """Maxima pass nan over, LAMMPS's and C++'s alike, so that a member gone wrong showed nowhere."""
    path = write_lost_member(tmp_path / "lost.nnp.pt")
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = f"units metal\nread_data data\npair_style nnp {path}\npair_coeff * * Al\n"
    assert np.isfinite(lmp(script + f"thermo_style custom step pe fmax\n{THERMO_FORMAT}\nrun 0\n").last("Fmax"))
    for asks in ("fix uq all pair 1 nnp uq_force 1\n", "compute uq all pair nnp\n"):
        lmp.expect_error(script + asks + "run 0\n", "gives a non-finite uncertainty for atom", ranks=(1,))


def test_dump_threshold_selects_uncertain_atoms(lmp: Lmp, al_model: ExportedModel) -> None:
    _, script = hot_al(lmp, al_model)
    everything = lmp(
        script + "fix uq all pair 5 nnp uq_energy 1 uq_force 1\nfix n all nve\n" + UQ_DUMP + "run 10 post no\n"
    ).dump("uq.dump")
    threshold = float(np.median(everything[1]["f_uq[2]"]))
    selected = lmp(
        script
        + "fix uq all pair 5 nnp uq_energy 1 uq_force 1\nfix n all nve\n"
        + UQ_DUMP
        + f"dump_modify d thresh f_uq[2] > {threshold:.17g}\nrun 10 post no\n"
    ).dump("uq.dump")
    for whole, part in zip(everything, selected, strict=True):
        above = whole["id"][whole["f_uq[2]"] > threshold]
        np.testing.assert_array_equal(part["id"], above)


def test_dump_skip_keeps_uncertain_frames(lmp: Lmp, al_model: ExportedModel) -> None:
    _, script = hot_al(lmp, al_model)
    observe = f"""compute c all pair nnp
fix n all nve
thermo 1
thermo_style custom step c_c[*]
{THERMO_FORMAT}
"""
    values = lmp(script + observe + "run 20 post no\n").thermo[0]["c_c[4]"]
    threshold = float(np.median(values))
    run = lmp(
        script
        + observe
        + f"""variable skip equal c_c[4]<{threshold:.17g}
dump d all custom 1 some.dump id x y z
dump_modify d skip v_skip
run 20 post no
"""
    )
    steps = [frame.step for frame in run.dump("some.dump")]
    np.testing.assert_array_equal(steps, np.flatnonzero(values >= threshold))


def test_time_average_reads_the_vector(lmp: Lmp, al_model: ExportedModel) -> None:
    _, script = hot_al(lmp, al_model)
    run = lmp(
        script
        + f"""compute c all pair nnp
fix n all nve
fix mean all ave/time 2 3 6 c_c[1] c_c[2] c_c[3] c_c[4] file mean.txt
thermo 1
thermo_style custom step c_c[*]
{THERMO_FORMAT}
run 12 post no
"""
    )
    table = run.thermo[0]
    rows = np.loadtxt(lmp.folder / "mean.txt")
    for row in rows[rows[:, 0] > 0]:
        steps = int(row[0]) - np.array([4, 2, 0])
        means = [table[f"c_c[{k}]"][steps].mean() for k in range(1, 5)]
        np.testing.assert_allclose(row[1:], means, rtol=1e-5)  # the file keeps 6 digits


def test_one_field_alone(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    expected = evaluate(al_model.model, system)
    for field, values in {"uq_energy": expected.uq_energy, "uq_force": expected.uq_force}.items():
        run = lmp(
            header(al_model, system)
            + f"""fix uq all pair 1 nnp {field} 1
dump d all custom 1 one.dump id f_uq
dump_modify d sort id format float {FULL_DIGITS}
run 0
"""
        )
        np.testing.assert_allclose(run.dump("one.dump")[0]["f_uq"], values, atol=ROUNDING)


def test_thermo_only_at_its_steps_has_the_vector(lmp: Lmp, al_model: ExportedModel) -> None:
    """With thermo every 10 steps the values equal those of thermo every step: none is stale."""
    _, script = hot_al(lmp, al_model)
    tables = []
    for every in (1, 10):
        run = lmp(
            script
            + f"""compute c all pair nnp
fix n all nve
thermo {every}
thermo_style custom step c_c[*]
{THERMO_FORMAT}
run 25 post no
"""
        )
        tables.append(run.thermo[0])
    dense, sparse = tables
    rows = sparse["Step"].astype(int)
    assert list(rows) == [0, 10, 20, 25]
    for k in range(1, 5):
        name = f"c_c[{k}]"
        assert np.all(np.isfinite(sparse[name]))
        np.testing.assert_array_equal(sparse[name], dense[name][rows])


def test_log_line_says_what_was_loaded(lmp: Lmp, al_model: ExportedModel) -> None:
    system, _ = hot_al(lmp, al_model)
    text = lmp(header(al_model, system, options="members 2") + "run 0\n").text
    assert re.search(r"elements Al, 2 of 3 members, cutoff 6\.9 .*single precision, cpu", text)
