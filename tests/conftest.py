"""Fixtures shared by all tests: the real `lmp`, and test models exported once a session."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")  # before torchani is imported

import pytest
import torch
from torchani.arch import ANI

from ensembles import one_element_ensemble, organic_ensemble
from lmp_runner import Lmp
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel

pytest_plugins = ["leftover_processes"]
torch.set_num_threads(1)


@pytest.fixture
def hasty_processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """Have Popen leave its block at once after KeyboardInterrupt, as if 0.25 s were over, and list what is started."""
    started = []
    begin = subprocess.Popen.__init__

    def begin_hastily(process: subprocess.Popen[str], *arguments: Any, **options: Any) -> None:
        begin(process, *arguments, **options)
        process._sigint_wait_secs = 0
        started.append(process)

    monkeypatch.setattr(subprocess.Popen, "__init__", begin_hastily)
    return started


@pytest.fixture
def lmp(tmp_path: Path) -> Lmp:
    """Run `lmp` in this test's own folder."""
    return Lmp(tmp_path)


@pytest.fixture(scope="session")
def lmp_in() -> Callable[[Path], Lmp]:
    """Run `lmp` in a folder that the caller names, for fixtures of wider scope."""
    return Lmp


def exported(model: ANI, path: Path) -> ExportedModel:
    """Export in float32, as users do, and keep the model in float64, as the reference wants it."""
    export_ensemble(model, path, dtype=torch.float32)
    return ExportedModel(path, model.double(), tuple(model.symbols), len(model))


@pytest.fixture(scope="session")
def al_model(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """Three members for Al, cutoff 6.9 Å."""
    return exported(one_element_ensemble("Al", 3), tmp_path_factory.mktemp("al") / "al.nnp.pt")


@pytest.fixture(scope="session")
def al_other_model(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """Another ensemble for Al."""
    model = one_element_ensemble("Al", 3, seed=7)
    return exported(model, tmp_path_factory.mktemp("al_other") / "al.nnp.pt")


@pytest.fixture(scope="session")
def hcno_model(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """Three members for H, C, N and O, cutoff 5.1 Å."""
    model = organic_ensemble(("H", "C", "N", "O"), 3)
    return exported(model, tmp_path_factory.mktemp("hcno") / "hcno.nnp.pt")
