"""Files that nnpal's core evaluates without torch: the numbers of torch.ops.nnpal, and what the record says."""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from typer.testing import CliRunner

from calibrated_models import of_format_1
from ensembles import dispersive_ensemble, repulsive_ensemble
from lmp_systems import random_hcno
from nnpal.cli.app import app
from nnpal.geometry.edges import Edges, atoms_edges
from nnpal.geometry.neighbor_graph import as_graph
from nnpal.model import ModelFileError, export_ensemble, load_model, write_calibrated
from nnpal.model.calculator import NNPCalculator
from nnpal.model.core_model import CoreModel, load_core_model
from processes import run, wait_until
from torchani_reference import ExportedModel

ELEMENTS = ("H", "C", "N", "O")
FUSED = "archive/extra/fused.json"


def core(path: Path, dtype: str | None = None, members: int | None = None) -> CoreModel:
    model = load_core_model(path, dtype=dtype, members=members)
    assert model is not None
    return model


@pytest.fixture(scope="module")
def repulsive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float64 file whose edges reach beyond the AEV."""
    path = tmp_path_factory.mktemp("core") / "repulsive.nnp.pt"
    return export_ensemble(repulsive_ensemble(cutoff=6.4), path, dtype=torch.float64)


@pytest.fixture(scope="module")
def atoms() -> Atoms:
    system = random_hcno(40, 0.1, periodic=True)
    return Atoms(system.symbols, system.positions, cell=system.cell, pbc=True)


def edges_for(model: CoreModel, atoms: Atoms) -> Edges:
    return atoms_edges(atoms, ELEMENTS, model.metadata.cutoff, model="test")


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("which", ["four elements", "repulsion"])
def test_the_numbers_of_the_operations(
    which: str, dtype: str, members: int | None, hcno_model: ExportedModel, repulsive: Path, atoms: Atoms
) -> None:
    """To the last bit, for the kernels are the same; but for a center's repulsion, whose terms have another order.

    Every element has layers of its own.
    """
    path = hcno_model.path if which == "four elements" else repulsive
    found, expected = core(path, dtype, members), load_model(path, dtype=getattr(torch, dtype), members=members)
    edges = edges_for(found, atoms)
    for of_members in (False, True):
        energies, gradients = found.energies_and_gradients(edges, of_members=of_members)
        others = expected.energies_and_gradients(as_graph(edges), of_members=of_members)
        rounding = 0.0 if which == "four elements" else 4 * np.finfo(dtype).eps
        np.testing.assert_allclose(energies, others[0].double().numpy(), rtol=rounding)
        np.testing.assert_array_equal(gradients, others[1].numpy())
    np.testing.assert_array_equal(found.self_energies, expected.self_energies.numpy())


def test_threads_share_the_atoms(hcno_model: ExportedModel) -> None:
    """Of 300 atoms, with the same result; a number out of range is an error, in whatever thread it is found."""
    from nnpal import _core

    system = random_hcno(300, 0.1, periodic=True)
    many = Atoms(system.symbols, system.positions, cell=system.cell, pbc=True)
    edges = edges_for(core(hcno_model.path), many)
    given = (edges.species, 300, edges.edge_index, edges.edge_vec, True)
    content = hcno_model.path.read_bytes()
    before = len(os.listdir("/proc/self/task"))
    one, three = (_core.load(content, "float32", 0, n_threads) for n_threads in (1, 3))
    for found, expected in zip(three.evaluate(*given), one.evaluate(*given), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(os.listdir("/proc/self/task")) == before + 2
    with pytest.raises(ValueError, match=r"species\[0\] is 4, expected 0 to 3"):
        three.evaluate(np.full_like(edges.species, 4), *given[1:])
    three.evaluate(*given)
    del three
    wait_until(lambda: len(os.listdir("/proc/self/task")) == before)


NO_TORCH = """
import os, sys
import numpy as np
from ase import Atoms
from nnpal import NNPCalculator
rng = np.random.default_rng(0)
grid = np.stack(np.meshgrid(*3 * [np.arange(5)]), -1).reshape(-1, 3)
atoms = Atoms("Al125", 2.8 * grid + rng.normal(0, 0.1, grid.shape), cell=3 * [14.0], pbc=True)
atoms.calc = NNPCalculator(sys.argv[1])
forces = atoms.get_forces()
atoms.get_stress(), atoms.get_potential_energies(), atoms.calc.get_property("uq_force", atoms)
assert not [name for name in sys.modules if name.partition(".")[0] in ("torch", "torchani")]
child = os.fork()  # which has none of the threads
if child == 0:
    atoms.calc.results.clear()
    os._exit(0 if np.array_equal(atoms.get_forces(), forces) else 1)
