"""The reference configuration: made and evaluated at export, evaluated again by whoever loads the file."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from nnpal.export.metadata import Metadata, ModelFileError, ReferenceConfiguration

_EDGE = 2.4  # Å, between grid points: within every angular cutoff in use, and far from overlap
_RATTLE = 0.3  # Å
_TOLERANCE = {
    torch.float32: 1e-4,
    torch.float64: 1e-8,
}  # of the largest magnitude; the model contract


def make_reference(module: torch.nn.Module, n_elements: int, cutoff: float) -> ReferenceConfiguration:
    """Evaluate ``module`` in float64 on a rattled cluster that holds every element at least twice.

    Arguments:
        module: an exported model before scripting; it is not changed.
        n_elements: number of its elements.
        cutoff: its radial cutoff, Å.

    Raises:
        ValueError: an answer is not finite, or there is more than one for an atom.
    """
    n_atoms = max(8, 2 * n_elements)
    side = round((n_atoms - 0.5) ** (1 / 3) + 0.5)
    axis = torch.arange(side, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    spacing = min(_EDGE, 0.5 * cutoff)
    positions = spacing * torch.cartesian_prod(axis, axis, axis)[:n_atoms]
    positions += (
        (_RATTLE / _EDGE)
        * spacing
        * torch.randn(positions.shape, generator=generator, dtype=torch.float64).clamp(-1, 1)
    )
    vectors = positions[None] - positions[:, None]
    distances = vectors.norm(dim=-1)
    centre, neighbour = torch.where((distances > 0) & (distances < cutoff))
    edge_vec = vectors[centre, neighbour]
    species = torch.arange(n_atoms) % n_elements
    edge_index = torch.stack((centre, neighbour))
    energies, gradient = energies_and_gradient(copy.deepcopy(module).double(), species, n_atoms, edge_index, edge_vec)
    if energies.shape[1] != n_atoms:
        raise ValueError(
            f"model gives {energies.shape[1]} values for {n_atoms} atoms; expected networks with one output each"
        )
    if not (energies.isfinite().all() and gradient.isfinite().all()):
        raise ValueError(
            f"model gives energies or gradients that are not finite on a cluster with atoms {spacing} Å apart; "
            "expected finite ones; its weights hold nan or inf, or its training diverged"
        )
    return ReferenceConfiguration(
        species=species.tolist(),
        n_local=n_atoms,
        edge_index=edge_index.tolist(),
        edge_vec=edge_vec.tolist(),
        energies=energies.tolist(),
        gradient=gradient.tolist(),
    )


def energies_and_gradient(
    module: torch.nn.Module, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor
) -> tuple[Tensor, Tensor]:
    """Return member energies [n_members, n_local] and the gradient of their mean's sum [n_edges, 3]."""
    edge_vec = edge_vec.detach().requires_grad_(True)
    energies = module(species, n_local, edge_index, edge_vec)
    (gradient,) = torch.autograd.grad(energies.mean(0).sum(), edge_vec)
    return energies.detach(), gradient


def check_reference(module: torch.nn.Module, metadata: Metadata, dtype: torch.dtype, device: str, path: str) -> None:
    """Evaluate the file's reference configuration and compare.

    Raises:
        ModelFileError: the answers differ from the recorded ones.
    """
    reference = metadata.reference
    energies, gradient = energies_and_gradient(
        module,
        torch.tensor(reference.species, device=device),
        reference.n_local,
        torch.tensor(reference.edge_index, device=device),
        torch.tensor(reference.edge_vec, dtype=dtype, device=device),
    )
    for name, found, recorded in (
        ("energies", energies, reference.energies),
        ("gradients", gradient, reference.gradient),
    ):
        expected = torch.tensor(recorded, dtype=torch.float64)
        if found.shape != expected.shape:
            raise ModelFileError(
                f"{path}: self-check fails, {name} of its reference configuration have shape {tuple(found.shape)}, "
                f"the recorded ones {tuple(expected.shape)}; export the model again"
            )
        error = (found.cpu().double() - expected).abs().max()
        if not error <= _TOLERANCE[dtype] * expected.abs().max():
            raise ModelFileError(
                f"{path}: self-check fails, {name} of its reference configuration differ by "
                f"{error:.3g} from the recorded ones (largest {expected.abs().max():.3g}, eV and Å); "
                "the file or this build is wrong, export the model again"
            )
