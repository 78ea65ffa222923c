"""`nnpal evaluate` from the command line: files, configuration, tables, errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner, Result

from ensembles import one_element_ensemble
from nnpal.cli.document import Config
from nnpal.cli.evaluate import evaluate
from nnpal.config import ConfigError, read_toml
from nnpal.data import write_extxyz
from nnpal.demo.eam import eam_potential, label
from nnpal.model import export_ensemble
from nnpal.model.calculator import NNPCalculator
from torchani_reference import ExportedModel


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    atoms = [bulk("Al", cubic=True) * (2, 2, 2) for _ in range(4)]
    for seed, each in enumerate(atoms):
        each.rattle(0.1, seed=seed)
    labeled = label(atoms, eam_potential())
    for each, tag in zip(labeled, "aabb", strict=True):
        each.info["tag"] = tag
    return labeled


@pytest.fixture
def data(frames: list[Atoms], tmp_path: Path) -> Path:
    write_extxyz(tmp_path / "al.extxyz", frames)
    return tmp_path / "al.extxyz"


def test_tables_and_files(al_model: ExportedModel, data: Path, frames: list[Atoms], tmp_path: Path) -> None:
    done = run(al_model.path, data, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for text in ("ensemble", "member 2", "uq_force", "energy_std", "\na ", "\nb "):
        assert text in done.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    expected = []
    for frame in frames:
        atoms = frame.copy()
        atoms.calc = NNPCalculator(al_model.path)
        expected.append(1e3 * (atoms.get_forces() - frame.get_forces()))
    # the file keeps eight decimals
    assert summary["accuracy"]["ensemble"]["force_mae"] == pytest.approx(np.abs(expected).mean(), rel=1e-4)
    assert summary["accuracy"]["by_tag"]["b"]["force_mae"] == pytest.approx(np.abs(expected[2:]).mean(), rel=1e-4)
    assert summary["model"]["n_members"] == 3
    assert summary["calibration"][0]["n_values"] == 128
    assert (tmp_path / "out" / "parity_force.png").exists()
    assert "relaxed" not in summary


CONFIG = """
[network]

[evaluate]
data = ["al.extxyz"]
output = "{output}"
uq_force = false
oracle = ["pair_style eam/fs", "pair_coeff * * potential.fs {{element}}"]

[[evaluate.structures]]
phase = "fcc"
element = "Al"
bond = 2.86
"""


def test_configuration_file(
    al_model: ExportedModel, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data and potential lie beside it; the command line wins."""
    (tmp_path / "potential.fs").symlink_to(eam_potential())
    (tmp_path / "config.toml").write_text(CONFIG.format(output=tmp_path / "not_this"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = run(al_model.path, "--config", "../config.toml", "--output", "out", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary == json.loads((tmp_path / "elsewhere" / "out" / "summary.json").read_text())
    assert not (tmp_path / "not_this").exists()
    assert summary["accuracy"]["n_frames"] == 4
    assert [row["uncertainty"] for row in summary["calibration"]] == ["uq_energy", "energy_std"]
    table = summary["relaxed"]["Al"]
    assert table["oracle"]["Al-fcc"]["energy"] == pytest.approx(-3.41, abs=0.01)
    assert table["oracle"]["Al-fcc"]["bond"] == pytest.approx(4.05 / 2**0.5, abs=0.01)
    assert table["energy_errors"] == [table["model"]["Al-fcc"]["energy"] - table["oracle"]["Al-fcc"]["energy"]]


def test_structures_alone_print_their_table(tmp_path: Path) -> None:
    model = export_ensemble(one_element_ensemble("Al", 1, self_energy=0.0), tmp_path / "al.pt")
    text = CONFIG.replace('data = ["al.extxyz"]', "").format(output=tmp_path / "out")
    (tmp_path / "config.toml").write_text(text.replace("potential.fs", str(eam_potential())))
    done = run(model, "--config", tmp_path / "config.toml")
    assert done.exit_code == 0, done.output
    assert "Relaxed crystals of Al" in done.output
    assert "summed bond error" in done.output
    assert "Errors (" not in done.output


def test_one_member_has_errors_and_no_calibration(data: Path, tmp_path: Path) -> None:
    model = export_ensemble(one_element_ensemble("Al", 1), tmp_path / "al.pt")
    done = run(model, data, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "no uncertainty" in done.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[evaluate]\nuq_forces = true\n", r"evaluate\.uq_forces: unknown key; did you mean uq_force"),
        ('[evaluate]\ndevice = "gpu"\n', r"evaluate\.device = 'gpu'"),
        ('[[evaluate.structures]]\nphase = "sc"\nelement = "Al"\nbond = 2.8\n', r"phase = 'sc': input should be 'fcc'"),
        (
            '[[evaluate.structures]]\nphase = "fcc"\nelement = "Al"\nbond = 2.8\nc_over_a = 1.6\n',
            r"c_over_a = 1\.6 for fcc, expected for hcp only",
        ),
    ],
)
def test_wrong_configurations(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_toml(tmp_path / "config.toml", Config)


def test_errors_are_one_message(al_model: ExportedModel, data: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((tmp_path / "none.pt", data), "none.pt does not exist"),
        ((al_model.path, tmp_path / "none.extxyz"), "none.extxyz: no such file"),
        ((al_model.path,), "nothing to evaluate"),
        ((al_model.path, data, "--device", "gpu"), "command line: device = 'gpu'"),
        ((al_model.path, data, "--config", tmp_path / "none.toml"), "none.toml"),
    ):
        done = run(*arguments, "--output", tmp_path / "out")
        assert done.exit_code == 1
        assert done.stderr.startswith("nnpal evaluate: ")
        assert message in done.stderr
        assert "Traceback" not in done.output


def test_bad_data_name_the_configuration(al_model: ExportedModel, tmp_path: Path) -> None:
    copper = bulk("Cu", cubic=True)
    copper.calc = SinglePointCalculator(copper, energy=0.0, forces=np.zeros((4, 3)))
    write_extxyz(tmp_path / "cu.extxyz", [copper])
    done = run(al_model.path, tmp_path / "cu.extxyz", "--output", tmp_path / "out")
    assert done.exit_code == 1
    assert "configuration 0: atoms hold Cu" in done.stderr


def test_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration of docs/evaluate.md is one, and its relaxation runs."""
    page = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text()
    (tmp_path / "config.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    assert len(read_toml(tmp_path / "config.toml", Config).evaluate.structures) == 3
    (example,) = [block for block in page.split("```python\n")[1:] if "import Structure" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(example.split("```")[0], "docs/evaluate.md", "exec"), {})
    assert (tmp_path / "relax" / "Al-fcc.relaxed").exists()
