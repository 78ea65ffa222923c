"""The two-body D3 dispersion of TorchANI as a term of an exported model.

With R = r in bohr, f the cutoff function, R0_ab = sqrt(3 Q_a Q_b) and sums only over pairs within the cutoff::

    E_i  = -1/2 sum_j C6_ij [ s6/(R^6 + d^6) + 3 s8 Q_a Q_b/(R^8 + d^8) ] f(r_ij),   d = a1 R0_ab + a2   (hartree)
    C6   = sum_kl C6_kl w_ik w_jl / sum_kl w_ik w_jl,   w_ik = exp(-4 (CN_i - CN_k)^2)
    CN_i = sum_j 1 / (1 + exp(-16 [4/3 (r_a + r_b)/R - 1]))

k and l count the reference molecules of each element. The coordination numbers CN make it a many-body term: an atom's
energy depends on the neighbors of its neighbors.

Source: doi:10.1063/1.3382344 and doi:10.1002/jcc.21759, which have no cutoff function.
"""

import copy

import torch
from torch import Tensor
from torchani.potentials import TwoBodyDispersionD3
from torchani.units import ANGSTROM_TO_BOHR

NAME = "d3_dispersion"
"""Name in a file's ``pair_terms``."""
HOPS = 2
"""A center's neighbors need edges too, for their coordination numbers."""