assert os.waitpid(child, 0)[1] == 0
print(float(np.abs(forces).max()))
"""


def test_a_calculator_on_a_cpu_imports_no_torch(al_model: ExportedModel) -> None:
    done = run([sys.executable, "-c", NO_TORCH, str(al_model.path)], env={**os.environ, "OMP_NUM_THREADS": "2"})
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.0


def test_what_needs_torch(tmp_path: Path, al_model: ExportedModel) -> None:
    """Files without the record, and models whose terms the core does not have; a calibration writes it anew."""
    dispersive = export_ensemble(dispersive_ensemble(), tmp_path / "dispersive.nnp.pt")
    torchani = export_ensemble(al_model.model, tmp_path / "torchani.nnp.pt", kernel="torchani")
    old = of_format_1(al_model, tmp_path / "old.nnp.pt").path
    for path in (dispersive, torchani, old):
        assert load_core_model(path) is None
        with zipfile.ZipFile(path) as archive:
            assert FUSED not in archive.namelist()
    write_calibrated(old, None, tmp_path / "new.nnp.pt")
    atoms = Atoms("Al2", [[0, 0, 0], [0, 0, 2.7]])
    energies = []
    for path in (old, tmp_path / "new.nnp.pt"):
        atoms.calc = NNPCalculator(path, dtype="float64")
        energies.append(atoms.get_potential_energy())
    assert isinstance(atoms.calc.model, CoreModel)
    assert energies[1] == pytest.approx(energies[0], rel=1e-14)


def test_a_command_writes_earlier_files_anew(al_model: ExportedModel, tmp_path: Path) -> None:
    """Also those of kernel torchani, which libtorch goes on evaluating."""
    old = of_format_1(al_model, tmp_path / "old.nnp.pt").path
    torchani = export_ensemble(al_model.model, tmp_path / "torchani.nnp.pt", kernel="torchani")
    for path, last in (
        (old, "(was 1); on a CPU it needs no libtorch"),
        (torchani, "on a CPU it is evaluated by libtorch"),
    ):
        done = CliRunner().invoke(app, ["upgrade", str(path), "--output", str(tmp_path / "new.nnp.pt")])
        assert done.exit_code == 0, done.output
        assert done.output.strip().endswith(last)
        assert (load_core_model(tmp_path / "new.nnp.pt") is None) == (path == torchani)
    assert CliRunner().invoke(app, ["upgrade", str(tmp_path / "none.pt")]).exit_code == 1


def records(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_packed_records(level: int, al_model: ExportedModel, tmp_path: Path) -> None:
    """However zlib packs them they are unpacked; but for the weights, which are taken where they lie."""
    weights = json.loads(dict(records(al_model.path))[FUSED])["weights"]["record"]
    for packs_weights in (False, True):
        path = tmp_path / f"{packs_weights}.pt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
            for name, content in records(al_model.path):
                is_stored = name == f"archive/{weights}" and not packs_weights
                archive.writestr(name, content, zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED)
        if packs_weights:
            with pytest.raises(ModelFileError, match=f"record {weights} is packed"):
                load_core_model(path)
        else:
            assert core(path).metadata == core(al_model.path).metadata


def test_the_record(al_model: ExportedModel) -> None:
    """What docs/export.md promises to other programs."""
    found = dict(records(al_model.path))
    fused = json.loads(found[FUSED])
    (layers,) = fused["networks"]["layers"]
    weights = np.frombuffer(found[f"archive/{fused['weights']['record']}"], "<f4")
    n_in, expected = al_model.model.aev_computer.out_dim, []
    for member in al_model.model.neural_networks.members:
        network = member.atomics["Al"]
        for layer in (*network.layers, network.final_layer):
            expected += [layer.weight.detach().flatten().numpy(), layer.bias.detach().numpy()]
    np.testing.assert_array_equal(weights, np.concatenate(expected).astype("<f4"))
    sizes = [n_in, *layers]
    assert len(weights) == 3 * sum(b * (a + 1) for a, b in pairwise(sizes))
    assert fused["self_energies"] == load_model(al_model.path).self_energies.tolist()


def test_a_dtype_that_is_none(al_model: ExportedModel) -> None:
    for dtype in (torch.float16, "float16", "half"):
        with pytest.raises(ValueError, match=re.escape(f"dtype is {dtype}")):
            NNPCalculator(al_model.path, dtype=dtype)
