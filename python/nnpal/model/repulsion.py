"""The repulsion of GFN2-xTB as a pair term of an exported model, in TorchANI's form.

With R = r in bohr, y_ab = Y_a Y_b, α_ab = sqrt(α_a α_b), k_ab = 3/2, or 1 for H-H, and f the cutoff function::

    E_i = 1/2 sum_j e(r_ij) f(r_ij),   e(r) = y_ab/R exp(-α_ab R^k_ab)   (hartree)

Source: doi:10.1021/acs.jctc.8b01176, which has no cutoff function.
"""

import copy
import math

import torch
from torch import Tensor
from torchani.cutoffs import CutoffCosine, CutoffDummy, CutoffSmooth
from torchani.potentials import RepulsionXTB
from torchani.units import ANGSTROM_TO_BOHR

from nnpal.model.ops import load_ops

NAME = "xtb_repulsion"
"""Name in a file's ``pair_terms``."""
NEGLIGIBLE = 1e-10
"""Energy of a pair, hartree; if TorchANI's term has no cutoff, a file omits pairs below it."""
_CLOSEST = 1e-7
"""TorchANI's lower bound of distances against divisions by 0, Å."""


def repulsion_cutoff(potential: RepulsionXTB, radial_cutoff: float) -> float:
    """Return the distance up to which pairs are evaluated, Å.

    Arguments:
        potential: TorchANI's repulsion.
        radial_cutoff: radial cutoff of the AEV, Å. A term without a cutoff ends there, or farther out where negligible.
    """
    if math.isfinite(potential.cutoff):
        return float(potential.cutoff)
    y, alpha, exponent = (table.double() for table in _tables(potential))
    found = radial_cutoff
    while float(_pair_energies(torch.tensor(found * ANGSTROM_TO_BOHR), y, alpha, exponent).max()) > NEGLIGIBLE:
        found += 0.1
    return found


class Repulsion(torch.nn.Module):
    """Repulsion in torch, for files of kernel ``torchani``."""

    tables: Tensor

    def __init__(self, potential: RepulsionXTB, radial_cutoff: float, energy_scale: float) -> None:
        super().__init__()
        self.cutoff = repulsion_cutoff(potential, radial_cutoff)
        self.cutoff_function = copy.deepcopy(potential.cutoff_fn)
        self.energy_scale = energy_scale
        self.length_scale = float(ANGSTROM_TO_BOHR)
        self.closest = _CLOSEST
        self.register_buffer("tables", torch.stack(_tables(potential)))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return half of each pair's energy summed over the edges of each center, eV, [n_local]."""
        distance = edge_vec.norm(2, -1)
        near = ((distance < self.cutoff) & (edge_index[0] < n_local)).nonzero().view(-1)
        distance = distance.index_select(0, near)
        center = edge_index[0].index_select(0, near)
        neighbor = edge_index[1].index_select(0, near)
        of_center, of_neighbor = species.index_select(0, center), species.index_select(0, neighbor)
        length = distance.clamp(min=self.closest) * self.length_scale
        y, alpha, exponent = self.tables[:, of_center, of_neighbor].unbind(0)
        pairs = _pair_energies(length, y, alpha, exponent) * self.cutoff_function(distance, self.cutoff)
        return (0.5 * self.energy_scale) * pairs.new_zeros(n_local).index_add(0, center, pairs)


class FusedRepulsion(torch.nn.Module):
    """Repulsion by ``torch.ops.nnpal.repulsion``, for files of kernel ``fused``."""

    tables: Tensor

    def __init__(self, potential: RepulsionXTB, radial_cutoff: float, energy_scale: float) -> None:
        load_ops()
        super().__init__()
        self.cutoff = repulsion_cutoff(potential, radial_cutoff)
        self.cutoff_function = fused_cutoff_function(potential)
        self.energy_scale = energy_scale
        self.length_scale = float(ANGSTROM_TO_BOHR)
        self.register_buffer("tables", torch.stack(_tables(potential)))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return half of each pair's energy summed over the edges of each center, eV, [n_local]."""
        return torch.ops.nnpal.repulsion(
            species,
            n_local,
            edge_index,
            edge_vec,
            self.tables,
            self.cutoff,
            self.cutoff_function,
            self.energy_scale,
            self.length_scale,
        )

    @torch.jit.export
    def energies_and_gradients(
        self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the energies and the gradient of their sum, eV/Å, [n_edges, 3]."""
        return torch.ops.nnpal.repulsion_gradients(
            species,
            n_local,
            edge_index,
            edge_vec,
            self.tables,
            self.cutoff,
            self.cutoff_function,
            self.energy_scale,
            self.length_scale,
        )


def fused_cutoff_function(potential: RepulsionXTB) -> str:
    """Return the name of a potential's cutoff function for the operation.

    Raises:
        ValueError: the operation does not have this function.
    """
    function = potential.cutoff_fn
    if type(function) is CutoffDummy:
        return "none"
    if type(function) is CutoffCosine:
        return "cosine"
    if function.is_same(CutoffSmooth()):
        return "smooth"
    raise ValueError(
        f"the cutoff function of its repulsion is {function}, neither CutoffCosine nor CutoffSmooth with its defaults"
    )


def _tables(potential: RepulsionXTB) -> tuple[Tensor, Tensor, Tensor]:
    """Return y, α and k of each pair of elements, [n_elements, n_elements] each, as TorchANI uses them."""
    y, alpha, exponent = potential.y_ab, potential.sqrt_alpha_ab, potential.k_rep_ab
    return y.detach().cpu(), alpha.detach().cpu(), exponent.detach().cpu()


def _pair_energies(length: Tensor, y: Tensor, alpha: Tensor, exponent: Tensor) -> Tensor:
    return y / length * torch.exp(-alpha * length**exponent)
