"""The published ANI models' forms, with random weights: TorchANI's own ANI2x, ANI1x and ANI1ccx, 8 members each.

In `lmp`, in `NNPCalculator` and by `load_model`, against TorchANI called directly with CELU's exact slope.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from ensembles import published_ensemble, with_slow_celu
from lmp_runner import Lmp
from lmp_single_point import single_point
from lmp_systems import System
from nnpal.calculator import NNPCalculator
from nnpal.export import export_ensemble
from nnpal.gate import check_export
from torchani_reference import ExportedModel, Reference, evaluate

# Of the largest force or 1 eV/Å: float64 sums of 1e4 terms, beside self-energies of 1e4 eV; float32 keeps 6e-8 of each
# term, and Gaussians multiply the rounding of distances by 1e2. By torch's slope of CELU forces are off by 1.5e-8.
RELATIVE = {"double": 2e-9, "single": 2e-5}

FILES = {
    # name: TorchANI's model, precision of the file, kernel
    "ANI-2x": ("ANI2x", torch.float32, "fused"),
    "ANI-2x in float64": ("ANI2x", torch.float64, "fused"),
    "ANI-1x": ("ANI1x", torch.float64, "fused"),
    "ANI-1x by TorchANI's modules": ("ANI1x", torch.float32, "torchani"),
    "ANI-1ccx": ("ANI1ccx", torch.float32, "fused"),
}
IN_LAMMPS = [
    ("ANI-2x", "double"),
    ("ANI-2x", "single"),
    ("ANI-2x in float64", "double"),
    ("ANI-2x in float64", "single"),
    ("ANI-1x", "double"),
    ("ANI-1x by TorchANI's modules", "double"),
    ("ANI-1ccx", "double"),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ExportedModel]:
    """Export a model once, and keep it beside its file."""
    folder = tmp_path_factory.mktemp("published")
    done: dict[str, ExportedModel] = {}

    def get(name: str) -> ExportedModel:
        if name not in done:
            build, dtype, kernel = FILES[name]
            model = published_ensemble(build)
            path = export_ensemble(model, folder / f"{len(done)}.nnp.pt", dtype=dtype, kernel=kernel)
            done[name] = ExportedModel(path, with_slow_celu(model), tuple(model.symbols), len(model))
        return done[name]

    return get


def grid_of(elements: tuple[str, ...]) -> System:
    """Twenty-one atoms on a rattled grid of 1.6 Å, every element three times or more."""
    places = np.stack(np.meshgrid(*3 * [np.arange(3)], indexing="ij"), -1).reshape(-1, 3)[:21]
    positions = 1.6 * places + np.random.default_rng(3).normal(0, 0.1, places.shape)
    types = 1 + np.arange(21) % len(elements)
    return System(elements, types, positions, 20.0 * np.eye(3), periodic=False, origin=np.full(3, -8.0))


def expected_of(model: ExportedModel, system: System) -> Reference:
    reference = evaluate(model.model, system)
    assert np.abs(reference.forces).max() > 0.5  # a wrong slope would show
    return reference


def test_they_have_the_published_size(published: Callable[[str], ExportedModel]) -> None:
    two = published("ANI-2x").model
    assert published("ANI-2x").elements == ("H", "C", "N", "O", "S", "F", "Cl")
    assert (published("ANI-2x").n_members, two.aev_computer.out_dim) == (8, 1008)
    assert sum(parameter.numel() for parameter in two.parameters()) == 13_705_784
    assert (published("ANI-1x").n_members, published("ANI-1x").model.aev_computer.out_dim) == (8, 384)


@pytest.mark.parametrize(("name", "precision"), IN_LAMMPS)
def test_in_lammps(lmp: Lmp, published: Callable[[str], ExportedModel], name: str, precision: str) -> None:
    model = published(name)
    system = grid_of(model.elements)
    expected = expected_of(model, system)
    point = single_point(lmp, model, system, options=f"precision {precision}")
    tolerance = RELATIVE[precision] * max(1.0, float(np.abs(expected.forces).max()))
    np.testing.assert_allclose(point.energy, expected.energy, atol=len(system.types) * tolerance, rtol=0)
    np.testing.assert_allclose(point.forces, expected.forces, atol=tolerance, rtol=0)
    np.testing.assert_allclose(point.uq_energy, expected.uq_energy, atol=tolerance, rtol=0)
    np.testing.assert_allclose(point.uq_force, expected.uq_force, atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", FILES)
def test_in_python(published: Callable[[str], ExportedModel], name: str, dtype: torch.dtype) -> None:
    model = published(name)
    system = grid_of(model.elements)
    expected = expected_of(model, system)
    atoms = Atoms(system.symbols, system.positions)
    atoms.calc = NNPCalculator(model.path, dtype=dtype)
    precision = "double" if dtype == torch.float64 else "single"
    tolerance = RELATIVE[precision] * max(1.0, float(np.abs(expected.forces).max()))
    np.testing.assert_allclose(atoms.get_potential_energy(), expected.energy, atol=len(atoms) * tolerance, rtol=0)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=tolerance, rtol=0)


def test_the_gate_passes_one(published: Callable[[str], ExportedModel], tmp_path: Path) -> None:
    """LAMMPS against Python in both precisions, and forces against differences of the energy."""
    system = grid_of(published("ANI-2x").elements)
    assert check_export(published("ANI-2x").path, [Atoms(system.symbols, system.positions)], folder=tmp_path).passed
