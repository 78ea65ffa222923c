"""The reference configuration: created and evaluated at export, recomputed whenever the file is loaded."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.charge_sums import normalized
from nnpal.model.metadata import ModelFileError, ReferenceConfiguration

if TYPE_CHECKING:
    from nnpal.model.archive import LoadedModel

_EDGE = 2.4  # Å, between grid points: within every angular cutoff in use, and far from overlap
_RATTLE = 0.3  # Å
_TOLERANCE = {
    torch.float32: 1e-4,
    torch.float64: 1e-8,
}  # relative to the largest magnitude; from the model contract
_CURE = "export the model again"
_OLD_CELU = 1e-6
"""Relative to the largest gradient. Earlier versions recorded gradients with torch's CELU slope, whose error in float64
is 1.5e-8 for TorchANI's alpha and up to 6e-8 for others; several layers add up."""
_OLD_FILE = (
    "a difference this small is typical of CELU models exported by an earlier version of nnpal, whose recorded "
    f"gradients used torch's CELU slope (inexact in double precision): {_CURE}, or use single precision"
)


def make_reference(
    module: torch.nn.Module, n_elements: int, cutoff: float, hops: int = 1, *, with_charges: bool = False
) -> ReferenceConfiguration:
    """Evaluate ``module`` in float64 on a rattled cluster with every element at least twice.

    Arguments:
        module: an exported model before scripting; it is not changed.
        n_elements: number of its elements.
        cutoff: cutoff of its edges, Å.
        hops: message-passing steps; with several, only half of the atoms are centers, and all have edges.
        with_charges: whether ``module.charges`` is evaluated, too.

    Raises:
        ValueError: a result is not finite, or an atom has more than one.
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
    center, neighbor = torch.where((distances > 0) & (distances < cutoff))
    edge_vec = vectors[center, neighbor]
    species = torch.arange(n_atoms) % n_elements
    edge_index = torch.stack((center, neighbor))
    n_local = n_atoms if hops == 1 else n_atoms // 2
    energies, gradient = energies_and_gradient(copy.deepcopy(module).double(), species, n_local, edge_index, edge_vec)
    if energies.shape[1] != n_local:
        raise ValueError(
            f"model gives {energies.shape[1]} values for {n_local} atoms; expected networks with one output each"
        )
    if not (energies.isfinite().all() and gradient.isfinite().all()):
        raise ValueError(
            f"model gives energies or gradients that are not finite on a cluster with atoms {spacing} Å apart; "
            "expected finite ones; its weights contain nan or inf, or its training diverged"
        )
    return ReferenceConfiguration(
        species=species.tolist(),
        n_local=n_local,
        edge_index=edge_index.tolist(),
        edge_vec=edge_vec.tolist(),
        energies=energies.tolist(),
        gradient=gradient.tolist(),
        charges=_charges(module, species, n_local, edge_index, edge_vec) if with_charges else None,
    )


def _charges(
    module: torch.nn.Module, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor
) -> list[float]:
    of_atoms: Any = copy.deepcopy(module).double()
    with torch.no_grad():
        raw, weights = of_atoms.charges(species, n_local, edge_index, edge_vec)
    if raw.shape != (n_local,):
        raise ValueError(
            f"model gives charges of shape {tuple(raw.shape)} for {n_local} atoms; expected charge networks with one "
            "output each"
        )
    charges = normalized(raw.numpy(), weights.numpy(), [f"element {index}" for index in species.tolist()])
    return [float(charge) for charge in charges]


def energies_and_gradient(
    module: torch.nn.Module, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor
) -> tuple[Tensor, Tensor]:
    """Return member energies [n_members, n_local] and the gradient of their mean's sum [n_edges, 3]."""
    edge_vec = edge_vec.detach().requires_grad_(True)
    energies = module(species, n_local, edge_index, edge_vec)
    (gradient,) = torch.autograd.grad(energies.mean(0).sum(), edge_vec)
    return energies.detach(), gradient


def check_reference(model: LoadedModel, path: str) -> None:
    """Evaluate the file's reference configuration by every method of the file, and compare with the recorded results.

    Raises:
        ModelFileError: the results differ from the recorded ones, or cannot be computed.
    """
    reference = model.metadata.reference
    graph = Graph(
        torch.tensor(reference.species),
        reference.n_local,
        torch.tensor(reference.edge_index),
        torch.tensor(reference.edge_vec, dtype=torch.float64),
    )
    species, edge_index = graph.species.to(model.device), graph.edge_index.to(model.device)
    edge_vec = graph.edge_vec.to(model.device, model.dtype)
    try:
        answers = [energies_and_gradient(model.module, species, reference.n_local, edge_index, edge_vec)]
        if model.metadata.kernel == "fused" or model.program is not None:
            energies, gradients = model.energies_and_gradients(graph, of_members=False)
            answers.append((energies, gradients[0]))
        charges = model.charges(graph) if model.metadata.charges else None
    except Exception as error:  # from TorchScript and the operations, including IndexError and TypeError
        reason = str(error).strip().splitlines()
        raise ModelFileError(
            f"{path}: its reference configuration cannot be evaluated ({reason[-1] if reason else error!r}); {_CURE}"
        ) from error
    for energies, gradient in answers:
        _compare("energies", energies, reference.energies, model.dtype, path)
        _compare("gradients", gradient, reference.gradient, model.dtype, path)
    if charges is not None:
        _compare("charges", charges, reference.charges, model.dtype, path)


def _compare(name: str, found: Tensor, recorded: Any, dtype: torch.dtype, path: str) -> None:
    expected = torch.tensor(recorded, dtype=torch.float64)
    if found.shape != expected.shape:
        raise ModelFileError(
            f"{path}: self-check fails, {name} of its reference configuration have shape {tuple(found.shape)}, "
            f"the recorded ones {tuple(expected.shape)}; {_CURE}"
        )
    error, largest = (found.cpu().double() - expected).abs().max(), expected.abs().max()
    if not error <= _TOLERANCE[dtype] * largest:
        is_old_slope = name == "gradients" and dtype == torch.float64 and error <= _OLD_CELU * largest
        raise ModelFileError(
            f"{path}: self-check fails, {name} of its reference configuration differ by "
            f"{error:.3g} from the recorded ones (largest {largest:.3g}, eV and Å); "
            + (_OLD_FILE if is_old_slope else f"the file or this build is wrong, {_CURE}")
        )