class Dispersion(torch.nn.Module):
    """Dispersion energy of each center, half of each of its pairs', eV."""

    c6: Tensor
    counts: Tensor
    is_reference: Tensor
    charges: Tensor
    damping_radii: Tensor
    radii: Tensor

    def __init__(self, potential: TwoBodyDispersionD3, energy_scale: float) -> None:
        super().__init__()
        self.cutoff = float(potential.cutoff)
        self.cutoff_function = copy.deepcopy(potential.cutoff_fn)
        self.energy_scale = energy_scale
        self.length_scale = float(ANGSTROM_TO_BOHR)
        self.s6, self.s8 = float(potential._s6), float(potential._s8)
        self.steepness, self.stretch, self.sharpness = (
            float(potential._k1),
            float(potential._k2),
            float(potential._k3),
        )
        self.smallest = float(potential._eps)
        damp = potential._damp_fn
        c6, counts, is_reference = _references(potential)
        self.register_buffer("c6", c6)
        self.register_buffer("counts", counts)
        self.register_buffer("is_reference", is_reference)
        self.register_buffer("charges", potential.sqrt_charge_ab.detach())
        self.a1, self.a2 = float(damp._a1), float(damp._a2)
        self.register_buffer("damping_radii", damp.cutoff_radii.detach())
        self.register_buffer("radii", potential.covalent_radii.detach())

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the energies of centers 0 .. n_local-1, eV, [n_local].

        Arguments:
            species: element index of every atom, centers first, int64 [n_atoms].
            n_local: number of centers.
            edge_index: (center, neighbor), int64 [2, n_edges], for centers and their neighbors.
            edge_vec: r_neighbor - r_center, Å, [n_edges, 3].
        """
        center, neighbor = edge_index[0], edge_index[1]
        of_center, of_neighbor = species.index_select(0, center), species.index_select(0, neighbor)
        distance = edge_vec.norm(2, -1)
        counts = self._coordination_numbers(species.shape[0], center, of_center, of_neighbor, distance)
        mine = (center < n_local).nonzero().view(-1)
        center, neighbor = center.index_select(0, mine), neighbor.index_select(0, mine)
        of_center, of_neighbor = of_center.index_select(0, mine), of_neighbor.index_select(0, mine)
        distance = distance.index_select(0, mine)
        c6 = self._c6(species, n_local, counts, center, neighbor, of_neighbor).to(distance.dtype)
        length, damping = distance * self.length_scale, self.a1 * self.damping_radii[of_center, of_neighbor] + self.a2
        sixth = self.s6 / (length**6 + damping**6)
        eighth = 3.0 * self.s8 * self.charges[of_center, of_neighbor] / (length**8 + damping**8)
        pairs = -c6 * (sixth + eighth) * self.cutoff_function(distance, self.cutoff)
        return (0.5 * self.energy_scale) * pairs.new_zeros(n_local).index_add(0, center, pairs)

    @torch.jit.export
    def energies_and_gradients(
        self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the energies and the gradient of their sum, eV/Å, [n_edges, 3], even with gradients disabled."""
        is_enabled = torch.is_grad_enabled()
        torch.set_grad_enabled(True)  # TorchScript has no torch.enable_grad
        vec = edge_vec.clone().requires_grad_(True)
        energies = self.forward(species, n_local, edge_index, vec)
        gradient = torch.autograd.grad([energies.sum()], [vec], allow_unused=True)[0]
        torch.set_grad_enabled(is_enabled)
        if gradient is None:
            gradient = torch.zeros_like(edge_vec)
        return energies.detach(), gradient

    def _coordination_numbers(
        self, n_atoms: int, center: Tensor, of_center: Tensor, of_neighbor: Tensor, distance: Tensor
    ) -> Tensor:
        radii = self.radii.index_select(0, of_center) + self.radii.index_select(0, of_neighbor)
        ratio = self.stretch * radii / (distance * self.length_scale)
        terms = 1.0 / (1.0 + torch.exp(-self.steepness * (ratio - 1.0)))
        return terms.new_zeros(n_atoms).index_add(0, center, terms)

    def _c6(
        self, species: Tensor, n_local: int, counts: Tensor, center: Tensor, neighbor: Tensor, of_neighbor: Tensor
    ) -> Tensor:
        """Return C6 of each edge, interpolated between the reference molecules of its elements, [n_edges].

        In double precision: where no reference has a similar coordination number, the square of the sum of weights
        underflows in single precision, and TorchScript's derivative of the quotient, which contains it, is NaN.
        """
        n_elements = self.c6.shape[0]
        deviation = counts.double().unsqueeze(1) - self.counts.index_select(0, species)
        weights = torch.exp(-self.sharpness * deviation.square()) * self.is_reference.index_select(0, species)
        of_centers = self.c6.index_select(0, species[:n_local]).double()  # [n_local, n_elements, k, l]
        half = (weights[:n_local, None, :, None] * of_centers).sum(2).flatten(0, 1)  # [n_local * n_elements, l]
        of_neighbors = weights.index_select(0, neighbor)
        products = (half.index_select(0, center * n_elements + of_neighbor) * of_neighbors).sum(1)
        norms = weights.sum(1).index_select(0, center) * of_neighbors.sum(1)
        return (products + self.smallest) / (norms + self.smallest)


def _references(potential: TwoBodyDispersionD3) -> tuple[Tensor, Tensor, Tensor]:
    """Return C6 of each pair of reference molecules, their coordination numbers, and which of them exist.

    TorchANI stores them for each pair of elements, although each belongs to one element.

    Returns:
        C6, [n_elements, n_elements, k, l], 0 where a reference is missing; coordination numbers, [n_elements, k]; and a
        mask of 1 or 0, [n_elements, k].
    """
    c6, of_pairs = potential.precalc_coeff6.detach(), potential.precalc_coordnums_a.detach()
    is_there = c6 > 0.0
    is_reference = is_there.any(3).any(1)
    counts = of_pairs.masked_fill(~is_there, 0.0).amax((1, 3))
    expected = is_reference[:, None, :, None] & is_reference[None, :, None, :]
    same = (of_pairs - counts[:, None, :, None]).masked_fill(~is_there, 0.0)
    if not torch.equal(is_there, expected) or bool(same.any()):
        raise ValueError("its dispersion has reference molecules that depend on the pair of elements")
    return c6.clamp(min=0.0), counts, is_reference.to(c6.dtype)
