"""error_force and error_energy: LAMMPS's and Python's numbers, and where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

import nnpal
from calibrated_models import (
    calibrated,
    calibration_of,
    error_energy,
    error_force,
    of_format_1,
    recipe,
    relative,
    resaved,
)
from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp, parse_thermo
from lmp_single_point import header, write_frames
from lmp_systems import System, fcc, random_hcno
from nnpal.evaluation import predict
from torchani_reference import ExportedModel, evaluate

# float64 sums in another order, beside self-energies: as in test_agreement, times slopes of a recipe below 10.
ROUNDING = 1e-7
KCAL_PER_MOL = 23.060549  # LAMMPS's, per eV

MEASURE = f"""
fix err all pair 1 nnp error_force 1 uq_force 1
compute c all pair nnp
thermo_style custom step c_c[*]
{THERMO_FORMAT}
dump d all custom 1 err.dump id type x y z f_err[*]
dump_modify d sort id format float {FULL_DIGITS}
"""


def inside_and_outside() -> list[System]:
    """What `calibrated_hcno` was calibrated on, and the same pressed together."""
    system = random_hcno(24, 0.06, periodic=True)
    return [system, dataclasses.replace(system, positions=system.positions * 0.93, cell=system.cell * 0.93)]


def expected_errors(model: ExportedModel, system: System) -> tuple[np.ndarray, float]:
    """Return error_force, eV/Å, and error_energy, eV."""
    expected, species, calibration = evaluate(model.model, system), system.types - 1, calibration_of(model)
    return error_force(calibration, expected.uq_force, species), error_energy(calibration, expected, species)


def test_the_systems_meet_every_branch(calibrated_hcno: ExportedModel) -> None:
    inside, outside = inside_and_outside()
    spread = evaluate(calibrated_hcno.model, inside).uq_force
    x = np.array(relative(calibration_of(calibrated_hcno), spread, inside.types - 1))
    for element in range(4):
        assert x[inside.types == element + 1].min() <= 1.0
    assert (x < 0.9).sum() > 5
    assert (x > 1.1).sum() > 5
    assert 0.01 < expected_errors(calibrated_hcno, inside)[1] < np.inf
    assert expected_errors(calibrated_hcno, outside)[1] == np.inf


@pytest.mark.mpi
@pytest.mark.parametrize(("units", "n_ranks"), [("metal", 1), ("real", 2), ("metal", 4)])
def test_lammps_gives_the_recipes_numbers(lmp: Lmp, calibrated_hcno: ExportedModel, units: str, n_ranks: int) -> None:
    systems = inside_and_outside()
    systems[0].write(lmp.folder / "data")
    write_frames(lmp.folder / "frames.dump", systems)
    script = header(calibrated_hcno, systems[0], units=units) + "change_box all triclinic\n" + MEASURE
    run = lmp(script + "rerun frames.dump dump x y z box yes\n", n_ranks=n_ranks)
    unit = KCAL_PER_MOL if units == "real" else 1.0
    for row, (system, frame) in enumerate(zip(systems, run.dump("err.dump"), strict=True)):
        of_atoms, of_energy = expected_errors(calibrated_hcno, system)
        np.testing.assert_allclose(frame["f_err[1]"] / unit, of_atoms, rtol=1e-7, atol=ROUNDING)
        found = [run.thermo[0][f"c_c[{k}]"][row] / unit for k in (5, 6)]
        np.testing.assert_allclose(found, [of_atoms.max(), of_energy], rtol=1e-7, atol=ROUNDING)


def test_python_gives_the_recipes_numbers(calibrated_hcno: ExportedModel) -> None:
    systems = inside_and_outside()
    frames = [Atoms(system.symbols, system.positions, cell=system.cell, pbc=True) for system in systems]
    expected = [expected_errors(calibrated_hcno, system) for system in systems]
    found = predict(calibrated_hcno.path, frames, members=False, dtype=torch.float64)
    np.testing.assert_allclose(found.error_force, np.concatenate([one for one, _ in expected]), rtol=1e-9)
    np.testing.assert_allclose(found.error_energy, [one for _, one in expected], rtol=1e-9)
    calculator = nnpal.NNPCalculator(calibrated_hcno.path, dtype=torch.float64)
    for frame, (of_atoms, of_energy) in zip(frames, expected, strict=True):
        np.testing.assert_allclose(calculator.get_property("error_force", frame), of_atoms, rtol=1e-9)
        np.testing.assert_allclose(calculator.get_property("error_energy", frame), of_energy, rtol=1e-9)
    calculator.reset()
    calculator.get_property("forces", frames[0])
    assert "error_force" not in calculator.results  # which would have cost each member's gradient


@pytest.mark.mpi
def test_compositions_that_were_not_calibrated_have_no_energy_error(
    lmp: Lmp, tmp_path: Path, calibrated_hcno: ExportedModel
) -> None:
    """Of two elements that always come in this ratio, the self-energies are not told apart."""
    system = inside_and_outside()[0]
    counts = np.bincount(system.types - 1, minlength=4)
    across = np.array([counts[1], -counts[0], 0, 0]) / np.hypot(*counts[:2])  # orthogonal to this composition
    frame = Atoms(system.symbols, system.positions, cell=system.cell, pbc=True)
    for name, row, is_known in (("this", across, True), ("another", [1.0, 0.0, 0.0, 0.0], False)):
        path = tmp_path / f"{name}.pt"
        resaved(calibrated_hcno.path, path, lambda m, r=row: m["calibration"]["energy"].update(undetermined=[list(r)]))
        model = dataclasses.replace(calibrated_hcno, path=path)
        expected = expected_errors(model, system)[1]
        assert np.isfinite(expected) == is_known
        system.write(lmp.folder / "data")
        run = lmp(header(model, system) + MEASURE + "run 0\n", n_ranks=2)
        np.testing.assert_allclose(run.thermo[0]["c_c[6]"][0], expected, rtol=1e-7)
        np.testing.assert_allclose(predict(path, [frame], dtype=torch.float64).error_energy, [expected], rtol=1e-9)


def test_python_without_a_calibration(al_model: ExportedModel, calibrated_al: ExportedModel) -> None:
    frame = bulk("Al", cubic=True)
    found = predict(al_model.path, [frame])
    assert found.error_force is None
    assert found.error_energy is None
    assert predict(calibrated_al.path, [frame], members=False, uq_force=False).error_force is None
    for path, members, message in (
        (al_model.path, None, "holds no calibration; train it .* or calibrate it by `nnpal calibrate"),
        (calibrated_al.path, 2, "calibrated for all of its 3 members"),
    ):
        calculator = nnpal.NNPCalculator(path, members=members)
        assert "error_force" not in calculator.implemented_properties
        for name in ("error_force", "error_energy"):
            with pytest.raises(ValueError, match=f"{name} of model .* is not defined: .*{message}"):
                calculator.get_property(name, frame)
        assert calculator.get_property("uq_force", frame).shape == (4,)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch")
@pytest.mark.parametrize("neighbors", ["list", "auto"])
def test_on_a_gpu(lmp: Lmp, calibrated_hcno: ExportedModel, neighbors: str) -> None:
    system = inside_and_outside()[0]
    system.write(lmp.folder / "data")
    options = f"device cuda precision double neighbors {neighbors}"
    run = lmp(header(calibrated_hcno, system, options=options) + MEASURE + "run 0\n")
    of_atoms, of_energy = expected_errors(calibrated_hcno, system)
    np.testing.assert_allclose(run.dump("err.dump")[0]["f_err[1]"], of_atoms, rtol=1e-7, atol=ROUNDING)
    found = [run.last("c_c[5]"), run.last("c_c[6]")]
    np.testing.assert_allclose(found, [of_atoms.max(), of_energy], rtol=1e-7, atol=ROUNDING)


def test_of_its_own_atoms_under_hybrid(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    """The guest does not count among the atoms that the energy's deviation is divided by."""
    crystal = fcc("Al", 4.05, 2, jiggle=0.05)
    of_atoms, of_energy = expected_errors(calibrated_al, crystal)
    per_atom = float(evaluate(calibrated_al.model, crystal).member_energies.sum(1).std() / 32)
    knee = calibration_of(calibrated_al)["force"]["knee"]
    guest = crystal.positions[0] + np.array([2.0, 0.0, 0.0])
    system = dataclasses.replace(
        crystal,
        elements=("Al", "Ni"),
        types=np.append(crystal.types, 2),
        positions=np.vstack([crystal.positions, guest]),
    )
    system.write(lmp.folder / "data")
    # With one atom more, the energies' deviation by atom would be lower by 3 %
    for name, limit, expected in (("above", 1.01 * per_atom, of_energy), ("below", 0.99 * per_atom, np.inf)):
        model = calibrated(calibrated_al, lmp.folder / f"{name}.pt", recipe(knee, [0.3], [0.7], (2.5, limit, 1e6)))
        run = lmp(
            f"""units metal
read_data data
pair_style hybrid nnp {model.path} precision double lj/cut 5.0
pair_coeff * * nnp Al NULL
pair_coeff * 2 lj/cut 0.01 2.2
"""
            + MEASURE
            + "run 0\n"
        )
        found = run.dump("err.dump")[0]["f_err[1]"]
        np.testing.assert_allclose(found, np.append(of_atoms, 0.0), rtol=1e-7, atol=ROUNDING)
        summary = [run.last("c_c[5]"), run.last("c_c[6]")]
        np.testing.assert_allclose(summary, [of_atoms.max(), expected], rtol=1e-7, atol=ROUNDING)


