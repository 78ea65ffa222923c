"""Input of uncertainty recipes: AEVs, energies and forces of members, and derivatives by last-layer weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from nnpal.calibration import unshared
from nnpal.geometry.neighbor_graph import Graph, atoms_graph, edge_forces
from nnpal.model import load_model
from nnpal.model.aev_function import AEVFunction
from nnpal.model.layers import layers_of
from nnpal.model.member_networks import read_networks
from nnpal.training.jacobian import derivatives
from nnpal.training.plan import read_splits

LOCAL = 3.5  # Å, cutoff of the local mean of the spread


@dataclass(frozen=True)
class Evaluated:
    """Atoms of labeled configurations, one configuration after another.

    Attributes:
        species: element index, [n_atoms].
        frame: configuration, [n_atoms].
        aev: atomic environment vectors, [n_atoms, n_features].
        energies: atomic energies of each member, eV, [n_members, n_atoms].
        forces: forces of each member, eV/Å, [n_members, n_atoms, 3].
        local: mean of |F_m - F|² over neighbors and members, weighted by the cutoff function of ``LOCAL`` (the atom
            itself has weight 1), eV²/Å², [n_atoms].
        labels: reference forces, eV/Å, [n_atoms, 3].
        error: force error of the mean of the evaluated members, eV/Å, [n_atoms, 3].
        unshared: see :class:`nnpal.calibration.Pairs`, [n_atoms].
        jacobian: dF/dw of the first member's last layer, [n_atoms, 3, n_weights]; NaN if not requested.
    """

    species: np.ndarray
    frame: np.ndarray
    aev: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    local: np.ndarray
    labels: np.ndarray
    error: np.ndarray
    unshared: np.ndarray
    jacobian: np.ndarray

    @property
    def squares(self) -> np.ndarray:
        return np.asarray(np.square(self.error).sum(1))

    @property
    def uq_force(self) -> np.ndarray:
        return np.asarray(np.sqrt(self.forces.var(0).sum(-1)))

    @property
    def uq_energy(self) -> np.ndarray:
        return np.asarray(self.energies.std(0))

    @property
    def excess(self) -> np.ndarray:
        """Excess of the squared error because only some of the members are evaluated, eV²/Å², [n_atoms]."""
        return np.asarray(self.unshared * self.uq_force**2)

    def of_atoms(self, chosen: np.ndarray) -> Evaluated:
        by_member = ("energies", "forces")
        values = {name: value[:, chosen] if name in by_member else value[chosen] for name, value in vars(self).items()}
        return Evaluated(**values)

    def of_members(self, n_members: int) -> Evaluated:
        """Return the data of the first members, with the error of their mean; ``local`` remains that of all members."""
        few = replace(self, energies=self.energies[:n_members], forces=self.forces[:n_members])
        return replace(few, error=few.forces.mean(0) - self.labels)

    def out_of_fold(self, folder: Path) -> Evaluated:
        """Return the atoms of configurations that some members were not trained on, with the error of these members."""
        n_members, n_frames = len(self.forces), int(self.frame.max()) + 1
        unseen = np.zeros((n_members, n_frames))
        for own, split in zip(unseen, read_splits(folder), strict=False):
            own[split.validation] = 1.0
        n_judged = unseen.sum(0)
        weights = (unseen / np.maximum(n_judged, 1))[:, self.frame]
        error = (self.forces * weights[:, :, None]).sum(0) - self.labels
        excess = unshared(n_members, np.maximum(n_judged, 1))[self.frame] if n_members > 1 else np.zeros(len(error))
        return replace(self, error=error, unshared=excess).of_atoms(n_judged[self.frame] > 0)


def evaluate(model_path: Path, frames: Sequence[Atoms], with_jacobian: np.ndarray | None = None) -> Evaluated:
    """Return all quantities of the atoms of configurations.

    Arguments:
        model_path: model file with ANI networks and GELU activation.
        frames: labeled configurations.
        with_jacobian: configurations to compute the Jacobian for, bool, [n_frames]; by default all.
    """
    model, networks = load_model(model_path), read_networks(model_path)
    aev, symbols, parts = AEVFunction.of(networks.description), model.metadata.elements, []
    for index, frame in enumerate(frames):
        graph = atoms_graph(frame, symbols, model.metadata.cutoff, model=str(model_path))
        single = replace(graph, edge_vec=graph.edge_vec.float())
        energies, gradients = model.energies_and_gradients(graph, of_members=True)
        forces = np.stack([edge_forces(graph, gradient).numpy() for gradient in gradients[1:]])
        features, labels = aev(single), frame.get_forces()
        atomics = [networks.networks[0].atomics[symbol] for symbol in symbols]
        jacobian = np.full((len(frame), 3, _n_weights(atomics)), np.nan, np.float32)
        if with_jacobian is None or with_jacobian[index]:
            jacobian = _last_layer_jacobian(atomics, aev, single, features)
        own = Evaluated(
            species=graph.species.numpy(),
            frame=np.full(len(frame), index),
            aev=features.numpy(),
            energies=energies.double().numpy(),
            forces=forces,
            local=_local_mean(graph, forces.var(0).sum(-1)),
            labels=labels,
            error=forces.mean(0) - labels,
            unshared=np.zeros(len(frame)),
            jacobian=jacobian,
        )
        parts.append(vars(own))
    axes = {"energies": 1, "forces": 1}
    return Evaluated(**{k: np.concatenate([part[k] for part in parts], axis=axes.get(k, 0)) for k in parts[0]})


def _local_mean(graph: Graph, squares: np.ndarray) -> np.ndarray:
    length = graph.edge_vec.norm(dim=1).numpy()
    weight = np.where(length < LOCAL, 0.5 + 0.5 * np.cos(np.pi * length / LOCAL), 0.0)
    center, neighbor = graph.edge_index.numpy()
    total, norm = squares.copy(), np.ones(len(squares))
    np.add.at(total, center, weight * squares[neighbor])
    np.add.at(norm, center, weight)
    return np.asarray(total / norm)


def _n_weights(atomics: Sequence[torch.nn.Module]) -> int:
    return sum(layers_of(network)[-1].in_features for network in atomics)


def _last_layer_jacobian(
    atomics: Sequence[torch.nn.Module], aev: AEVFunction, graph: Graph, features: Tensor
) -> np.ndarray:
    """Return dF/dw, [n_atoms, 3, n_weights]; forces are linear in the weights w of the last layer."""
    n_atoms, n_features = features.shape
    blocks = []
    for element, network in enumerate(atomics):
        own = graph.species == element
        block = features.new_zeros(n_atoms, n_features, layers_of(network)[-1].in_features)
        block[own] = _hidden_slopes(network, features[own])
        blocks.append(block)
    slopes = torch.cat(blocks, 2).reshape(n_atoms * n_features, -1)
    product = derivatives(aev.jacobian(graph), graph, strain=False).T @ slopes
    return np.asarray(-product.reshape(n_atoms, 3, -1).numpy())


def _hidden_slopes(network: torch.nn.Module, features: Tensor) -> Tensor:
    """Return dh/dAEV for the output h of the last hidden layer, [n_atoms, n_features, n_hidden]."""

    def hidden(row: Tensor) -> Tensor:
        for layer in layers_of(network)[:-1]:
            bias = None if layer.bias is None else layer.bias.detach().float()
            row = torch.nn.functional.gelu(torch.nn.functional.linear(row, layer.weight.detach().float(), bias))
        return row

    return torch.func.vmap(torch.func.jacfwd(hidden))(features).transpose(1, 2)
