"""Rows of a batch's configurations in tensors of all configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Rows of a batch's configurations, in its order; indices are computed on the host to avoid waiting for a GPU.

    Attributes:
        data: numbers of the configurations, int64 [n_data], on the CPU.
        atoms_on_cpu: rows of their atoms, int64 [n_atoms], on the CPU.
        atoms: the same on the device.
        configurations: ``data`` on the device.
        sizes: number of atoms of each configuration, int64 [n_data], on the device.
        first: row within the batch of the first atom of each atom's configuration, int64 [n_atoms], on the device.
        configuration_of_atom: place in the batch of each atom's configuration, int64 [n_atoms], on the device.
    """

    data: np.ndarray
    atoms_on_cpu: Tensor
    atoms: Tensor
    configurations: Tensor
    sizes: Tensor
    first: Tensor
    configuration_of_atom: Tensor

    @staticmethod
    def of(indices: np.ndarray, sizes: np.ndarray, device: torch.device) -> Rows:
        """Return the rows of configurations ``indices`` by one small upload; ``sizes`` covers all configurations."""
        own = sizes[indices]
        first = np.cumsum(own) - own
        shift = (np.cumsum(sizes) - sizes)[indices] - first
        place = np.arange(len(indices)).repeat(own)
        atoms = torch.from_numpy(shift[place] + np.arange(len(place)))
        if device.type != "cuda":
            there = (indices.astype(np.int64), own, first[place], place)
            data, sizes_there, first_there, place_there = (torch.from_numpy(each).to(device) for each in there)
            return Rows(indices, atoms, atoms.to(device), data, sizes_there, first_there, place_there)
        data, sizes_there, first_there, shift_there = upload(np.stack((indices, own, first, shift)), device)
        place_there = torch.repeat_interleave(sizes_there, output_size=len(atoms))
        return Rows(
            data=indices,
            atoms_on_cpu=atoms,
            atoms=torch.arange(len(atoms), device=device) + shift_there[place_there],
            configurations=data,
            sizes=sizes_there,
            first=first_there[place_there],
            configuration_of_atom=place_there,
        )


def upload(array: np.ndarray, device: torch.device) -> Tensor:
    """Return ``array`` on ``device``; the host continues immediately if that is a GPU."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def upload_joined(parts: Sequence[Tensor], device: torch.device) -> Tensor:
    """Return concatenated CPU tensors on ``device``; the host continues immediately if that is a GPU."""
    if device.type != "cuda":
        return torch.cat(list(parts)).to(device)
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    pinned = torch.empty(shape, dtype=parts[0].dtype, pin_memory=True)
    return torch.cat(list(parts), out=pinned).to(device, non_blocking=True)