@pytest.mark.mpi
def test_without_a_calibration_there_is_none(lmp: Lmp, al_model: ExportedModel, calibrated_al: ExportedModel) -> None:
    """Not of a file of format 1, nor of format 2 that holds none, nor of fewer members than were calibrated."""
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    old = of_format_1(al_model, lmp.folder / "old.pt")
    bare = calibrated(al_model, lmp.folder / "bare.pt", None)
    to_calibrate = r"holds no calibration; train it .* or calibrate it by `nnpal calibrate \S+ LABELED`"
    for model, options, message in (
        (old, "", rf"old\.pt {to_calibrate}"),
        (bare, "", rf"bare\.pt {to_calibrate}"),
        (calibrated_al, "members 2", r"calibrated for all 3 members .* members is 2; use members all"),
    ):
        observe = f"compute c all pair nnp\nthermo_style custom step c_c[*]\n{THERMO_FORMAT}\nrun 0\n"
        script = header(model, system, options=f"precision double {options}") + observe
        text = lmp.expect_error(script + "fix err all pair 1 nnp error_force 1\n", f"error_force .*{message}")
        values = np.array([parse_thermo(text)[0][f"c_c[{k}]"][0] for k in range(1, 7)])
        assert np.isfinite(values[:4]).all()
        assert np.isposinf(values[4:]).all()


