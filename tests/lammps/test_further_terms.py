"""Models with TorchANI's xTB repulsion and D3 dispersion in `lmp`: every quantity against TorchANI called directly."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from ensembles import dispersive_ensemble, repulsive_ensemble
from lmp_runner import Lmp
from lmp_single_point import single_point
from lmp_systems import System, random_hcno, tilted
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel, evaluate

# Of the largest force, some 1e2 eV/Å: see test_published_models.py
RELATIVE = {"double": 1e-9, "single": 1e-5}
ELEMENTS = ("O", "N", "C", "H")


def system() -> System:
    """Shorter than the repulsion's cutoff, and with the elements in another order than the model's."""
    known = tilted(random_hcno(16, 0.1, periodic=True), 1.0, -0.8, 0.6)
    return System(ELEMENTS, 5 - known.types, known.positions, known.cell)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportedModel]:
    """Both terms end after the AEV's 5.1 Å."""
    folder, found = tmp_path_factory.mktemp("further_terms"), {}
    repulsive, dispersive = repulsive_ensemble(cutoff=5.6), dispersive_ensemble(cutoff=5.4)
    for name, model, kernel in (
        ("fused", repulsive, "fused"),
        ("torchani", repulsive, "torchani"),
        ("dispersion", dispersive, "fused"),
        ("dispersion, torchani", dispersive, "torchani"),
    ):
        path = export_ensemble(model, folder / f"{len(found)}.pt", dtype=torch.float64, kernel=kernel)
        exact = copy.deepcopy(model).double()
        found[name] = ExportedModel(path, exact, tuple(exact.symbols), len(exact))
    return found


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("name", "precision", "n_ranks"),
    [
        ("fused", "double", 1),
        ("fused", "double", 2),
        pytest.param("fused", "single", 1, marks=pytest.mark.slow),
        pytest.param("torchani", "double", 1, marks=pytest.mark.slow),
        pytest.param("torchani", "double", 2, marks=pytest.mark.slow),
        pytest.param("torchani", "single", 2, marks=pytest.mark.slow),
        pytest.param("dispersion", "double", 1, marks=pytest.mark.slow),
        ("dispersion", "double", 2),
        pytest.param("dispersion", "single", 2, marks=pytest.mark.slow),
        pytest.param("dispersion, torchani", "double", 2, marks=pytest.mark.slow),
    ],
)
def test_in_lammps(lmp: Lmp, models: dict[str, ExportedModel], name: str, precision: str, n_ranks: int) -> None:
    model, atoms = models[name], system()
    expected = evaluate(model.model, atoms)
    point = single_point(lmp, model, atoms, n_ranks=n_ranks, options=f"precision {precision}")
    tolerance = RELATIVE[precision] * np.abs(expected.forces).max()
    np.testing.assert_allclose(point.energy, expected.energy, rtol=0, atol=len(atoms.types) * tolerance)
    np.testing.assert_allclose(point.atomic_energies, expected.atomic_energies, rtol=0, atol=tolerance)
    np.testing.assert_allclose(point.forces, expected.forces, rtol=0, atol=tolerance)
    virial = expected.virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(point.virial, virial, rtol=0, atol=20 * tolerance)
    np.testing.assert_allclose(point.uq_energy, expected.uq_energy, rtol=0, atol=tolerance)
    np.testing.assert_allclose(point.uq_force, expected.uq_force, rtol=0, atol=tolerance)
    of_atoms = sum(point.frame[f"c_s[{k}]"] for k in (1, 2, 3)).sum()  # -pressure * volume, in bar Å³
    np.testing.assert_allclose(-of_atoms / 1.6021765e6, np.trace(expected.virial), atol=100 * tolerance)
