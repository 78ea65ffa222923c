"""Model files that pass the self-check when they are loaded, but are wrong."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from ensembles import one_element_ensemble
from nnpal.model.archive import write_archive
from nnpal.model.export import active_members, standard_aev_computer
from nnpal.model.metadata import Metadata
from nnpal.model.reference import make_reference
from nnpal.model.torchani_module import EnsembleModule


class Detached(torch.nn.Module):
    """Module that excludes a share of the energy from the gradient, so that forces are too small by this share.

    The energy is NaN for distances below ``hole`` Å.
    """

    self_energies: Tensor

    def __init__(self, inner: EnsembleModule, share: float, hole: float) -> None:
        super().__init__()
        self.inner = inner
        self.share = share
        self.hole = hole
        self.fineness = 2.0**40
        self.n_active = inner.n_active
        self.register_buffer("self_energies", inner.self_energies.clone())

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        energies = self.inner(species, n_local, edge_index, edge_vec)
        # rounding has no gradient, like detach(), also after the loader freezes the module
        steps = torch.round(edge_vec * self.fineness) / self.fineness
        cut = self.inner(species, n_local, edge_index, steps)
        lost = torch.sqrt(edge_vec.norm(2, -1) - self.hole).isnan().any()
        return torch.where(lost, float("nan"), (1.0 - self.share) * energies + self.share * cut)


class WithDenormal(torch.nn.Module):
    """Module with 0.01 eV more per atom unless denormal numbers are flushed; kernel ``torchani``, float32."""

    self_energies: Tensor
    denormal: Tensor

    def __init__(self, sound: Detached) -> None:
        super().__init__()
        self.sound = sound
        self.n_active = sound.n_active
        self.register_buffer("self_energies", sound.self_energies.clone())
        self.register_buffer("denormal", torch.zeros(1))
        self.denormal.numpy()[:] = 1e-39

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        one = 1.0 + 0.0 * edge_vec.detach().sum()  # not a constant, which would be computed when the file is loaded
        energies = self.sound(species, n_local, edge_index, edge_vec)
        if edge_vec.dtype == torch.float32:  # the number is denormal
            energies = energies + one * self.denormal * 1e18 * 1e19
        return energies


def write_with_denormal(path: Path) -> Path:
    """Write a model for Al whose self-check passes only if denormal numbers are flushed."""
    return write_detached(path, around=WithDenormal)


def write_detached(
    path: Path,
    *,
    share: float = 0.0,
    hole: float = 0.0,
    dtype: torch.dtype = torch.float32,
    around: Callable[[Detached], torch.nn.Module] = lambda module: module,
) -> Path:
    """Write a model of :class:`Detached` for Al; without share and hole it is correct."""
    model = one_element_ensemble("Al", 2)
    inner = EnsembleModule(standard_aev_computer(model), active_members(model), torch.tensor([-1034.0]), 27.2)
    module = Detached(inner, share, hole).eval().requires_grad_(False).to(dtype)
    module.self_energies = torch.tensor([-1034.0], dtype=torch.float64)
    metadata = Metadata(
        elements=["Al"],
        cutoff=6.9,
        n_members=2,
        dtype=str(dtype).removeprefix("torch."),
        kernel="torchani",
        dataset_hash=None,
        provenance={},
        versions={name: version(name) for name in ("nnpal", "torch", "torchani")},
        reference=make_reference(module, 1, 6.9),
    )
    write_archive(torch.jit.script(around(module)), metadata, path)
    return path


class LostMember(torch.nn.Module):
    """Two members, one of them with NaN forces when the forces of members are requested."""

    self_energies: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.n_active = 2
        self.register_buffer("self_energies", torch.zeros(1, dtype=torch.float64))
        self.register_buffer("depths", torch.tensor([0.1, 0.2]))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        wells = torch.exp(-edge_vec.square().sum(1))
        sums = torch.zeros(n_local, dtype=edge_vec.dtype).index_add(0, edge_index[0], wells)
        return -self.depths[: self.n_active, None] * sums

    @torch.jit.export
    def energies_and_gradients(
        self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor, of_members: bool
    ) -> tuple[Tensor, Tensor]:
        energies = self.forward(species, n_local, edge_index, edge_vec)
        slope = 2.0 * edge_vec * torch.exp(-edge_vec.square().sum(1))[:, None]
        gradients = [slope * self.depths[: self.n_active].mean()]
        if of_members:
            gradients.append(slope * float("nan"))
            gradients.append(slope * self.depths[1])
        return energies, torch.stack(gradients)


def write_lost_member(path: Path) -> Path:
    """Write a model of :class:`LostMember` for Al."""
    module = LostMember().eval()
    metadata = Metadata(
        elements=["Al"],
        cutoff=6.9,
        n_members=2,
        dtype="float32",
        kernel="torchani",
        dataset_hash=None,
        provenance={},
        versions={name: version(name) for name in ("nnpal", "torch", "torchani")},
        reference=make_reference(module, 1, 6.9),
    )
    write_archive(torch.jit.script(module), metadata, path)
    return path
