"""Models with TorchANI's D3 dispersion: files against the TorchANI model called directly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from ensembles import dispersive_ensemble, repulsive_ensemble
from lmp_systems import System, random_hcno, tilted
from nnpal.geometry.neighbor_graph import neighbor_graph
from nnpal.model import LoadedModel, export_ensemble, load_model
from nnpal.model.calculator import NNPCalculator
from torchani_reference import ExportedModel, evaluate

RELATIVE = {"double": 1e-9, "single": 1e-5}
DTYPES = {"single": torch.float32, "double": torch.float64}
SYSTEMS = {
    "cluster": random_hcno(16, 0.02, periodic=False),
    "cell shorter than the cutoff": tilted(random_hcno(8, 0.06, periodic=True), 1.0, -0.8, 0.6),
    "lone atom": System(("H", "C", "N", "O"), np.array([2]), np.zeros((1, 3)), 9.0 * np.eye(3), periodic=False),
}


@pytest.fixture(scope="module", params=["fused", pytest.param("torchani", marks=pytest.mark.slow)])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    model = dispersive_ensemble()
    path = tmp_path_factory.mktemp("dispersive") / f"{request.param}.pt"
    export_ensemble(model, path, dtype=torch.float64, kernel=request.param)
    return ExportedModel(path, model.double(), tuple(model.symbols), 2)


@pytest.fixture(scope="module")
def loaded(exported: ExportedModel) -> LoadedModel:
    return load_model(exported.path)


def test_the_file_says_what_it_needs(exported: ExportedModel, loaded: LoadedModel) -> None:
    metadata = loaded.metadata
    assert metadata.pair_terms == ("xtb_repulsion", "d3_dispersion")
    assert (metadata.kernel, metadata.cutoff, metadata.hops) == (exported.path.stem, 6.0, 2)


@pytest.mark.parametrize("precision", RELATIVE)
@pytest.mark.parametrize("name", SYSTEMS)
def test_agrees_with_torchani(exported: ExportedModel, name: str, precision: str) -> None:
    system = SYSTEMS[name]
    expected = evaluate(exported.model, system)
    cell = system.cell if system.periodic else None
    atoms = Atoms(system.symbols, system.positions - system.origin, cell=cell, pbc=system.periodic)
    atoms.calc = NNPCalculator(exported.path, dtype=DTYPES[precision])
    largest = max(1.0, np.abs(expected.forces).max())
    tolerance = RELATIVE[precision] * largest
    np.testing.assert_allclose(atoms.get_potential_energies(), expected.atomic_energies, rtol=0, atol=tolerance)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, rtol=0, atol=tolerance)
    uq_force = atoms.calc.get_property("uq_force", atoms)
    np.testing.assert_allclose(uq_force, expected.uq_force, rtol=0, atol=tolerance)
    if system.periodic:
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
        np.testing.assert_allclose(virial, expected.virial, rtol=0, atol=20 * tolerance)
    if len(atoms) > 1:  # the dispersion is there to be seen
        without = evaluate(repulsive_ensemble(n_members=2).double(), system)
        assert np.abs(expected.atomic_energies - without.atomic_energies).max() > 1e3 * RELATIVE["single"]


def test_centers_among_other_atoms_get_the_same_energies(loaded: LoadedModel) -> None:
    """Only neighbors of centers need edges of their own, as on one of several ranks."""
    system = SYSTEMS["cell shorter than the cutoff"]
    graph = neighbor_graph(system.positions, system.cell, [True] * 3, system.types - 1, loaded.metadata.cutoff)
    whole = loaded.module(graph.species, graph.n_local, graph.edge_index, graph.edge_vec)
    part = loaded.module(graph.species, 3, graph.edge_index, graph.edge_vec)
    torch.testing.assert_close(part, whole[:, :3], rtol=0, atol=1e-12)


def test_single_precision_where_no_reference_is_similar(exported: ExportedModel) -> None:
    """A hydrogen atom with six neighbors: weights of references are below 1e-30, whose squares float32 lacks."""
    axes = np.vstack([np.zeros(3), 1.1 * np.eye(3), -1.1 * np.eye(3)])
    atoms = Atoms("HC6", positions=axes + 0.01 * np.arange(7)[:, None])
    forces = {}
    for precision, dtype in DTYPES.items():
        atoms.calc = NNPCalculator(exported.path, dtype=dtype)
        forces[precision] = atoms.get_forces()
    np.testing.assert_allclose(forces["single"], forces["double"], atol=1e-5 * np.abs(forces["double"]).max())


def test_no_edges_at_all(loaded: LoadedModel) -> None:
    none = torch.zeros((2, 0), dtype=torch.long)
    vec = torch.zeros((0, 3), dtype=torch.float64, requires_grad=True)
    energies = loaded.module(torch.tensor([0, 1, 2]), 2, none, vec)
    assert energies.shape == (2, 2)
    assert torch.autograd.grad(energies.sum(), vec, materialize_grads=True)[0].shape == (0, 3)
