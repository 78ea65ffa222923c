"""Training data in files shared by the members' processes.

``data.pt`` contains everything but stored derivatives, which are in ``derivatives.bin`` and mapped into memory.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.aev_function import AEVFunction
from nnpal.model.description import Description, NetworkDescription
from nnpal.model.zip_records import DamagedArchiveError, checked_records
from nnpal.runtime.files import sync, write_whole
from nnpal.training.data import Features, TrainingData
from nnpal.training.features import GraphFeatures, StoredFeatures
from nnpal.training.flat_graphs import FlatGraphs
from nnpal.training.neighbor_features import NeighborFeatures

DATA, DERIVATIVES = "data.pt", "derivatives.bin"


def save_data(folder: Path, data: TrainingData) -> None:
    """Write ``data.pt``; stored derivatives are already in ``derivatives.bin``, see :func:`build_training_data`."""
    state: dict[str, Any] = {
        "energies": data.energies,
        "forces": data.forces,
        "virials": data.virials,
        "sizes": torch.from_numpy(data.sizes),
        "self_energies": torch.from_numpy(data.self_energies),
        "hashes": data.hashes,
        "content_hash": data.content_hash,
        "strain": data.virials is not None,
    }
    if isinstance(data.features, StoredFeatures):
        sync(folder / DERIVATIVES)  # data.pt implies that they are complete
        state |= {"kind": "stored", "species": data.features.species, "aev": data.features.aev}
        state["n_derivatives"] = data.features.derivatives.numel()
    else:
        kind = "recomputed" if isinstance(data.features, GraphFeatures) else "pairs"
        state |= {"kind": kind, "species": data.features.species, **_edges(data.features.graphs)}
    save_whole(folder / DATA, state)


def save_whole(path: Path, state: Any) -> None:
    """Write a file for ``torch.load``, serialized in memory: on a full disk ``torch.save`` hides the system's error.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: no space is left; ``path`` is unchanged.
    """
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getbuffer())


def remove_damaged(paths: Sequence[Path], log: Callable[[str], None]) -> None:
    """Remove checkpoints and data damaged by a power failure, and log it; they are recreated like missing ones."""
    for path in paths:
        if path.exists() and not _is_whole(path):
            path.unlink()
            log(f"{path}: damaged, as by a power failure; it is recreated")


def _is_whole(path: Path) -> bool:
    """Return whether an archive of ``torch.save`` is undamaged, checking every byte."""
    try:
        checked_records(path)
    except DamagedArchiveError:
        return False
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # reads the headers, unlike zipfile
    except OSError:
        raise
    except Exception:  # errors of zip, pickle and torch
        return False
    return True


def load_data(folder: Path, description: Description) -> TrainingData:
    """Read what :func:`save_data` wrote."""
    state = torch.load(folder / DATA, weights_only=True)
    sizes, energies = state["sizes"].numpy(), state["energies"]
    features: Features
    if state["kind"] == "stored":
        flat = torch.from_file(
            str(folder / DERIVATIVES), shared=True, size=state["n_derivatives"], dtype=energies.dtype
        )
        features = StoredFeatures(state["species"], state["aev"], flat, sizes, state["strain"])
    elif isinstance(description, NetworkDescription):
        features = GraphFeatures(AEVFunction.of(description), _graphs(state, sizes), state["species"], state["strain"])
    else:
        features = NeighborFeatures(_graphs(state, sizes), state["species"], state["strain"])
    return TrainingData(
        features=features,
        energies=energies,
        forces=state["forces"],
        virials=state["virials"],
        sizes=sizes,
        self_energies=state["self_energies"].numpy(),
        hashes=state["hashes"],
        content_hash=state["content_hash"],
    )


def _edges(graphs: FlatGraphs) -> dict[str, torch.Tensor]:
    return {
        "n_edges": torch.from_numpy(graphs.n_edges),
        "n_neighbours": graphs.n_neighbors,
        "neighbour": graphs.neighbor,
        "edge_vec": graphs.edge_vec,
    }


def _graphs(state: dict[str, Any], sizes: np.ndarray) -> FlatGraphs:
    n_edges, edge_vec = state["n_edges"], state["edge_vec"]
    if "edge_index" in state:  # from a version that stored edges unsorted, with their centers
        parts = zip(
            state["species"].split(sizes.tolist()),
            state["edge_index"].split(n_edges.tolist(), 1),
            edge_vec.split(n_edges.tolist()),
            strict=True,
        )
        return FlatGraphs.of([Graph(own, len(own), index, vectors) for own, index, vectors in parts], edge_vec.dtype)
    return FlatGraphs(
        sizes, n_edges.numpy(), state["species"], state["n_neighbours"], state["neighbour"], state["edge_vec"]
    )
