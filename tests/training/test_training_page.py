"""The examples of docs/training.md are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnpal.cli.document import read_config
from nnpal.data import write_dataset
from nnpal.model import read_metadata
from nnpal.training import EnsembleSettings, LossSettings, TrainingSettings
from training_frames import aluminum

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


def block(language: str) -> str:
    return PAGE.split(f"```{language}\n")[1].split("```")[0]


def test_configuration_of_the_page(tmp_path):
    (tmp_path / "al.toml").write_text(block("toml"))
    config = read_config(tmp_path / "al.toml")
    assert config.training.updates == 2000
    assert config.ensemble.folder == "train"


def test_python_of_the_page(tmp_path, monkeypatch, capsys):
    write_dataset(tmp_path / "al.h5", aluminum(5), provenance={})
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python"), "docs/training.md", "exec"), {})
    assert read_metadata(tmp_path / "al.nnp.pt").n_members == 2
    assert len(capsys.readouterr().out.splitlines()) == 2 * 20


@pytest.mark.parametrize(
    "key", ["stress_weight", "huber_energy", "bias_optimizer", "best_member", "features_gigabytes"]
)
def test_keys_of_the_page_exist(key):
    assert key in PAGE
    assert any(key in section.model_fields for section in (LossSettings, TrainingSettings, EnsembleSettings))
