"""Time the networks' matrix products and TorchANI in torch, on one thread."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchani.arch import ANI
from torchani.tuples import EnergiesScalars
from torchani.units import HARTREE_TO_EV

import nickel
from agreement import Evaluation
from nnpal.geometry.neighbor_graph import each_pair_once, neighbor_graph


def pairs_of_torchani(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: bool, cutoff: float
) -> tuple[Tensor, Tensor]:
    """Return each pair once, int64, [2, n_pairs], and its shift, Å, [n_pairs, 3]; its vector is x_i - x_j + shift."""
    graph = each_pair_once(neighbor_graph(positions, cell, pbc, np.zeros(len(positions)), cutoff))
    i, j = graph.edge_index
    shifts = torch.from_numpy(positions[j.numpy()] - positions[i.numpy()]) - graph.edge_vec
    return graph.edge_index, shifts.float()


def microseconds_per_call(function: Callable[[], object], seconds: float) -> float:
    """Return the time of a call, µs: the mean over about `seconds`, at least three calls, after a warm-up call."""
    function()
    n_calls, begin = 0, time.perf_counter()
    while n_calls < 3 or time.perf_counter() - begin < seconds:
        function()
        n_calls += 1
    return 1e6 * (time.perf_counter() - begin) / n_calls


SQUARE = (128, 256, 384, 512)  # three matrices of the largest size take 3 MB and stay in cache


def best_product_rate() -> float:
    """Return the highest rate, operations per second, at which torch multiplies square matrices in single precision."""
    best = 0.0
    for n in SQUARE:
        a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        for _ in range(10):
            begin = time.perf_counter()
            torch.mm(a, b, out=c)
            best = max(best, 2 * n**3 / (time.perf_counter() - begin))
    return best


class NetworkProducts:
    """The matrix products of all members for some atoms: forward, then the gradient of the input.

    No bias and no activation. 2 * 2 * weights operations per atom and member.
    """

    def __init__(self, n_atoms: int) -> None:
        sizes = (nickel.AEV_LENGTH, *nickel.HIDDEN)
        generator = torch.Generator().manual_seed(0)
        self.weights = [torch.randn(n_in, n_out, generator=generator) for n_in, n_out in itertools.pairwise(sizes)]
        self.inputs = [torch.randn(n_atoms, n, generator=generator) for n in sizes]
        self.outputs = [torch.empty(n_atoms, n) for n in sizes]

    def __call__(self) -> None:
        for _ in range(nickel.N_MEMBERS):
            for k, weight in enumerate(self.weights):
                torch.mm(self.inputs[k], weight, out=self.outputs[k + 1])
            for k in reversed(range(len(self.weights))):
                torch.mm(self.inputs[k + 1], self.weights[k].T, out=self.outputs[k])

    @property
    def operations(self) -> int:
        """Number of floating-point operations per call."""
        per_atom = sum(weight.numel() for weight in self.weights)
        return 2 * 2 * per_atom * nickel.N_MEMBERS * len(self.inputs[0])


class TorchANI:
    """Energy and forces of the TorchANI model in Python, eager, float32, for given pairs within the cutoff.

    The neighbor search is not included, because in LAMMPS it is not part of the pair style either.
    """

    def __init__(self, model: ANI, n_atoms: int) -> None:
        positions, edges = nickel.positions_and_edges(n_atoms)
        self.model = model
        self.numbers = torch.full((1, n_atoms), 28)
        self.positions = torch.tensor(positions[None], dtype=torch.float32, requires_grad=True)
        self.pairs, self.shifts = pairs_of_torchani(positions, np.diag(edges), True, float(model.cutoff))

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Return the energy and its gradient, Hartree and Hartree/Å."""
        energy = self._energies().energies.sum()
        return energy, torch.autograd.grad(energy, self.positions)[0]

    def evaluate(self) -> Evaluation:
        """Return energy, forces and both uncertainties from their definitions; not timed."""
        energy, gradient = self()
        members = self._energies(atomic=True, ensemble_values=True).energies[:, 0]
        gradients = [torch.autograd.grad(own.sum(), self.positions, retain_graph=True)[0][0] for own in members]
        spread = torch.stack(gradients).std(0, correction=0)
        uncertainties = {
            "uq_energy": members.detach().std(0, correction=0),
            "uq_force": spread.square().sum(1).sqrt(),
        }
        return Evaluation(
            energy.item() * HARTREE_TO_EV,
            -gradient[0].numpy() * HARTREE_TO_EV,
            {name: values.numpy() * HARTREE_TO_EV for name, values in uncertainties.items()},
        )

    def _energies(self, **options: bool) -> EnergiesScalars:
        return self.model.compute_from_external_neighbors(
            self.numbers, self.positions, self.pairs, self.shifts, **options
        )
