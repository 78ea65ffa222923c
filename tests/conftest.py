"""Fixtures shared by all tests: the real `lmp`, and test models exported once a session."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")  # before torchani is imported

import numpy as np
import pytest
import torch
from torchani.arch import ANI

from calibrated_models import calibrated, recipe
from ensembles import one_element_ensemble, organic_ensemble
from lmp_runner import Lmp
from lmp_systems import fcc, random_hcno
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel, evaluate

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
def al_torchani_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members for Al that libtorch evaluates, by autograd."""
    path = tmp_path_factory.mktemp("al_torchani") / "al.nnp.pt"
    return Path(export_ensemble(one_element_ensemble("Al", 3), path, kernel="torchani"))


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


@pytest.fixture(scope="session")
def calibrated_hcno(hcno_model: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """With another recipe for each element, and knees and bounds amid what 24 atoms of `random_hcno` give."""
    system = random_hcno(24, 0.06, periodic=True)
    expected, species = evaluate(hcno_model.model, system), system.types - 1
    knee = np.array([np.median(expected.uq_force[species == e]) for e in range(4)])
    x = expected.uq_force / knee[species]
    limits = (1.01 * expected.member_energies.sum(1).std() / 24, 1.01 * x.max())
    path = tmp_path_factory.mktemp("calibrated") / "hcno.nnp.pt"
    return calibrated(hcno_model, path, recipe(knee, [0.1, 0.2, 0.4, 0.7], [0.5, 0.8, 1.0, 1.3], (3.0, *limits)))


@pytest.fixture(scope="session")
def calibrated_al(al_model: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """Whose configurations are all inside."""
    spread = evaluate(al_model.model, fcc("Al", 4.05, 2, jiggle=0.05)).uq_force
    path = tmp_path_factory.mktemp("calibrated") / "al.nnp.pt"
    return calibrated(al_model, path, recipe([float(np.median(spread))], [0.3], [0.7], (2.5, 1e6, 1e6)))
