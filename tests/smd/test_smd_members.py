"""Error bars of activation energies from members, on Morse bonds whose depths are the answers, and by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from typer.testing import CliRunner

from nnpal.calibration.recipe import Calibration, EnergyRecipe, ForceRecipe
from nnpal.cli.app import app
from nnpal.evaluation import predict
from nnpal.evaluation.members import member_energies
from nnpal.model.archive import write_calibrated
from nnpal.smd import Pull, along_pulls, mean_activation_energy, own_pulls
from nnpal.smd.members import jump_of
from nnpal.smd.trace import TraceFile
from torchani_reference import ExportedModel

A, R0, K = 2.0, 1.5, 100.0
DEPTHS = np.array([3.7, 3.9, 4.1, 4.3])
FACTS = {"units": "metal", "boltz": 8.617343e-5, "pulled": "atoms 1 2", "k": K, "rate": 1.0}
# The bond is not quite gone at 6 Å, by 1e-3 of its depth
TOLERANCE = 2e-3


def shape(d: np.ndarray) -> np.ndarray:
    """Return the energy of a Morse bond of depth 1."""
    return (1 - np.exp(-A * (d - R0))) ** 2


def morse_pull(depth: float, n: int = 4001, noise: float = 0.0, seed: int = 0) -> Pull:
    """Return an infinitely slow pull of a Morse bond by a spring that is stiffer than the bond is anywhere."""
    d = np.linspace(R0, 6.0, n)
    x = np.exp(-A * (d - R0))
    force = 2 * depth * A * (x - x**2) + np.random.default_rng(seed).normal(0, noise, n)
    target = d + force / K if noise == 0.0 else d
    work = np.concatenate([[0.0], np.cumsum(0.5 * (force[1:] + force[:-1]) * np.diff(target))])
    return Pull(10 * np.arange(n), d, target, force, work, {k: str(v) for k, v in FACTS.items()}, "morse")


def frames_of(pull: Pull, every: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return steps of saved frames and the energies that bonds of all depths have there."""
    return pull.step[::every], DEPTHS[:, None] * shape(pull.d[::every])


def test_along_the_mean_pull_each_member_has_its_own_depth() -> None:
    pull = morse_pull(DEPTHS.mean())
    steps, energies = frames_of(pull)
    found = along_pulls([pull], [steps], [energies + 7.0], window=0.1)
    np.testing.assert_allclose(found.values, DEPTHS, atol=TOLERANCE * 4.3)
    assert found.error == pytest.approx(DEPTHS.std(), rel=2 * TOLERANCE)
    assert found.method == "first order"
    offsets = np.array([1.0, -2.0, 0.5, 9.0])[:, None]  # energies of members are known but for a constant
    shifted = along_pulls([pull], [steps], [energies + offsets], window=0.1)
    np.testing.assert_allclose(shifted.values, found.values, atol=1e-9)


def test_own_pulls_and_the_pull_of_the_mean_agree() -> None:
    own = own_pulls([[morse_pull(depth)] for depth in DEPTHS])
    mean = morse_pull(DEPTHS.mean())
    steps, energies = frames_of(mean)
    np.testing.assert_allclose(along_pulls([mean], [steps], [energies], 0.1).values, own.values, atol=2e-3)
    assert own.method == "own runs"


def soft_pull(depth: float, k: float = 3.0) -> Pull:
    """Return a slow pull by a spring softer than the falling side of the bond, −U'' ≤ 4 eV/Å²: the bond jumps."""
    target = np.linspace(R0, 8.0, 3251)
    d = np.empty_like(target)
    here = R0
    for i, end in enumerate(target):
        for _ in range(4000):  # downhill to the minimum that follows from the one before
            x = np.exp(-A * (here - R0))
            slope = 2 * depth * A * (x - x**2) - k * (end - here)
            here -= 0.02 * slope
            if abs(slope) < 1e-7:
                break
        d[i] = here
    force = k * (target - d)
    work = np.concatenate([[0.0], np.cumsum(0.5 * (force[1:] + force[:-1]) * np.diff(target))])
    return Pull(10 * np.arange(len(d)), d, target, force, work, name="soft")


def test_a_jump_does_no_work() -> None:
    """What ΔU gains in the jump goes into heat under each member too."""
    depths = 4.0 + np.array([-0.06, -0.02, 0.03, 0.05])
    mean = soft_pull(4.0)
    assert np.diff(mean.d).max() > 0.5, "it jumps"
    exact = np.array([soft_pull(depth).work.max() for depth in depths])
    steps, energies = mean.step[::10], depths[:, None] * shape(mean.d[::10])
    found = along_pulls([mean], [steps], [energies], window=0.05)
    at = jump_of(mean, 0.05)
    assert at == pytest.approx(mean.target[np.argmax(np.diff(mean.d))], abs=0.01)
    assert found.error == pytest.approx(exact.std(), rel=0.1)
    assert np.isnan(jump_of(morse_pull(4.0), 0.05)), "a stiff spring is followed"


