"""Labelled configurations made ready for training: AEV features and reference values as tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from nnpal.graph import Graph, neighbor_graph
from nnpal.networks import NetworkDescription, build_aev_computer
from nnpal.training.features import Features, check_memory, compute_features
from nnpal.training.self_energies import fit_self_energies


@dataclass(frozen=True)
class Dataset:
    """Features and reference values, one entry for each configuration.

    Attributes:
        features: AEVs and Jacobians.
        energies: interaction energy (self-energies taken off), eV, [n_data].
        forces: eV/Å, each [n_atoms, 3].
        self_energies: eV, float64 [n_elements].
        content_hash: of the labelled configurations, see :func:`content_hash`.
    """

    features: list[Features]
    energies: Tensor
    forces: list[Tensor]
    self_energies: np.ndarray
    content_hash: str

    def __len__(self) -> int:
        return len(self.features)


def build_dataset(
    frames: Sequence[Atoms],
    description: NetworkDescription,
    *,
    dtype: torch.dtype = torch.float32,
    memory_limit: int | None = None,
) -> Dataset:
    """Compute neighbours, AEVs, Jacobians and self-energies of labelled configurations.

    Arguments:
        frames: configurations with energy (eV) and forces (eV/Å).
        description: elements and AEV.
        dtype: of the features.
        memory_limit: bytes; see :func:`nnpal.training.features.check_memory`.

    Raises:
        ValueError: no configuration, an unknown element, a label that is not finite, or features
            that do not fit.
    """
    if not frames:
        raise ValueError("build_dataset: frames is empty, expected labelled configurations")
    computer = build_aev_computer(description).to(dtype)
    check_memory([len(frame) for frame in frames], computer.out_dim, dtype, memory_limit)
    for index, frame in enumerate(frames):
        _check_frame(index, frame, description.symbols)

    energies = np.array([frame.get_potential_energy() for frame in frames])
    composition = _composition(frames, description.symbols)
    self_energies = fit_self_energies(composition, energies)
    graphs = [frame_graph(frame, description) for frame in frames]
    return Dataset(
        features=compute_features(computer, graphs, dtype=dtype),
        energies=torch.tensor(energies - composition @ self_energies, dtype=dtype),
        forces=[torch.tensor(frame.get_forces(), dtype=dtype) for frame in frames],
        self_energies=self_energies,
        content_hash=content_hash(frames),
    )


def frame_graph(frame: Atoms, description: NetworkDescription) -> Graph:
    """Return the neighbours of ``frame`` within the radial cutoff, elements numbered as described."""
    species = [description.symbols.index(symbol) for symbol in frame.get_chemical_symbols()]
    cutoff = description.aev.radial_cutoff
    return neighbor_graph(frame.positions, frame.cell.array, frame.pbc, species, cutoff)


def content_hash(frames: Sequence[Atoms]) -> str:
    """Return the SHA-256 of atomic numbers, cells, periodicity, positions, energies and forces, in order."""
    digest = hashlib.sha256()
    for frame in frames:
        for values in (
            frame.numbers.astype("<i8"),
            frame.cell.array.astype("<f8"),
            frame.pbc.astype("u1"),
            frame.positions.astype("<f8"),
            np.array([frame.get_potential_energy()], dtype="<f8"),
            frame.get_forces().astype("<f8"),
        ):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _composition(frames: Sequence[Atoms], symbols: Sequence[str]) -> np.ndarray:
    """Return the number of atoms of each element in each configuration, float64 [n_data, n_elements]."""
    counts = [frame.symbols.formula.count() for frame in frames]
    return np.array([[count.get(symbol, 0) for symbol in symbols] for count in counts], dtype=float)


def _check_frame(index: int, frame: Atoms, symbols: Sequence[str]) -> None:
    """Refuse an element that is not in ``symbols`` and labels that are not finite."""
    unknown = sorted(set(frame.get_chemical_symbols()) - set(symbols))
    if unknown:
        raise ValueError(f"build_dataset: configuration {index} holds {unknown}, the networks know {list(symbols)}")
    if not np.isfinite(frame.get_potential_energy()) or not np.isfinite(frame.get_forces()).all():
        raise ValueError(f"build_dataset: configuration {index} has an energy or a force that is not finite")
