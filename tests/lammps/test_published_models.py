"""The published ANI models' forms, with random weights, as ``torchani.models`` builds them, 8 members each.

In `lmp`, in `NNPCalculator` and by `load_model`, against TorchANI called directly with CELU's exact slope.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from torchani.arch import ANI

from ensembles import published_ensemble, with_slow_celu
from lmp_runner import Lmp
from lmp_single_point import single_point
from lmp_systems import System
from nnpal.evaluation.gate import check_export
from nnpal.model import export_ensemble, read_metadata
from nnpal.model.calculator import NNPCalculator
from torchani_reference import ExportedModel, Reference, evaluate

# Of the largest force or 1 eV/Å: float64 sums of 1e4 terms, beside self-energies of 1e4 eV; float32 keeps 6e-8 of each
# term, and Gaussians multiply the rounding of distances by 1e2. By torch's slope of CELU forces are off by 1.5e-8.
RELATIVE = {"double": 2e-9, "single": 2e-5}

FILES = {
    # name: TorchANI's model, precision of the file, kernel
    "ANI-2x": ("ANI2x", torch.float32, "fused"),
    "ANI-2x in float64": ("ANI2x", torch.float64, "fused"),
    "ANI-1x": ("ANI1x", torch.float64, "fused"),
    "ANI-1x with TorchANI kernel": ("ANI1x", torch.float32, "torchani"),
    "ANI-1ccx": ("ANI1ccx", torch.float32, "fused"),
    "ANI-1xnr": ("ANI1xnr", torch.float32, "fused"),
    "ANI-2xr": ("ANI2xr", torch.float32, "fused"),
    "ANI-2xr with TorchANI kernel": ("ANI2xr", torch.float64, "torchani"),
    "ANI-r2s": ("ANIr2s", torch.float32, "fused"),
    "ANI-r2s in water": ("ANIr2s_water", torch.float64, "fused"),
    "ANI-2dr": ("ANI2dr", torch.float32, "fused"),
    "SnnANI-2xr": ("SnnANI2xr", torch.float32, "torchani"),
}
# Others go through the same code as one of these, and are slow
USUAL_IN_LAMMPS = [("ANI-2x", "double"), ("ANI-2x in float64", "double"), ("ANI-1x with TorchANI kernel", "double")]
USUAL_IN_PYTHON = [
    ("ANI-2x", "double"),
    ("ANI-2x", "single"),
    ("ANI-2x in float64", "double"),
    ("ANI-1x with TorchANI kernel", "double"),
    ("ANI-1ccx", "single"),
    ("ANI-2xr", "double"),
]


def each(usual: list[tuple[str, str]]) -> list[Any]:
    """Every file in both precisions."""
    pairs = [(name, precision) for name in FILES for precision in RELATIVE]
    return [pytest.param(*pair, marks=[] if pair in usual else pytest.mark.slow) for pair in pairs]


@dataclass(frozen=True)
class Case:
    """A file, the model that it came from, atoms, and the model's answer for them."""

    model: ExportedModel
    system: System
    expected: Reference

    @property
    def atoms(self) -> Atoms:
        return Atoms(self.system.symbols, self.system.positions)

    def tolerance(self, precision: str) -> float:
        return RELATIVE[precision] * max(1.0, float(np.abs(self.expected.forces).max()))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """Export and evaluate each model once."""
    folder = tmp_path_factory.mktemp("published")

    @functools.cache
    def built(build: str) -> tuple[ANI, ANI, System, Reference]:
        model = published_ensemble(build)
        exact, system = with_slow_celu(model), grid_of(tuple(model.symbols))
        expected = evaluate(exact, system)
        assert np.abs(expected.forces).max() > 0.5  # a wrong slope would show
        return model, exact, system, expected

    @functools.cache
    def get(name: str) -> Case:
        build, dtype, kernel = FILES[name]
        model, exact, system, expected = built(build)
        path = export_ensemble(model, folder / f"{name.replace(' ', '_')}.nnp.pt", dtype=dtype, kernel=kernel)
        return Case(ExportedModel(path, exact, tuple(model.symbols), len(model)), system, expected)

    return get


def grid_of(elements: tuple[str, ...]) -> System:
    """Twenty-one atoms on a rattled grid of 1.6 Å, every element three times or more."""
    places = np.stack(np.meshgrid(*3 * [np.arange(3)], indexing="ij"), -1).reshape(-1, 3)[:21]
    positions = 1.6 * places + np.random.default_rng(3).normal(0, 0.1, places.shape)
    types = 1 + np.arange(21) % len(elements)
    return System(elements, types, positions, 20.0 * np.eye(3), periodic=False, origin=np.full(3, -8.0))


def test_they_have_the_published_size(published: Callable[[str], Case]) -> None:
    two, one = published("ANI-2x").model, published("ANI-1x").model
    assert two.elements == ("H", "C", "N", "O", "S", "F", "Cl")
    assert (two.n_members, two.model.aev_computer.out_dim) == (8, 1008)
    assert sum(parameter.numel() for parameter in two.model.parameters()) == 13_705_784
    assert (one.n_members, one.model.aev_computer.out_dim) == (8, 384)


@pytest.mark.parametrize("name", [pytest.param("ANI-2xr"), pytest.param("ANI-r2s", marks=pytest.mark.slow)])
def test_files_of_models_with_a_repulsion_say_so(published: Callable[[str], Case], name: str) -> None:
    metadata = read_metadata(published(name).model.path)
    assert metadata.pair_terms == ("xtb_repulsion",)
    assert metadata.cutoff == {"ANI-2xr": 5.2, "ANI-r2s": 5.1}[name]  # the latter's repulsion has none in TorchANI


@pytest.mark.parametrize(("name", "precision"), each(USUAL_IN_LAMMPS))
def test_in_lammps(lmp: Lmp, published: Callable[[str], Case], name: str, precision: str) -> None:
    case = published(name)
    point = single_point(lmp, case.model, case.system, options=f"precision {precision}")
    expected, tolerance = case.expected, case.tolerance(precision)
    np.testing.assert_allclose(point.energy, expected.energy, atol=len(case.atoms) * tolerance, rtol=0)
    np.testing.assert_allclose(point.forces, expected.forces, atol=tolerance, rtol=0)
    np.testing.assert_allclose(point.uq_energy, expected.uq_energy, atol=tolerance, rtol=0)
    np.testing.assert_allclose(point.uq_force, expected.uq_force, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "precision"), each(USUAL_IN_PYTHON))
def test_in_python(published: Callable[[str], Case], name: str, precision: str) -> None:
    case, dtype = published(name), {"single": torch.float32, "double": torch.float64}[precision]
    atoms, tolerance = case.atoms, case.tolerance(precision)
    atoms.calc = NNPCalculator(case.model.path, dtype=dtype)
    np.testing.assert_allclose(atoms.get_potential_energy(), case.expected.energy, atol=len(atoms) * tolerance, rtol=0)
    np.testing.assert_allclose(atoms.get_forces(), case.expected.forces, atol=tolerance, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_gate_passes_them(published: Callable[[str], Case], name: str, tmp_path: Path) -> None:
    """LAMMPS against Python, and forces against differences of the energy."""
    assert check_export(published(name).model.path, [published(name).atoms], folder=tmp_path).passed
