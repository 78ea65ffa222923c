"""Compiled model files: what is refused before anything runs, and that the program gives TorchScript's numbers.

The commands of docs/compiled_models.md are those of the tests marked slow.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from compiled_files import NOT_HERE, Passing, passing_model, with_program
from ensembles import one_element_ensemble
from nnpal.cli.app import app
from nnpal.geometry.neighbor_graph import Graph, neighbor_graph
from nnpal.model import ModelFileError, compile_model, export_ensemble, load_model, read_metadata, write_calibrated
from nnpal.model.compiled.record import cpu_instructions, read_compiled
from nnpal.model.schnet import SchNetDescription, build_schnet, export_schnet


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return passing_model(tmp_path_factory.mktemp("plain") / "al.nnp.pt")


@pytest.mark.parametrize("case", NOT_HERE)
def test_files_for_elsewhere(plain: Path, tmp_path: Path, case: str) -> None:
    changes, message = NOT_HERE[case]
    path = with_program(plain, tmp_path / "al.nnp.pt2", **changes)
    with pytest.raises(ModelFileError, match=rf"al\.nnp\.pt2: .*{message}"):
        load_model(path)
    assert read_metadata(path) == read_metadata(plain)  # what it says of itself can be read anywhere


def test_the_program_takes_one_precision(plain: Path, tmp_path: Path) -> None:
    path = with_program(plain, tmp_path / "al.nnp.pt2")
    with pytest.raises(ValueError, match=r"dtype is torch.float32, but .*al\.nnp\.pt2 is compiled for float64"):
        load_model(path, dtype=torch.float32)


def test_what_cannot_be_compiled(plain: Path, tmp_path: Path) -> None:
    for kernel, reason in (("fused", "own compiled operations"), ("torchani", "export the model with kernel fused")):
        ani = export_ensemble(one_element_ensemble(hidden=(8, 4)), tmp_path / f"{kernel}.nnp.pt", kernel=kernel)
        with pytest.raises(ValueError, match=f"its kernel is '{kernel}', .*{reason}"):
            compile_model(ani)
    with pytest.raises(ValueError, match=r"kind 'module', which cannot be read back.*module=\.\.\."):
        compile_model(plain)
    with pytest.raises(ValueError, match="TorchScript module, which cannot be traced"):
        compile_model(plain, module=torch.jit.script(Passing(1, 3.6, 2, 0)))
    with pytest.raises(ValueError, match=r"module has other weights than the file's members.*start"):
        compile_model(plain, module=Passing(2, 3.6, 2, 0))
    with pytest.raises(ValueError, match=r"there is no folder .*absent"):
        compile_model(plain, tmp_path / "absent" / "al.nnp.pt2", module=Passing(1, 3.6, 2, 0))
    with pytest.raises(ValueError, match="would be replaced by the compiled file"):
        compile_model(plain, plain, module=Passing(1, 3.6, 2, 0))


class DataDependent(Passing):
    """A module whose shapes depend on numbers."""

    def forward(
        self, species: torch.Tensor, n_local: int, edge_index: torch.Tensor, edge_vec: torch.Tensor
    ) -> torch.Tensor:
        if bool(edge_vec.norm(dim=1).max() > 1.0):
            return super().forward(species, n_local, edge_index, edge_vec)
        return edge_vec.new_zeros(n_local)


@pytest.mark.slow  # ten seconds: torch's tracers
def test_a_module_that_torch_cannot_trace(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"torch\.export and AOTInductor cannot compile it .*use the file as it is"):
        compile_model(plain, tmp_path / "al.nnp.pt2", module=DataDependent(1, 3.6, 2, 0))
    assert not (tmp_path / "al.nnp.pt2").exists()


def test_the_command_says_what_it_refuses(tmp_path: Path) -> None:
    ani = export_ensemble(one_element_ensemble(hidden=(8, 4)), tmp_path / "al.nnp.pt")
    result = CliRunner().invoke(app, ["compile", str(ani)])
    assert result.exit_code == 1
    assert "nnpal compile: " in result.output
    assert "its kernel is 'fused'" in result.output


def graphs(n_elements: int, cutoff: float) -> list[Graph]:
    """Return clusters, some with fewer centers than atoms; the first are too small for the program."""
    rng = np.random.default_rng(1)
    found = []
    for n_atoms, n_local in ((1, 1), (2, 1), (2, 2), (5, 3), (40, 40), (40, 1)):
        positions = cutoff * (n_atoms / 8) ** (1 / 3) * rng.random((n_atoms, 3))
        whole = neighbor_graph(positions, np.eye(3), False, np.arange(n_atoms) % n_elements, cutoff)
        found.append(Graph(whole.species, n_local, whole.edge_index, whole.edge_vec))
    return found


@pytest.mark.slow  # about a minute and a half each: the C++ compiler's
@pytest.mark.parametrize("kind", ["module", "schnet"])
def test_equal_to_torchscript(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.nnp.pt"
    if kind == "module":
        passing_model(path, ("Al", "Ni"))
        compiled, tolerance, cutoff = compile_model(path, module=Passing(2, 3.6, 2, 7)), 1e-10, 3.6
    else:
        description = SchNetDescription(("H", "O"), features=8, interactions=2, gaussians=7, cutoff=2.4)
        networks = [build_schnet(description, seed) for seed in (1, 2)]
        export_schnet(description, networks, path, self_energies=[-13.6, -2041.5])
        result = CliRunner().invoke(app, ["compile", str(path)])
        assert result.exit_code == 0, result.output
        compiled, tolerance, cutoff = tmp_path / "model.nnp.pt2", 1e-5, 2.4
        assert f"Wrote {compiled}" in result.output
    record = read_compiled(compiled)
    assert record is not None
    assert cpu_instructions().issuperset(record.instructions)
    a, b = load_model(path), load_model(compiled)
    assert torch.equal(a.self_energies, b.self_energies)
    assert b.program is not None
    taken = [b.program.takes(g.species, g.n_local, g.edge_index) for g in graphs(2, cutoff)]
    # too small, or, by SchNet, with a halo of more than 1.4 times the centers' edges
    assert taken == (
        [False, True, True, True, True, True] if kind == "module" else [False, False, True, False, True, False]
    )
    for graph in graphs(2, cutoff):
        expected, found = (one.energies_and_gradients(graph, of_members=True) for one in (a, b))
        for x, y in zip(expected, found, strict=True):
            assert x.shape == y.shape
            assert x.numel() == 0 or float((x - y).abs().max()) <= tolerance * float(x.abs().max())
    graph = graphs(2, cutoff)[-1]
    with pytest.raises(ValueError, match=r"edge_vec is torch\.float16"):
        b.program.member(0, graph.species, 1, graph.edge_index, graph.edge_vec.half())
    strided = graph.edge_vec.to(b.dtype).t().contiguous().t()
    again, _ = b.program.member(0, graph.species, graph.n_local, graph.edge_index.t().contiguous().t(), strided)
    edge_vec = graph.edge_vec.to(b.dtype)
    assert torch.equal(again, b.program.member(0, graph.species, graph.n_local, graph.edge_index, edge_vec)[0])
    expected = a.energies_and_gradients(graph, of_members=False)[0][
        0
    ]  # of SchNet too, by whose file TorchScript does it
    assert float((again - expected).abs().max()) <= tolerance * float(expected.abs().max())
    with pytest.raises(ValueError, match="compiled already"):
        compile_model(compiled, tmp_path / "twice.nnp.pt2", module=Passing(2, 3.6, 2, 7))
    kept = write_calibrated(compiled, None, tmp_path / "again.nnp.pt2")  # the program stays
    assert load_model(kept).program is not None
