"""A model's energies, forces, stresses and uncertainties for many configurations at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray
from torch import Tensor

from nnpal.data.columns import require_several
from nnpal.geometry.neighbor_graph import Graph, atoms_graph, edge_forces, merge_graphs
from nnpal.model import LoadedModel, load_model

BATCH_EDGES = {"cpu": 50_000, "cuda": 2_000_000}
"""Edges per batch: the tensors of a batch stay in a core's cache, or fill a GPU."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of a model for configurations; atoms of all configurations are concatenated.

    With e_im the energy of atom i from member m of M, self-energy included, and F_im its force::

        E_m         = sum_i e_im                        E = mean_m E_m
        uq_energy_i = sqrt(mean_m (e_im - mean_m e_im)^2)
        uq_force_i  = sqrt(mean_m |F_im - mean_m F_im|^2)

    Attributes:
        n_atoms: number of atoms of each configuration, int [n_frames].
        energies: E, eV, [n_frames].
        forces: forces of the mean energy, eV/Å, [n_atoms in all, 3].
        stresses: (dE/dstrain)/V in Voigt order xx yy zz yz xz xy, eV/Å³, [n_frames, 6]; NaN without a periodic cell.
        uq_energy: eV, [n_atoms in all].
        uq_force: eV/Å, [n_atoms in all], or None if not requested.
        member_energies: E_m, eV, [n_members, n_frames].
        member_forces: F_im, eV/Å, [n_members, n_atoms in all, 3], or None if not requested.
        member_stresses: eV/Å³, [n_members, n_frames, 6], or None if not requested.
        member_virials: -dE_m/dstrain in Voigt order, eV, [n_members, n_frames, 6], also for configurations without a
            periodic cell; None if not requested.
        error_force: calibrated one-sigma error of each force vector, the root mean square of |ΔF_i|, eV/Å, [n_atoms in
            all]; None for a model without a calibration or without ``uq_force``.
        error_energy: calibrated one-sigma error of each energy, eV, [n_frames]; inf for a configuration unlike those of
            the calibration; None as for ``error_force``.
    """

    n_atoms: NDArray[np.int64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    uq_energy: NDArray[np.float64]
    uq_force: NDArray[np.float64] | None
    member_energies: NDArray[np.float64]
    member_forces: NDArray[np.float64] | None
    member_stresses: NDArray[np.float64] | None
    error_force: NDArray[np.float64] | None = None
    error_energy: NDArray[np.float64] | None = None
    member_virials: NDArray[np.float64] | None = None

    @property
    def n_members(self) -> int:
        """Return the number of members of the ensemble."""
        return len(self.member_energies)

    @property
    def frame_of_atom(self) -> NDArray[np.int64]:
        """Return the index of the configuration of every atom, int [n_atoms in all]."""
        return np.repeat(np.arange(len(self.n_atoms)), self.n_atoms)


def predict(
    model_path: str | os.PathLike[str],
    frames: Sequence[Atoms],
    *,
    members: bool = True,
    uq_force: bool = True,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    batch_edges: int | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Predictions:
    """Evaluate a model on configurations in batches.

    Forces and stresses of members, and ``uq_force``, which is computed from them, take one backward pass per member;
    if neither is requested, there is one pass for the mean energy.

    Arguments:
        model_path: a model file.
        frames: configurations, labeled or not.
        members: return forces, stresses and virials of each member.
        uq_force: compute ``uq_force``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: torch.float32 or torch.float64; by default that of the file.
        batch_edges: approximate number of edges per batch; by default ``BATCH_EDGES``.
        on_batch: called with the number of configurations after every batch.

    Returns:
        Energies, forces, stresses and uncertainties.

    Raises:
        FileNotFoundError: no such file.
        nnpal.model.ModelFileError: the file cannot be used.
        ValueError: no configurations, or one that the model cannot evaluate; the message has its index.
        TypeError: one configuration in place of a list.

    Example:
        >>> from nnpal import predict, read_frames
        >>> found = predict("al.nnp.pt", read_frames("labeled.h5"))
        >>> found.energies.shape, found.forces.shape, found.uq_force.shape
        ((4,), (64, 3), (64,))
    """
    require_several(frames)
    if not frames:
        raise ValueError("predict: no configurations, expected at least one")
    model = load_model(model_path, device=device, dtype=dtype)
    size = batch_edges or BATCH_EDGES[device.partition(":")[0]]
    each_member = members or uq_force
    parts = []
    for graphs in _batches(model, os.fspath(model_path), frames, size):
        parts.append(_evaluate(model, graphs, each_member))
        if on_batch:
            on_batch(len(graphs))
    energies, forces, virials, atomic = (
        np.concatenate([part[k] for part in parts], axis=1) for k in range(len(parts[0]))
    )
    n_atoms = np.array([len(frame) for frame in frames])
    _require_finite(os.fspath(model_path), n_atoms, energies, forces)
    stresses = -virials / np.array([_volume(frame) for frame in frames])[:, None]
    spread = np.sqrt(forces.var(0).sum(-1)) if uq_force else None
    error_force, error_energy = _calibrated(model, frames, energies.std(0), spread)
    return Predictions(
        n_atoms=n_atoms,
        energies=energies.mean(0),
        forces=forces.mean(0),
        stresses=stresses.mean(0),
        uq_energy=atomic.std(0),
        uq_force=spread,
        member_energies=energies,
        member_forces=forces if members else None,
        member_stresses=stresses if members else None,
        error_force=error_force,
        error_energy=error_energy,
        member_virials=virials if members else None,
    )


def _volume(frame: Atoms) -> float:
    """Return the volume of a cell, Å³; NaN without a periodic cell."""
    return float(frame.get_volume()) if frame.cell.rank == 3 and frame.pbc.any() else np.nan


def _calibrated(
    model: LoadedModel, frames: Sequence[Atoms], energy_std: NDArray[np.float64], uq_force: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return error_force, eV/Å [n_atoms in all], and error_energy, eV [n_frames], or None for each."""
    calibration = model.calibration
    if calibration is None or uq_force is None:
        return None, None
    index = {symbol: k for k, symbol in enumerate(model.metadata.elements)}
    species = np.array([index[symbol] for frame in frames for symbol in frame.symbols], dtype=int)
    n_atoms = np.array([len(frame) for frame in frames])
    return (
        calibration.error_force(uq_force, species),
        calibration.error_energy(energy_std, uq_force, species, n_atoms),
    )


