"""Model deviations: by hand, against DeePMD-kit's own function, and as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from ase.stress import voigt_6_to_full_3x3_stress
from typer.testing import CliRunner, Result

from ensembles import one_element_ensemble
from nnpal.cli.evaluate import evaluate
from nnpal.evaluation import Predictions, predict
from nnpal.evaluation.model_deviation import COLUMNS, model_deviation, write_model_deviation
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel


def predictions_of(energies: np.ndarray, forces: np.ndarray, virials: np.ndarray, n_atoms: list[int]) -> Predictions:
    """Members' energies [M, n], forces [M, atoms, 3] and virials [M, n, 6] as predictions."""
    stresses = np.full_like(virials, np.nan)
    return Predictions(
        n_atoms=np.array(n_atoms),
        energies=energies.mean(0),
        forces=forces.mean(0),
        stresses=stresses.mean(0),
        uq_energy=np.zeros(sum(n_atoms)),
        uq_force=np.sqrt(forces.var(0).sum(-1)),
        member_energies=energies,
        member_forces=forces,
        member_stresses=stresses,
        member_virials=virials,
    )


def slabs() -> list[Atoms]:
    frames = [bulk("Al", cubic=True) * (1, 1, n) for n in (1, 2, 1)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
    return frames


def test_two_members_by_hand() -> None:
    """Two values differ from their mean by half their difference, which is their standard deviation."""
    forces = np.array([[[0, 0, 0], [0, 0, 1], [3, 4, 0]], [[0, 0, 2], [0, 0, 1], [-3, -4, 0]]], dtype=float)
    virials = np.array(
        [[[2, 0, 0, 0, 0, 0], [3, 3, 3, 3, 3, 3]], [[0, 0, 0, 0, 0, 8], [-3, 3, 3, 3, 3, 3]]], dtype=float
    )
    found = model_deviation(predictions_of(np.array([[1.0, 2], [5, 2]]), forces, virials, [2, 1]))
    # configuration 0: forces deviate by 1 and 0; its virial by 1 (xx) and 4 (xy and yx), divided by two atoms
    expected = [0.5, 0.0, 0.0, 1.0, 0.0, 0.5, 1.0]
    expected[0], expected[2] = 2.0, np.sqrt((0.5**2 + 2 * 2.0**2) / 9)
    np.testing.assert_allclose(found[0], expected, rtol=1e-14)
    np.testing.assert_allclose(found[1], [3.0, 0.0, 1.0, 5.0, 5.0, 5.0, 0.0], rtol=1e-14)


def test_the_function_of_deepmd_kit() -> None:
    theirs = pytest.importorskip("deepmd.infer.model_devi")
    rng = np.random.default_rng(3)
    energies, forces, virials = rng.normal(size=(4, 5)), rng.normal(size=(4, 35, 3)), rng.normal(size=(4, 5, 6))
    found = model_deviation(predictions_of(energies, forces, virials, [7] * 5))
    of_virial = theirs.calc_model_devi_v(voigt_6_to_full_3x3_stress(virials).reshape(4, 5, 9) / 7)
    of_forces = theirs.calc_model_devi_f(forces.reshape(4, 5, 7, 3))
    expected = [*of_virial, *of_forces, theirs.calc_model_devi_e(energies[:, :, None] / 7)]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-12)


def test_virials_of_members(al_model: ExportedModel, hcno_model: ExportedModel) -> None:
    """In a cell -V times the stress; of a molecule, whose forces are its own, the sum of r x F."""
    frames = slabs()
    crystals = predict(al_model.path, frames)
    volumes = np.array([frame.get_volume() for frame in frames])
    np.testing.assert_allclose(crystals.member_virials, -volumes[:, None] * crystals.member_stresses, rtol=1e-12)
    ethanol = molecule("CH3CH2OH")
    found = predict(hcno_model.path, [ethanol])
    assert np.isnan(found.stresses).all()
    expected = np.einsum("ia,mib->mab", ethanol.positions, found.member_forces)
    # rounding of forces in single precision, about 1e-6 eV/Å, times coordinates of some Å
    np.testing.assert_allclose(voigt_6_to_full_3x3_stress(found.member_virials[:, 0]), expected, atol=1e-4)
    assert np.abs(expected).max() > 0.1


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def dump(path: Path, frames: list[Atoms]) -> Path:
    text = ""
    for index, frame in enumerate(frames):
        x, y, z = frame.cell.lengths()
        text += f"ITEM: TIMESTEP\n{50 * index}\nITEM: NUMBER OF ATOMS\n{len(frame)}\nITEM: BOX BOUNDS pp pp pp\n"
        text += f"0 {x:.17g}\n0 {y:.17g}\n0 {z:.17g}\nITEM: ATOMS id type x y z\n"
        text += "".join(f"{i + 1} 1 {x:.17g} {y:.17g} {z:.17g}\n" for i, (x, y, z) in enumerate(frame.positions))
    path.write_text(text)
    return path


