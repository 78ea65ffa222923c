"""Checks that a module satisfies the contract, one function each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.module_checks.graphs import closure, joined, lone_atoms, relabeled, reordered, row, split
from nnpal.model.module_checks.subject import Subject, largest

SYMMETRIC = 1e-6
"""Weights or constants rounded to float32 break a symmetry by 1e-7; a wrong term by far more."""
SAME = 1e-9
"""For the same sums in another order, exact to 1e-13 in float64; detects a weak message from one step too far."""
SLOPE = 1e-5
"""Error of fourth-order differences, as in the gate of model files: rounding and jumps of second derivatives."""
STEP = 1e-4
"""Length of the vector of all displacements, Å."""
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
N_DIRECTIONS = 3


def check_repetition(subject: Subject, graph: Graph, _: np.random.Generator) -> None:
    """Check that the same atoms give the same energies."""
    first = subject.energies(graph)
    subject.compare(
        "repetition",
        subject.energies(graph),
        first,
        SAME,
        "random numbers in forward, dropout by torch.nn.functional without training=self.training, a state that "
        "forward changes",
    )


def check_derivative(subject: Subject, graph: Graph, rng: np.random.Generator) -> None:
    """Compare gradients in the edge vectors with finite differences along random directions."""
    _, gradient = subject.gradient(graph)
    found, expected = [], []
    for _ in range(N_DIRECTIONS):
        direction = torch.from_numpy(rng.normal(size=graph.edge_vec.shape))
        direction /= direction.norm()
        energies = torch.stack([subject.energies(_moved(graph, k * STEP * direction)).sum() for k in STENCIL])
        found.append(torch.tensor(list(STENCIL.values()), dtype=torch.float64) @ energies / STEP)
        expected.append((gradient * direction).sum())
    subject.compare(
        "derivative",
        torch.stack(found),
        torch.stack(expected),
        SLOPE,
        "detach(), .data or torch.no_grad() on part of the way, a custom backward, a step in the energy, numbers in "
        "float32 inside (tensors made without dtype=edge_vec.dtype, .float())",
        unit="eV/Å",
        scale=largest(gradient),
    )


def check_rotation(subject: Subject, graph: Graph, rng: np.random.Generator) -> None:
    """Check that a rotated and an inverted cluster have the same energies."""
    expected = subject.energies(graph)
    turn, triangle = np.linalg.qr(rng.normal(size=(3, 3)))
    turn = turn * np.sign(np.diag(triangle)) * np.sign(np.linalg.det(turn * np.sign(np.diag(triangle))))
    why = "components of edge_vec used as they are, in place of lengths, angles or equivariant products"
    turned = Graph(graph.species, graph.n_local, graph.edge_index, graph.edge_vec @ torch.from_numpy(turn).T)
    subject.compare("rotation", subject.energies(turned), expected, SYMMETRIC, why)
    mirrored = Graph(graph.species, graph.n_local, graph.edge_index, -graph.edge_vec)
    why = f"{why}; products of an odd number of vectors used as scalars"
    subject.compare("inversion", subject.energies(mirrored), expected, SYMMETRIC, why)


def check_order(subject: Subject, graph: Graph, rng: np.random.Generator) -> None:
    """Check that neither the order of atoms nor that of a center's edges matters."""
    expected = subject.energies(graph)
    order = torch.from_numpy(rng.permutation(len(graph.species)))
    subject.compare(
        "order of atoms",
        subject.energies(relabeled(graph, order)),
        expected[order],
        SAME,
        "an atom's index used as a number, an operation that expects a certain order",
    )
    subject.compare(
        "order of edges",
        subject.energies(reordered(graph, rng)),
        expected,
        SAME,
        "neighbors used by their place in the list, a cut after so many neighbors",
    )


def check_extensivity(subject: Subject, graph: Graph, _: np.random.Generator) -> None:
    """Check that atoms far apart do not interact, and that a lone atom has an energy."""
    lone = lone_atoms(len(subject.elements))
    alone = subject.energies(lone)
    both = joined(graph, lone)
    subject.compare(
        "extensivity",
        subject.energies(both),
        torch.cat((subject.energies(graph), alone)),
        SAME,
        "a mean, norm or attention over all atoms, batch normalization, the largest number of neighbors used as a size",
    )


def check_halo(subject: Subject, graph: Graph, rng: np.random.Generator) -> None:
    """Check that the edges promised by the contract suffice for the centers' energies and gradients.

    A rank of LAMMPS has only these: edges of atoms up to ``hops - 1`` steps from its own.
    """
    n_atoms = len(graph.species)
    one = torch.from_numpy(rng.permutation(n_atoms))
    for centers in (one[:1], one[1:2], one[: n_atoms // 3]):
        expected, gradient = subject.gradient(graph, centers)
        part, kept = closure(graph, centers, subject.hops)
        energies, of_part = subject.gradient(part)
        why = (
            f"more message-passing steps than hops={subject.hops}, the count of steps by which a neighbor's neighbors "
            "matter (1: only neighbors); energies that depend on n_local or on the number of atoms"
        )
        subject.compare("halo", energies, expected[centers], SAME, why, scale=largest(expected))
        spread = torch.zeros_like(gradient)
        spread[kept] = of_part
        subject.compare("halo", spread, gradient, SAME, why, unit="eV/Å")


def check_images(subject: Subject, graph: Graph, rng: np.random.Generator) -> None:
    """Check that periodic images may be additional edges between the same atoms or additional atoms."""
    why = (
        "edges found by their pair of atoms (a matrix [n_atoms, n_atoms], edge_index[0] == edge_index[1] left out), "
        "neighbors recognized by their index"
    )
    mapped, unrolled = row(len(subject.elements), subject.cutoff, subject.hops, rng)
    subject.compare("periodic images", subject.energies(mapped), subject.energies(unrolled), SAME, why)
    if subject.hops == 1:
        subject.compare("periodic images", subject.energies(split(graph)), subject.energies(graph), SAME, why)


CHECKS = (
    check_repetition,
    check_derivative,
    check_rotation,
    check_order,
    check_extensivity,
    check_halo,
    check_images,
)


def _moved(graph: Graph, by: Tensor) -> Graph:
    return Graph(graph.species, graph.n_local, graph.edge_index, graph.edge_vec + by)