def test_noise_of_frames_is_averaged_over_the_window() -> None:
    pull = morse_pull(DEPTHS.mean())
    steps, energies = frames_of(pull, every=4)
    noisy = energies + np.random.default_rng(0).normal(0, 0.3, energies.shape)
    # 112 frames in 0.5 Å: 0.3/√112 = 0.03, once at the start and once at the top, whose largest of some is taken
    found = along_pulls([pull], [steps], [noisy], window=0.5)
    np.testing.assert_allclose(found.values - found.values.mean(), DEPTHS - DEPTHS.mean(), atol=0.2)
    sharp = along_pulls([pull], [steps], [noisy], window=1e-3)
    assert sharp.values.mean() > found.values.mean() + 0.2, "without a window the largest noise is taken for a barrier"


def test_pushing_together_is_the_mirror_image() -> None:
    pull = morse_pull(DEPTHS.mean())
    mirrored = Pull(pull.step, -pull.d, -pull.target, -pull.force, pull.work, pull.facts, "mirrored")
    steps, energies = frames_of(pull)
    one, other = (along_pulls([p], [steps], [energies], 0.1).values for p in (pull, mirrored))
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_means_over_pulls_and_their_standard_error() -> None:
    pulls = [morse_pull(depth) for depth in (3.9, 4.0, 4.2)]
    value, error = mean_activation_energy(pulls)
    values = np.array([pull.work.max() for pull in pulls])
    assert value == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(3))
    assert mean_activation_energy(pulls[:1])[1] is None
    frames = [frames_of(pull) for pull in pulls]
    found = along_pulls(pulls, [s for s, _ in frames], [e for _, e in frames], 0.1)
    np.testing.assert_allclose(found.values, value + DEPTHS - 4.0, atol=2e-3)


def test_frames_that_do_not_span_the_pull_are_refused() -> None:
    pull = morse_pull(4.0)
    steps, energies = frames_of(pull)
    for kept in (slice(0, 50), slice(50, None)):
        with pytest.raises(ValueError, match=r"the frames reach from λ = .*, expected λ = 1.5 to"):
            along_pulls([pull], [steps[kept]], [energies[:, kept]], 0.1)
    with pytest.raises(ValueError, match="the frames reach no λ of a row"):
        along_pulls([pull], [steps + 1], [energies], 0.1)
    with pytest.raises(ValueError, match="members: 1, expected 2 or more"):
        along_pulls([pull], [steps], [energies[:1]], 0.1)
    with pytest.raises(ValueError, match="member 1: no pulls"):
        own_pulls([[pull], []])


def write_trace(path: Path, pull: Pull, **facts: object) -> None:
    file = TraceFile(path, FACTS | facts, writes=True)
    for row in zip(pull.step, pull.d, pull.target, pull.force, pull.work, strict=True):
        file.write(0.001 * row[0], int(row[0]), np.array(row[1:]))
    file.close()


def report(*words: object) -> Any:
    return CliRunner().invoke(app, ["smd", "report", *map(str, words), "--temperature", "300"])


def test_report_with_pulls_of_each_member(tmp_path: Path) -> None:
    for seed in range(2):
        write_trace(tmp_path / f"mean.{seed}.txt", morse_pull(4.0, 401, 0.2, seed))
        for i, depth in enumerate(DEPTHS):
            write_trace(tmp_path / f"m{i}.{seed}.txt", morse_pull(depth, 401, 0.2, seed))
    files = [tmp_path / f"mean.{seed}.txt" for seed in range(2)]
    members = [word for i in range(4) for word in ("--member", tmp_path / f"m{i}.*.txt")]
    found = json.loads(report(*files, *members, "--json").output)["activation_energy"]
    assert found["members"]["error"] == pytest.approx(DEPTHS.std(), abs=5e-3)  # the same noise in all
    assert len(found["members"]["members"]) == 4
    assert found["statistical"] > 0
    text = " ".join(report(*files, *members).output.split())
    assert "(statistical, 2 pulls) ± 0.22 (members)" in text
    assert "uncalibrated spread of the members" in text
    tripled = json.loads(report(*files, *members, "--factor", 3, "--json").output)["activation_energy"]
    assert tripled["members"]["error"] == pytest.approx(3 * found["members"]["error"])
    bare = json.loads(report(*files, "--json").output)["activation_energy"]
    assert bare["members"] is None
    write_trace(tmp_path / "m3.0.txt", morse_pull(4.3, 401), rate=2.0)
    for words, message in (
        (("--member", tmp_path / "m0.1.txt"), "1 files, but 2 pulls of the ensemble; give the same number"),
        (("--member", tmp_path / "none.*"), "no such file; give a file or a quoted pattern"),
        (members, "rate is 2.0, in"),
        (members[:2], "members: 1, expected 2 or more"),
        (("--model", "m.nnp.pt"), "--model requires --frames"),
        (("--model", "m.nnp.pt", "--frames", "f.dump"), "--frames: 1 files for 2 pulls"),
    ):
        refused = report(*files, *words)
        assert refused.exit_code == 1
        assert message in refused.output