def test_a_dump_and_bounds(al_model: ExportedModel, tmp_path: Path) -> None:
    frames = slabs()
    expected = model_deviation(predict(al_model.path, frames))
    low, middle, high = np.sort(expected[:, 3])
    bounds = ["--trust-lo", (low + middle) / 2, "--trust-hi", (middle + high) / 2]
    out = tmp_path / "model_devi.out"
    done = run(
        al_model.path, dump(tmp_path / "al.dump", frames), "--model-deviation", out, "--symbols", "Al",
        "--units", "metal", *bounds,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert f"3 configurations, max_devi_f from {low:.4g} to {high:.4g} eV/Å" in done.output
    assert "accurate 1, candidate 1, failed 1" in done.output
    table = np.loadtxt(out)
    assert table[:, 0].tolist() == [0, 50, 100]
    np.testing.assert_allclose(table[:, 1:], expected, rtol=1e-6)  # seven digits are written
    assert out.read_text().splitlines()[0].split() == ["#", "step", *COLUMNS]
    assert not (tmp_path / "evaluate").exists()


def test_steps_of_files_that_state_none(al_model: ExportedModel, tmp_path: Path) -> None:
    """Their configurations are counted, over all files."""
    frames = slabs()
    frames[0].info["step"] = 700
    write(tmp_path / "a.xyz", frames[0], format="extxyz")
    write(tmp_path / "b.traj", frames[1:])
    out = tmp_path / "out"
    done = run(al_model.path, tmp_path / "a.xyz", tmp_path / "b.traj", "--model-deviation", out, "--units", "eV Å")
    assert done.exit_code == 0, done.output
    assert np.loadtxt(out)[:, 0].tolist() == [700, 1, 2]


def test_what_is_refused(al_model: ExportedModel, tmp_path: Path) -> None:
    out, data = tmp_path / "out", dump(tmp_path / "al.dump", slabs())
    one = export_ensemble(one_element_ensemble("Al", 1), tmp_path / "one.nnp.pt")
    for arguments, message in (
        ([al_model.path, "--model-deviation", out], "no structures; give dumps"),
        ([one, data, "--model-deviation", out], "has one member, so no deviation"),
        ([al_model.path, data, "--model-deviation", out, "--json"], "--json has no effect with --model-deviation"),
        ([al_model.path, data, "--trust-lo", 1], "--trust-lo has no effect without --model-deviation"),
        ([al_model.path, data, "--model-deviation", out, "--trust-hi", 1], "--trust-hi 1 without --trust-lo"),
        (
            [al_model.path, data, "--model-deviation", out, "--trust-hi", 1, "--trust-lo", 2],
            "--trust-lo 2: expected 0 or more, and less than --trust-hi (1.0)",
        ),
        ([al_model.path, data, "--model-deviation", out, "--symbols", "Al"], "does not state its units"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1
        assert message in done.output.replace("\n", " ")
    assert not out.exists()
    with pytest.raises(ValueError, match="one member, expected at least two"):
        model_deviation(predict(one, slabs()))
    with pytest.raises(ValueError, match=r"use predict\(\.\.\., members=True\)"):
        model_deviation(predict(al_model.path, slabs(), members=False))


def test_rows_and_steps_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_model_deviation(tmp_path / "out", [1, 2], np.zeros((1, 7)))
