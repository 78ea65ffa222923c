"""Calibrated errors belong to the very frame that is printed, dumped or tested, whatever LAMMPS does with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from broken_models import write_lost_member
from calibrated_models import calibration_of, error_energy, error_force, recipe, resaved
from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Frame, Lmp
from lmp_single_point import header
from lmp_systems import System, fcc, random_hcno
from torchani_reference import ExportedModel, evaluate

ROUNDING = 1e-7  # as in test_calibrated_errors.py
COLUMNS = f"thermo 1\nthermo_style custom step c_c[5] c_c[6]\n{THERMO_FORMAT}\n"
DUMP = f"dump d all custom 1 err.dump id type x y z f_err\ndump_modify d sort id format float {FULL_DIGITS}\n"


def expected_errors(model: ExportedModel, system: System, frame: Frame) -> tuple[np.ndarray, float]:
    """Return error_force, eV/Å, and error_energy, eV, at the frame's own positions and types."""
    at_frame = dataclasses.replace(system, positions=frame.positions, types=frame["type"].astype(int))
    expected, species = evaluate(model.model, at_frame), at_frame.types - 1
    calibration = calibration_of(model)
    return error_force(calibration, expected.uq_force, species), error_energy(calibration, expected, species)


def al_crystal(lmp: Lmp) -> System:
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    return system


