"""Hooks that the benchmark compares with nnpal's own."""

from __future__ import annotations

import itertools

import numpy as np

from nnpal.hooks import Context


class Empty:
    """A hook that does nothing where a bias would act."""

    reads = ()

    def pre_reverse(self, context: Context) -> None:
        pass


class NumpyBias:
    """Forces of MOMT with a fixed bias, in NumPy: the cost of a Python callback without compiled code.

    O = 1/(N_g N) Σ_g |Σ_i exp(i g·r_i)|² over the four ⟨111⟩ reciprocal vectors of fcc; F' = (1 + a) F - b ∂O/∂r,
    with slopes a and b so small that the trajectory does not change.

    Args:
        cells: cubic cells along each edge of the orthogonal box.
    """

    def __init__(self, context: Context, cells: int, a: float = 1e-6, b: float = 1e-6) -> None:
        signs = np.array([(1, y, z) for y, z in itertools.product((1, -1), repeat=2)], dtype=float)
        self.multiples = 2 * np.pi * cells * signs
        self.n_atoms = context.n_atoms
        self.a, self.b = a, b
        self.energy = 0.0
        self.virial = np.zeros(6)
        self.vector = np.zeros(2)

    def pre_reverse(self, context: Context) -> None:
        vectors = self.multiples / context.box.diagonal()  # g, [4, 3]
        waves = np.exp(1j * (context.x @ vectors.T))
        sums = waves.sum(axis=0)
        norm = len(vectors) * self.n_atoms
        order = (sums.real**2 + sums.imag**2).sum() / norm
        gradient = -2.0 / norm * (sums.conj() * waves).imag @ vectors
        context.scale_forces(1.0 + self.a)
        context.f[:] -= self.b * gradient
        self.energy = self.a * context.potential_energy + self.b * order
        self.virial[:] = self.a * context.virial
        self.vector[:] = context.potential_energy, order
