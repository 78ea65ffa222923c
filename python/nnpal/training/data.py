"""Labeled configurations prepared for training: features and reference values as tensors."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray
from torch import Tensor

from nnpal.data import content_hash, structure_hash
from nnpal.data.labels import with_zero_forces
from nnpal.data.stresses import no_stress
from nnpal.geometry.edges import element_indices
from nnpal.geometry.neighbor_graph import Graph, atoms_graph, each_pair_once
from nnpal.model.aev_function import AEVFunction
from nnpal.model.description import Description, NetworkDescription
from nnpal.model.networks import Network, edge_cutoff
from nnpal.runtime.cores import usable_cores
from nnpal.runtime.disk_full import told_if_full
from nnpal.training.features import (
    AEVFeatures,
    GraphBatch,
    GraphFeatures,
    StoredBatch,
    StoredFeatures,
    feature_chunks,
    stored_bytes,
)
from nnpal.training.flat_graphs import FlatGraphs
from nnpal.training.neighbor_features import NeighborBatch, NeighborFeatures
from nnpal.training.self_energies import fit_self_energies
from nnpal.training.start_energies import mean_energies

GIGABYTE = 1e9

Features = AEVFeatures | NeighborFeatures
Batch = StoredBatch | GraphBatch | NeighborBatch


@dataclass(frozen=True)
class TrainingData:
    """Features and reference values of labeled configurations.

    Attributes:
        features: AEVs and their derivatives, or neighbor lists.
        energies: interaction energy (self-energies subtracted), eV, [n_data].
        forces: reference forces, eV/Å, [n_atoms of all configurations, 3].
        virials: stress times volume, eV, [n_data, 3, 3], NaN without a stress; None if stresses are not trained on.
        sizes: number of atoms of each configuration, int64 [n_data], on the CPU.
        self_energies: self-energy of each element, eV, float64 [n_elements].
        hashes: hash of each configuration's structure.
        content_hash: hash of all labeled configurations.
    """

    features: Features
    energies: Tensor
    forces: Tensor
    virials: Tensor | None
    sizes: NDArray[np.int64]
    self_energies: NDArray[np.float64]
    hashes: list[str]
    content_hash: str

    def __len__(self) -> int:
        return len(self.sizes)

    def to(self, device: torch.device, limit_bytes: float = math.inf) -> TrainingData:
        """Return the same data for batches on ``device``.

        Arguments:
            device: device of the batches.
            limit_bytes: largest size of neighbor lists on the device; larger ones stay on the CPU, like those that
                take more than half of a GPU's free memory.
        """
        if self.energies.device == device:
            return self
        features = self.features
        return replace(
            self,
            features=features.to(device) if isinstance(features, StoredFeatures) else features.to(device, limit_bytes),
            energies=self.energies.to(device),
            forces=self.forces.to(device),
            virials=None if self.virials is None else self.virials.to(device),
        )


def build_training_data(
    frames: Sequence[Atoms],
    description: Description,
    *,
    dtype: torch.dtype = torch.float32,
    stress: bool = False,
    features: str = "auto",
    limit_bytes: float = 16 * GIGABYTE,
    store: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    starts: Sequence[Network] = (),
    self_energies: Sequence[float] | None = None,
) -> TrainingData:
    """Compute neighbors, features and self-energies of labeled configurations.

    Arguments:
        frames: configurations with energy (eV), forces (eV/Å; a single atom needs none) and, with ``stress``, stress
            (eV/Å³) where known.
        description: elements, and AEV or cutoff, of the networks.
        dtype: floating-point type of features and reference values.
        stress: whether to train on stresses.
        features: ``stored``, ``recomputed``, or ``auto``: stored if they fit into ``limit_bytes``. Networks without
            AEVs always use neighbor lists.
        limit_bytes: largest size of stored features with ``auto``.
        store: file for the stored derivatives, a flat array of ``dtype`` that processes share by mapping it; None: they
            are kept in memory.
        on_progress: called with the number of finished configurations and their total number.
        starts: networks, eV, that training starts from. Self-energies are then fitted to the reference energies minus
            the mean energies of these networks, whose zero of energy is that of their own training, so that the
            networks need not learn a shift.
        self_energies: self-energy of each element, eV; None: they are fitted.

    Raises:
        ValueError: there is no configuration, an element is unknown, or a label is missing or not finite.
    """
    if not frames:
        raise ValueError("build_training_data: frames is empty, expected labeled configurations")
    for index, frame in enumerate(frames):
        _check_frame(index, frame, description.symbols)
    sizes = np.array([len(frame) for frame in frames], dtype=np.int64)
    energies = np.array([_label(frame, "energy") for frame in frames])
    composition = _composition(frames, description.symbols)
    graphs = _graphs(frames, description, dtype)
    if not isinstance(description, NetworkDescription):
        flat = FlatGraphs.of(map(each_pair_once, graphs), dtype)
        made: Features = NeighborFeatures(flat, flat.species, stress)
    elif features == "stored" or (
        features == "auto" and _stored_bytes(sizes, description, dtype, stress) <= limit_bytes
    ):
        made = _stored(list(graphs), sizes, description, dtype, stress, store, on_progress)
    else:
        flat = FlatGraphs.of(graphs, dtype)
        made = GraphFeatures(AEVFunction.of(description), flat, flat.species, stress)
    if self_energies is None:
        started = mean_energies(starts, made, len(frames)) if starts else 0.0
        alone = fit_self_energies(composition, energies - started, description.symbols)
    else:
        alone = np.array(self_energies, dtype=float)
    return TrainingData(
        features=made,
        energies=torch.tensor(energies - composition @ alone, dtype=dtype),
        forces=torch.tensor(np.concatenate([_label(frame, "forces") for frame in frames]), dtype=dtype),
        virials=_virials(frames, dtype) if stress else None,
        sizes=sizes,
        self_energies=alone,
        hashes=[structure_hash(frame) for frame in frames],
        content_hash=content_hash(frames),
    )


def _stored_bytes(sizes: NDArray[np.int64], description: NetworkDescription, dtype: torch.dtype, strain: bool) -> int:
    return stored_bytes(sizes, AEVFunction.of(description).terms.n_features, dtype, strain=strain)


def _stored(
    graphs: list[Graph],
    sizes: NDArray[np.int64],
    description: NetworkDescription,
    dtype: torch.dtype,
    strain: bool,
    store: Path | None,
    on_progress: Callable[[int, int], None] | None,
) -> StoredFeatures:
    function = AEVFunction.of(description)
    n_numbers = int((function.terms.n_features * sizes * (3 * sizes + 6 * strain)).sum())
    flat = _empty(n_numbers, dtype, store)
    aevs, start = [], 0
    for done, (aev, own) in enumerate(feature_chunks(function, graphs, dtype=dtype, strain=strain), 1):
        flat[start : start + own.numel()] = own
        start += own.numel()
        aevs.append(aev.clone())
        if on_progress is not None:
            on_progress(done, len(graphs))
    return StoredFeatures(torch.cat([g.species for g in graphs]), torch.cat(aevs), flat, sizes, strain)


def _empty(n_numbers: int, dtype: torch.dtype, store: Path | None) -> Tensor:
    if store is None:
        return torch.empty(n_numbers, dtype=dtype)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error here, instead of a crash at a later write
        needed = n_numbers * dtype.itemsize
        with told_if_full(store, needed), store.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, needed)
    return torch.from_file(str(store), shared=True, size=n_numbers, dtype=dtype)


def _graphs(frames: Sequence[Atoms], description: Description, dtype: torch.dtype) -> Iterator[Graph]:
    """Yield each frame's neighbors within the cutoff, found on all cores; elements have the description's numbers."""
    cutoff = edge_cutoff(description)

    def graph_of(frame: Atoms) -> Graph:
        graph = atoms_graph(frame, description.symbols, cutoff, model="to be trained")
        return replace(graph, edge_vec=graph.edge_vec.to(dtype))

    with ThreadPoolExecutor(usable_cores()) as pool:
        yield from pool.map(graph_of, frames)


def _label(frame: Atoms, name: str) -> Any:
    """Return energy or forces of a checked configuration, without ASE's comparison with the labeled atoms."""
    if frame.constraints and name in frame.calc.results:
        return frame.get_potential_energy() if name == "energy" else frame.get_forces()
    return with_zero_forces(frame.calc.results, len(frame))[name]


