"""Calibrated models: knees amid the spreads that the tests' systems meet, another recipe for each element."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated_models import calibrated, recipe
from lmp_systems import fcc, random_hcno
from torchani_reference import ExportedModel, evaluate


@pytest.fixture(scope="session")
def calibrated_hcno(hcno_model: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
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