@pytest.mark.parametrize("kind", ["dump", "xyz"])
def test_report_with_the_members_along_the_pull(tmp_path: Path, al_model: ExportedModel, kind: str) -> None:
    """Rows of frames alone and a window below their distance leave W + ΔU_m − ΔU_m(start), largest along the pull."""
    frames = [Atoms("Al3", positions=[[0, 0, 0], [0, 2.5, 0], [2.4 + 0.1 * i, 0.3, 0]]) for i in range(25)]
    energies = predict(al_model.path, frames, members=False, uq_force=False).member_energies
    change = energies - energies.mean(axis=0)
    change -= change[:, :1]
    target = 2.4 + 0.1 * np.arange(25)
    work = np.minimum(0.2 * np.arange(25), 3.0)
    pull = Pull(100 * np.arange(25), target, target, np.zeros(25), work)
    write_trace(tmp_path / "pull.txt", pull)
    for i, frame in enumerate(frames):
        frame.info["step"] = 100 * i
        frame.cell = [30, 30, 30]
    path = tmp_path / f"frames.{kind}"
    if kind == "dump":
        path.write_text("".join(map(dump_frame, frames)))
        words: tuple[object, ...] = ("--symbols", "Al")
    else:
        write(path, frames, format="extxyz")
        words = ()
    done = report(tmp_path / "pull.txt", "--model", al_model.path, "--frames", path, *words, "--window", 0.05, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)["activation_energy"]
    expected = (work + change).max(axis=1)
    np.testing.assert_allclose(found["members"]["members"], expected, atol=2e-4)
    assert np.std(expected) > 0.01
    assert found["members"]["error"] == pytest.approx(np.std(expected), abs=2e-4)
    assert found["statistical"] is None


def test_the_factor_of_the_model_file_is_used(tmp_path: Path, al_model: ExportedModel) -> None:
    frames = [Atoms("Al3", positions=[[0, 0, 0], [0, 2.5, 0], [2.4 + 0.1 * i, 0.3, 0]]) for i in range(25)]
    spread = predict(al_model.path, frames, members=False, uq_force=False).member_energies.std(axis=0)
    force = ForceRecipe(knee=(1.0,), error_at_knee=(2.0,), exponent=(1.0,))
    # the spread of 20 of 25 frames is as small as that of the calibration
    energy = EnergyRecipe(factor=2.5, largest_per_atom=float(np.sort(spread)[19:21].mean()) / 3, largest=1.5)
    write_calibrated(al_model.path, Calibration(force, energy), tmp_path / "calibrated.nnp.pt")
    found = member_energies(tmp_path / "calibrated.nnp.pt", frames)
    assert (found.factor, found.n_outside) == (2.5, 5)
    bare = member_energies(al_model.path, frames)
    assert (bare.factor, bare.n_outside) == (None, 0)
    np.testing.assert_array_equal(found.energies, bare.energies)
    target = 2.4 + 0.1 * np.arange(25)
    write_trace(tmp_path / "pull.txt", Pull(100 * np.arange(25), target, target, np.zeros(25), 0.1 * np.arange(25)))
    for i, frame in enumerate(frames):
        frame.info["step"] = 100 * i
        frame.cell = [30, 30, 30]
    (tmp_path / "pull.lammpstrj").write_text("".join(map(dump_frame, frames)))

    def lines(model: Path) -> str:
        words = ("--model", model, "--frames", tmp_path / "pull.lammpstrj", "--symbols", "Al", "--window", 0.05)
        return " ".join(report(tmp_path / "pull.txt", *words).output.split())

    assert "on 5 of 25 frames the members differ by more than on any configuration" in lines(
        tmp_path / "calibrated.nnp.pt"
    )
    assert "error bar: spread of the members times 2.5, valid only near the training data" in lines(
        tmp_path / "calibrated.nnp.pt"
    )
    assert "uncalibrated spread of the members" in lines(al_model.path)


def dump_frame(frame: Atoms) -> str:
    rows = "".join(f"{i} 1 {x:.8f} {y:.8f} {z:.8f}\n" for i, (x, y, z) in enumerate(frame.positions, start=1))
    return (
        f"ITEM: TIMESTEP\n{frame.info['step']}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n"
        f"ITEM: BOX BOUNDS ff ff ff\n0 30\n0 30\n0 30\nITEM: ATOMS id type xu yu zu\n{rows}"
    )