def _require_finite(
    path: str, n_atoms: NDArray[np.int64], energies: NDArray[np.float64], forces: NDArray[np.float64]
) -> None:
    wrong = np.asarray(~np.isfinite(energies).all(axis=0))
    np.logical_or.at(wrong, np.repeat(np.arange(len(n_atoms)), n_atoms), ~np.isfinite(forces).all((0, 2)))
    if wrong.any():
        raise ValueError(
            f"model {path} gives energies or forces that are not finite for configuration {wrong.argmax()} and "
            f"{wrong.sum() - 1} more; expected finite ones; do atoms overlap?"
        )


def _batches(model: LoadedModel, path: str, frames: Sequence[Atoms], size: int) -> Iterator[list[Graph]]:
    """Yield batches of graphs of successive configurations."""
    metadata = model.metadata
    graphs: list[Graph] = []
    n_edges = 0
    for index, frame in enumerate(frames):
        try:
            graph = atoms_graph(frame, metadata.elements, metadata.cutoff, model=path)
        except ValueError as error:
            raise ValueError(f"configuration {index}: {error}") from error
        if graphs and n_edges + len(graph.edge_vec) > size:
            yield graphs
            graphs, n_edges = [], 0
        graphs.append(graph)
        n_edges += len(graph.edge_vec)
    yield graphs


def _evaluate(
    model: LoadedModel, graphs: Sequence[Graph], each_member: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return float64 energies [n_members, n_frames], forces [k, n_atoms, 3], virials [k, n_frames, 6] and atomic
    energies [n_members, n_atoms]; k is the number of members, or 1 for the mean energy."""
    graph, frame_of_atom = merge_graphs(graphs)
    atomic, gradients = model.energies_and_gradients(graph, of_members=each_member)
    wanted = gradients[1:] if each_member else gradients[:1]
    forces = [edge_forces(graph, gradient).numpy() for gradient in wanted]
    virials = [_virials(graph, gradient, frame_of_atom, len(graphs)) for gradient in wanted]
    of_atoms = atomic.cpu().double() + model.self_energies[graph.species]
    energies = of_atoms.new_zeros((len(of_atoms), len(graphs))).index_add(1, frame_of_atom, of_atoms)
    return energies.numpy(), np.stack(forces), np.stack(virials), of_atoms.numpy()


def _virials(graph: Graph, gradient: Tensor, frame_of_atom: Tensor, n_frames: int) -> NDArray[np.float64]:
    """Return -dE/dstrain of each configuration, eV, [n_frames, 6]."""
    shares = graph.edge_vec[:, :, None] * gradient[:, None, :]
    strain_gradient = gradient.new_zeros((n_frames, 3, 3))
    strain_gradient = strain_gradient.index_add(0, frame_of_atom[graph.edge_index[0]], shares)
    return full_3x3_to_voigt_6_stress(-0.5 * (strain_gradient + strain_gradient.mT).numpy())
