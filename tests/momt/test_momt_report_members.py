"""`nnpal momt report --model --frames`: the error bar from the members, on frames that a run saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from typer.testing import CliRunner

from ensembles import one_element_ensemble
from nnpal.cli.app import app
from nnpal.evaluation import predict
from nnpal.model import export_ensemble
from nnpal.momt import Bias, write_bias
from nnpal.momt.bias_file import Walls
from nnpal.momt.grid import Axis
from nnpal.momt.trace import TraceWriter

BOLTZ, T0, N = 8.617343e-5, 500.0, 800
KT0 = BOLTZ * T0
STRONGER = np.array([-0.06, 0.01, 0.05])  # interactions of each member, relative to their mean
OTHER = 0.03  # interactions of another model, relative to the run's


class Run:
    """A folder with bias file, trace and dump of a walk under a model between two phases, in balance near T0."""

    def __init__(self, folder: Path, model: Path) -> None:
        rng = np.random.default_rng(3)
        self.solid = np.repeat(rng.uniform(size=N // 10) < 0.5, 10)
        grown = np.where(self.solid, 1.0, 1.06)
        self.frames = [_cell(g, rng) for g in grown]
        self.energies = predict(model, self.frames, members=False, uq_force=False).member_energies
        self.U = self.energies.mean(axis=0)
        self.V = np.array([frame.get_volume() for frame in self.frames])
        axes = (Axis("H", self.U.min() - 9, self.U.max() + 9, 4), Axis("O", 0.0, 35.0, 5))
        facts = {"units": "metal", "boltz": BOLTZ, "nktv2p": 1.6e6, "n_atoms": 4, "temp": T0, "press": 0.0}
        writer = TraceWriter(folder / "momt.trace", facts, None, axes)
        for i in range(N):
            order = rng.normal(30.0 if self.solid[i] else 4.0, 1.0)
            writer.add(0.1 * i, 100 * i, self.U[i], self.V[i], order, 0.0, 0, 1, 0.01)
        writer.close()
        visits, walls = np.ones((4, 5), dtype=np.int64), Walls(True, True, 0.1, 0.3, True)
        bias = Bias(
            **facts, axes=axes, walls=(walls, walls), coefficients=np.zeros((5, 6)), visits=visits,
            flatness_visits=visits, production_visits=visits, ln_f=0.01, round_trips=25, phase=1,
        )  # fmt: skip
        write_bias(folder / "momt.h5", bias)
        self.write(folder / "frames.lammpstrj", range(N))

    def write(self, path: Path, chosen: Any) -> None:
        path.write_text("".join(_dump_frame(self.frames[i], 100 * i) for i in chosen))


def _cell(grown: float, rng: np.random.Generator) -> Atoms:
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    edge = 4.05 * grown * (1 + rng.normal(0, 0.005))
    return Atoms("Al4", positions=edge * fcc + rng.normal(0, 0.05, (4, 3)), cell=[edge] * 3, pbc=True)


def _dump_frame(frame: Atoms, step: int) -> str:
    rows = "".join(f"{i} 1 {x:.10f} {y:.10f} {z:.10f}\n" for i, (x, y, z) in enumerate(frame.positions, start=1))
    box = f"0 {frame.cell[0, 0]:.10f}\n" * 3
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(frame)}\nITEM: BOX BOUNDS pp pp pp\n{box}"
        f"ITEM: ATOMS id type xu yu zu\n{rows}"
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """Return the folder of a run and a model whose members are one network, with final layers times 1 + STRONGER."""
    folder = tmp_path_factory.mktemp("momt")
    ensemble = one_element_ensemble("Al", len(STRONGER))
    networks = [member.atomics["Al"] for member in ensemble.neural_networks.members]
    for network in networks:
        network.load_state_dict({k: v.clone() for k, v in networks[0].state_dict().items()})
    with torch.no_grad():
        for network, stronger in zip(networks, STRONGER, strict=True):
            for parameter in network.final_layer.parameters():
                parameter *= 1 + stronger
    export_ensemble(ensemble, folder / "al.nnp.pt", dtype=torch.float64)
    with torch.no_grad():
        for network in networks:
            for parameter in network.final_layer.parameters():
                parameter *= 1 + OTHER
    export_ensemble(ensemble, folder / "other.nnp.pt", dtype=torch.float64)
    return folder, Run(folder, folder / "al.nnp.pt")


def report(folder: Path, *words: object, model: str = "al.nnp.pt", frames: str = "frames.lammpstrj") -> Any:
    given = [folder / "momt.h5", folder / "momt.trace", "--model", folder / model, "--frames", folder / frames]
    return CliRunner().invoke(app, ["momt", "report", *map(str, (*given, *words))])


def test_averages_and_coexistence_have_a_second_error_bar(run: tuple[Path, Run], tmp_path: Path) -> None:
    """All energies times 1 + x is the mean's potential at T/(1 + x)."""
    folder, ours = run
    words = ("--symbols", "Al", "--divide", 15)
    done = report(folder, *words, "--json", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    row, melting = found["temperatures"][0], found["coexistence"]
    assert "error" not in row, row
    assert row["members"]["volume"]["method"] == melting["members"]["method"] == "reweighted"
    assert melting["members"]["members"] == pytest.approx(melting["temp"] * (1 + STRONGER), rel=1e-4)
    assert melting["members"]["error"] == pytest.approx(melting["temp"] * STRONGER.std(), rel=1e-3)
    weights = np.exp(-STRONGER[:, None] * (ours.U - ours.U.mean()) / KT0)
    weights /= weights.sum(axis=1, keepdims=True)
    assert row["members"]["volume"]["members"] == pytest.approx(weights @ ours.V, rel=1e-5)
    assert row["members"]["enthalpy"]["members"] == pytest.approx((weights * ours.energies).sum(axis=1), abs=1e-5)
    assert row["members"]["volume"]["n_effective"] == pytest.approx((1 / (weights**2).sum(axis=1)).min(), rel=1e-3)
    assert row["members"]["widths"] == pytest.approx(np.abs(STRONGER) * ours.U.std() / KT0, rel=1e-3)
    assert (tmp_path / "free_energy.png").is_file()
    text = " ".join(report(folder, *words).output.split())
    assert f"± {melting['members']['error']:.2g} K (phases separated" in text
    assert "error bars from the members: 3 members on 800 frames; uncalibrated spread of the members" in text
    tripled = json.loads(report(folder, *words, "--factor", 3, "--json").output)
    assert tripled["coexistence"]["members"]["error"] == pytest.approx(3 * melting["members"]["error"])


def test_averages_under_another_model(run: tuple[Path, Run], tmp_path: Path) -> None:
    """The other model's energies are those of the run's times 1 + x: its phases are in balance at (1 + x) T_m."""
    folder, ours = run
    plain = ["momt", "report", str(folder / "momt.h5"), str(folder / "momt.trace"), "--divide", "15"]
    frames = ["--frames", str(folder / "frames.lammpstrj"), "--symbols", "Al"]
    own = json.loads(CliRunner().invoke(app, [*plain, "--json"]).output)
    words = [*plain, *frames, "--reweight-to", str(folder / "other.nnp.pt")]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["coexistence"]["temp"] == pytest.approx(own["coexistence"]["temp"] * (1 + OTHER), rel=1e-4)
    assert found["coexistence"]["latent_heat"] == pytest.approx(
        own["coexistence"]["latent_heat"] * (1 + OTHER), rel=1e-3
    )
    assert found["width"] == pytest.approx(OTHER * ours.U.std() / KT0, rel=1e-3)
    members = np.array(found["coexistence"]["members"]["members"])
    assert members == pytest.approx(found["coexistence"]["temp"] * (1 + STRONGER), rel=1e-3)
    text = " ".join(CliRunner().invoke(app, words).output.split())
    assert f"reweighted to another model on {N} frames: standard deviation of the energy difference" in text
    both = CliRunner().invoke(app, [*words, "--model", str(folder / "al.nnp.pt")])
    assert "--model and --reweight-to cannot be combined: give the model of the run, or another one" in both.output
    without = CliRunner().invoke(app, [*plain, "--reweight-to", "m"])
    assert (both.exit_code, without.exit_code) == (1, 1)
    assert "--reweight-to requires --frames" in without.output


def test_mistakes_with_frames_are_one_line(run: tuple[Path, Run]) -> None:
    folder, ours = run
    al = ("--symbols", "Al")
    ours.write(folder / "few.lammpstrj", range(0, N, 45))
    (folder / "other.lammpstrj").write_text("".join(_dump_frame(f, 100 * i + 700) for i, f in enumerate(ours.frames)))
    plain = ["momt", "report", str(folder / "momt.h5"), str(folder / "momt.trace")]
    for result, message in (
        (report(folder), "has no column `element`; give symbols"),
        (report(folder, *al, frames="few.lammpstrj"), "18 frames belong to production rows"),
        (report(folder, *al, frames="other.lammpstrj"), "give the frames and the model of this run"),
        (report(folder, "--frames", folder / "few.lammpstrj"), "--frames: 2 files for 1 traces"),
        (report(folder, *al, model="none.nnp.pt"), "none.nnp.pt"),
        (CliRunner().invoke(app, [*plain, "--model", "m"]), "--model requires --frames"),
    ):
        assert result.exit_code == 1, result.output
        assert message in result.output
        assert "Traceback" not in result.output