def test_without_a_recipe_for_the_energy(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    knee = calibration_of(calibrated_al)["force"]["knee"]
    model = calibrated(calibrated_al, lmp.folder / "forces.pt", recipe(knee, [0.3], [0.7]))
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    run = lmp(header(model, system) + MEASURE + "run 0\n")
    np.testing.assert_allclose(run.last("c_c[5]"), expected_errors(model, system)[0].max(), rtol=1e-7)
    assert np.isposinf(run.last("c_c[6]"))


def test_another_model_for_a_fix_that_is_there(lmp: Lmp, al_model: ExportedModel, calibrated_al: ExportedModel) -> None:
    """The fix has found the style's flag once; the style itself finds that there is no calibration now."""
    system = fcc("Al", 4.05, 2, jiggle=0.05)
    system.write(lmp.folder / "data")
    script = header(calibrated_al, system) + MEASURE + "run 0\n"
    script += "pair_style nnp {}\npair_coeff * * Al\nrun 0\nprint 'went on'\n"
    old = of_format_1(al_model, lmp.folder / "old.pt")
    for other, message in ((str(old.path), "holds no calibration"), (f"{calibrated_al.path} members 1", "2 members")):
        text = lmp.expect_error(script.format(other), message, ranks=(1,))
        assert "\nwent on" not in text