@pytest.mark.mpi
def test_several_fixes_follow_moves_and_line_searches(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    """Each fix reads fields of its own; a second run on the step, or a minimizer, evaluates again."""
    system = al_crystal(lmp)
    keep = f"write_dump all custom {{}}.dump id type x y z f_err f_b[*] modify sort id format float {FULL_DIGITS}\n"
    run = lmp(
        header(calibrated_al, system)
        + "fix b all pair 1 nnp uq_force 1 error_force 1\nfix err all pair 1 nnp error_force 1\nrun 0 post no\n"
        + keep.format("start")
        + "displace_atoms all random 0.1 0.1 0.1 4711\nrun 0 post no\n"
        + keep.format("moved")
        + "minimize 0.0 0.0 3 30\n"
        + keep.format("cg"),
        n_ranks=2,
    )
    frames = [run.dump(f"{name}.dump")[0] for name in ("start", "moved", "cg")]
    assert frames[0].step == frames[1].step
    spreads = []
    for frame in frames:
        of_atoms, _ = expected_errors(calibrated_al, system, frame)
        np.testing.assert_allclose(frame["f_err"], of_atoms, rtol=1e-7, atol=ROUNDING)
        np.testing.assert_array_equal(frame["f_b[2]"], frame["f_err"])
        spreads.append(frame["f_b[1]"])
        assert np.abs(spreads[-1] - of_atoms).max() > 0.01  # the columns are not the same
        assert len(spreads) == 1 or np.abs(spreads[-1] - spreads[-2]).max() > 1e-3  # a stale value would be seen


def test_fixes_come_and_go_on_one_step(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    """A field went to the wrong fix after an earlier one was gone; one added between runs left the others stale."""
    system = al_crystal(lmp)
    maxima = "compute {0} all reduce max f_{0}\n".format
    columns = "thermo_style custom step c_c[1] c_c[5] {}\n" + THERMO_FORMAT + "\nrun 0 post no\n"
    run = lmp(
        header(calibrated_al, system)
        + "compute c all pair nnp\nfix a all pair 1 nnp uq_force 1\nfix b all pair 1 nnp uq_energy 1\n"
        + maxima("b")
        + columns.format("c_b")
        + "unfix a\ndisplace_atoms all random 0.1 0.1 0.1 4711\n"
        + columns.format("c_b")
        + "fix e all pair 1 nnp error_force 1\ndisplace_atoms all random 0.1 0.1 0.1 4712\n"
        + maxima("e")
        + columns.format("c_b c_e")
        + "displace_atoms all random 0.1 0.1 0.1 4713\n"
        + columns.format("c_b c_e"),
        n_ranks=1,
    )
    for table in run.thermo:
        np.testing.assert_array_equal(table["c_b"], table["c_c[1]"])
        if "c_e" in table:
            np.testing.assert_array_equal(table["c_e"], table["c_c[5]"])
    assert len({table["c_b"][0] for table in run.thermo}) == 4


def test_after_swaps_they_are_those_of_the_state_at_hand(lmp: Lmp, calibrated_hcno: ExportedModel) -> None:
    """fix atom/swap evaluates trial states; an atom that changes its element changes its recipe."""
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    run = lmp(
        header(calibrated_hcno, system, options="precision double self_energies no")
        + "fix err all pair 1 nnp error_force 1\ncompute c all pair nnp\n"
        + "fix s all atom/swap 1 3 4711 30000 semi-grand yes types 2 4 mu 0 0\nfix n all nve\ntimestep 0.0001\n"
        + COLUMNS.replace("c_c[6]", "c_c[6] f_s[2]")
        + DUMP
        + "run 3 post no\n"
    )
    assert run.last("f_s[2]") > 0
    frames = run.dump("err.dump")
    assert any(np.any(frame["type"] != system.types) for frame in frames)
    for row, frame in enumerate(frames):
        of_atoms, of_energy = expected_errors(calibrated_hcno, system, frame)
        np.testing.assert_allclose(frame["f_err"], of_atoms, rtol=1e-7, atol=ROUNDING)
        found = [run.thermo[0][f"c_c[{k}]"][row] for k in (5, 6)]
        np.testing.assert_allclose(found, [of_atoms.max(), of_energy], rtol=1e-7, atol=ROUNDING)


def test_further_evaluations_leave_them(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    """Rejected insertions on top of an atom, at the end of each step, and numerical derivatives after it."""
    system = al_crystal(lmp)
    x, y, z = min(system.positions, key=lambda r: float(np.abs(r - 4.05).max()))
    start = header(calibrated_al, system, options="precision double self_energies no", before_box="atom_modify map yes")
    observe = "fix err all pair 1 nnp error_force 1\ncompute c all pair nnp\ncompute worst all reduce max f_err\n"
    insert = (
        f"region spot sphere {x:.17g} {y:.17g} {z:.17g} 0.05\n"
        "fix w all widom 1 4 1 4711 2000.0 full_energy region spot\n"
    )
    derive = (
        "unfix w\ncompute p all pressure NULL virial\n"
        "compute x all born/matrix numdiff 1e-2 p\nfix x all ave/time 1 1 1 c_x[1]\n"
    )
    columns = COLUMNS.replace("c_c[6]", "c_c[6] c_worst")
    run = lmp(start + observe + insert + columns + "run 1 post no\n" + derive + "run 1 post no\n")
    frame = Frame(0, {**dict(zip("xyz", system.positions.T, strict=True)), "type": system.types})
    of_atoms, of_energy = expected_errors(calibrated_al, system, frame)
    for table in run.thermo:
        np.testing.assert_allclose(table["c_worst"], of_atoms.max(), rtol=1e-7)
        np.testing.assert_allclose(table["c_c[5]"], of_atoms.max(), rtol=1e-7)
        np.testing.assert_allclose(table["c_c[6]"], of_energy, rtol=1e-7)


def test_restart_and_absent_atoms(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    """read_restart finds the calibration in the model; an atom without any pair has no error and does not count."""
    system = al_crystal(lmp)
    observe = "fix err all pair 1 nnp error_force 1\ncompute c all pair nnp\n" + COLUMNS + DUMP
    run = lmp(
        header(calibrated_al, system)
        + observe
        + "run 0 post no\nwrite_restart r\nclear\nread_restart r\n"
        + observe.replace("err.dump", "restarted.dump")
        + "run 0 post no\nundump d\ngroup gone id 3 7\nneigh_modify exclude group gone all\n"
        + DUMP.replace("err.dump", "excluded.dump")
        + "run 0 post no\nundump d\nneigh_modify exclude none\ndelete_atoms group gone compress no\n"
        + DUMP.replace("err.dump", "deleted.dump")
        + "run 0 post no\n"
    )
    whole, restarted, excluded, deleted = (
        run.dump(f"{k}.dump")[0] for k in ("err", "restarted", "excluded", "deleted")
    )
    np.testing.assert_array_equal(restarted["f_err"], whole["f_err"])
    for k in (5, 6):
        first, again, without, gone = (table[f"c_c[{k}]"][0] for table in run.thermo)
        assert np.isfinite(first)
        assert again == first
        assert abs(without - first) > 1e-4
        np.testing.assert_allclose(without, gone, rtol=1e-9)
    is_left = np.isin(excluded["id"], deleted["id"])
    np.testing.assert_allclose(excluded["f_err"][is_left], deleted["f_err"], rtol=1e-9)
    np.testing.assert_array_equal(excluded["f_err"][~is_left], 0.0)


def test_nothing_is_computed_that_was_not_asked_for(lmp: Lmp) -> None:
    """The members' gradients of this model are an error, so a step that takes them would end the run."""
    path = write_lost_member(lmp.folder / "lost.nnp.pt")
    calibration = recipe([0.1], [0.3], [0.7], (1.0, 1e6, 1e6))
    resaved(path, lmp.folder / "calibrated.pt", lambda m: m.update(format_version=2, calibration=calibration))
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    script = (
        "units metal\nread_data data\nreset_timestep 1\npair_style nnp calibrated.pt\npair_coeff * * Al\n"
        "fix n all nve\nfix err all pair 10 nnp error_force 1\nrun 8 post no\nprint 'so far'\nrun 1 post no\n"
    )
    text = lmp.expect_error(script, "step 10: .* gives a non-finite uncertainty for atom", ranks=(1,))
    assert "\nso far" in text


def test_asking_does_not_change_the_trajectory(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    """Bit for bit, in single precision."""
    system = al_crystal(lmp)
    questions = "fix err all pair 1 nnp error_force 1\ncompute c all pair nnp\n" + COLUMNS
    dump = f"dump t all custom 5 t.dump id x y z fx fy fz\ndump_modify t sort id format float {FULL_DIGITS}\n"
    ends = []
    for asked in ("", questions):
        script = header(calibrated_al, system, options="precision single") + asked
        run = lmp(script + "velocity all create 1500.0 4711\nfix n all nve\n" + dump + "run 5 post no\n")
        ends.append(run.dump("t.dump")[-1])
    for name in ("x", "y", "z", "fx", "fy", "fz"):
        np.testing.assert_array_equal(ends[1][name], ends[0][name], err_msg=name)


def test_with_hybrid_monte_carlo_they_are_refused(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    script = header(calibrated_al, al_crystal(lmp)) + "fix n all nve\nfix h all hmc 2 4711 300\n"
    script += "fix err all pair 1 nnp error_force 1\nrun 2\n"
    lmp.expect_error(script, "fix pair would show .* fix hmc has rejected", ranks=(1,))
