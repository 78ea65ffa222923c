"""Time the repulsion and dispersion terms of TorchANI's models: files with and without each term.

    python benchmarks/torchani_terms.py [--quick] [--output benchmarks/results/torchani_terms.json]

CPU time of one thread for `LoadedModel.energies_and_gradients`, 648 atoms of water, float32, the ANI2xr architecture
with random weights, 8 members. Contenders run one after another in every round; the cost of a term is the median of the
rounds' differences.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from rich.console import Console
from rich.table import Table
from torchani.arch import simple_ani
from torchani.utils import SYMBOLS_2X_ZNUM_ORDER

from nnpal.geometry.neighbor_graph import Graph, atoms_graph
from nnpal.model import LoadedModel, export_ensemble, load_model
from record import write_record

PLAIN = "networks alone, fused"
SPACING = 3.107
"""Distance between molecules on the grid, Å: 0.997 g/cm³."""
MOLECULE = np.array([[0.0, 0.0, 0.0], [0.9572, 0.0, 0.0], [-0.23999, 0.92663, 0.0]])
# name -> repulsion, dispersion, kernel
CONTENDERS = {
    PLAIN: (False, False, "fused"),
    "with repulsion, fused": (True, False, "fused"),
    "with repulsion and dispersion, fused": (True, True, "fused"),
    "networks alone, torchani": (False, False, "torchani"),
    "with repulsion, torchani": (True, False, "torchani"),
    "with repulsion and dispersion, torchani": (True, True, "torchani"),
}


def water(n_cells: int) -> Atoms:
    """Return n_cells³ molecules on a grid with random orientations."""
    generator = np.random.default_rng(0)
    positions = []
    for cell in np.ndindex(n_cells, n_cells, n_cells):
        turned, _ = np.linalg.qr(generator.normal(size=(3, 3)))
        positions.append(SPACING * np.array(cell) + MOLECULE @ turned.T)
    side = n_cells * SPACING
    return Atoms("OH2" * n_cells**3, np.concatenate(positions), cell=[side] * 3, pbc=True)


def loaded(repulsion: bool, dispersion: bool, kernel: str, folder: Path) -> LoadedModel:
    torch.manual_seed(0)
    lot = "b973c-def2mtzvp"
    model = simple_ani(SYMBOLS_2X_ZNUM_ORDER, lot, 8, repulsion=repulsion, dispersion=dispersion, strategy="pyaev")
    return load_model(export_ensemble(model, folder / "model.nnp.pt", kernel=kernel))


def measure(models: dict[str, tuple[LoadedModel, Graph]], n_rounds: int) -> dict[str, list[float]]:
    """Return µs per atom for each round, after warm-up calls."""
    found: dict[str, list[float]] = {name: [] for name in models}
    for round_ in range(-2, n_rounds):
        for name, (model, graph) in models.items():
            begin = time.process_time()
            model.energies_and_gradients(graph, of_members=False)
            if round_ >= 0:
                found[name].append((time.process_time() - begin) / graph.n_local * 1e6)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of 24 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "torchani_terms.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    atoms = water(2 if arguments.quick else 6)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        models = {}
        for contender, terms in CONTENDERS.items():
            model = loaded(*terms, Path(name))
            graph = atoms_graph(atoms, model.metadata.elements, model.metadata.cutoff, model=contender)
            models[contender] = (model, graph)
        seconds = measure(models, 1 if arguments.quick else arguments.rounds)
    table = Table("", "edges per atom", "µs per atom", "in addition to networks alone")
    content: dict[str, object] = {}
    for contender, own in seconds.items():
        without = seconds[f"networks alone, {CONTENDERS[contender][2]}"]
        more = statistics.median(a - b for a, b in zip(own, without, strict=True))
        edges = models[contender][1].edge_index.shape[1] / len(atoms)
        content[contender] = {"edges_per_atom": edges, "us_per_atom": own, "more_than_without": more}
        table.add_row(contender, f"{edges:.1f}", f"{statistics.median(own):.1f}", f"{more:.1f}")
    Console(width=110).print(table)
    write_record(arguments.output, "torchani_terms", ("nnpal", "torch", "torchani"), {"contenders": content})


if __name__ == "__main__":
    main()