def _virials(frames: Sequence[Atoms], dtype: torch.dtype) -> Tensor:
    """Return stress times volume, eV, [n_data, 3, 3], NaN without a stress.

    Raises:
        ValueError: no configuration has a stress, or one has a stress that its cell does not allow.
    """
    virials = np.full((len(frames), 3, 3), np.nan)
    for index, (virial, frame) in enumerate(zip(virials, frames, strict=True)):
        if "stress" in frame.calc.results:
            if fault := no_stress(index, frame):
                raise ValueError(str(fault))
            virial[:] = frame.get_stress(voigt=False) * frame.get_volume()
    if np.isnan(virials).all():
        raise ValueError(
            "loss.stress_weight is not 0, but no configuration has a stress; label with stresses or set it to 0"
        )
    return torch.tensor(virials, dtype=dtype)


def _composition(frames: Sequence[Atoms], symbols: Sequence[str]) -> NDArray[np.float64]:
    """Return the number of atoms of each element in each configuration, float64 [n_data, n_elements]."""
    counts = [np.bincount(element_indices(frame, symbols), minlength=len(symbols)) for frame in frames]
    return np.array(counts, dtype=float)


def _check_frame(index: int, frame: Atoms, symbols: Sequence[str]) -> None:
    """Reject elements that are not in ``symbols`` and labels that are missing or not finite."""
    if (element_indices(frame, symbols) < 0).any():
        unknown = sorted(set(frame.get_chemical_symbols()) - set(symbols))
        raise ValueError(f"configuration {index} holds {unknown}, the networks support {list(symbols)}")
    results = {} if frame.calc is None else with_zero_forces(frame.calc.results, len(frame))
    if results and not _same_arrays(frame, frame.calc.atoms) and frame.calc.check_state(frame):
        raise ValueError(f"configuration {index} was changed after it was labeled; label it again")
    for name in ("energy", "forces"):
        if name not in results:
            raise ValueError(f"configuration {index} has no {name}, only {sorted(results)}; label it first")
        if not np.isfinite(results[name]).all():
            raise ValueError(f"configuration {index} has {name} that are not finite")


def _same_arrays(frame: Atoms, other: Atoms | None) -> bool:
    """Return whether all numbers are bitwise equal: a quick test that often avoids ASE's slower comparison."""
    return (
        other is not None
        and frame.arrays.keys() == other.arrays.keys()
        and all(np.array_equal(values, other.arrays[name]) for name, values in frame.arrays.items())
        and np.array_equal(frame.cell.array, other.cell.array)
        and np.array_equal(frame.pbc, other.pbc)
    )
