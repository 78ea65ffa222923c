"""Evaluate a model file on NumPy arrays: by the core on a CPU, else by torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnpal.calibration import Calibration
from nnpal.geometry.edges import Edges
from nnpal.model.core_model import CoreModel, load_core_model
from nnpal.model.metadata import Metadata

if TYPE_CHECKING:
    import torch

    from nnpal.model.archive import LoadedModel

Arrays = tuple[NDArray[np.float64], NDArray[np.float64]]


class TorchModel:
    """Counterpart of :class:`nnpal.model.core_model.CoreModel` that uses torch."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.self_energies: NDArray[np.float64] = loaded.self_energies.numpy()

    @property
    def metadata(self) -> Metadata:
        """Metadata of the file."""
        return self.loaded.metadata

    @property
    def calibration(self) -> Calibration | None:
        """Calibration of the members in use; see :class:`nnpal.model.archive.LoadedModel`."""
        return self.loaded.calibration

    def energies_and_gradients(self, edges: Edges, *, of_members: bool) -> Arrays:
        """Return the same as :meth:`nnpal.model.core_model.CoreModel.energies_and_gradients`."""
        from nnpal.geometry.neighbor_graph import as_graph

        energies, gradients = self.loaded.energies_and_gradients(as_graph(edges), of_members=of_members)
        return energies.cpu().double().numpy(), gradients.numpy()

    def charges(self, edges: Edges) -> NDArray[np.float64]:
        """Return the atoms' charges, e, [n_atoms], adding up to 0.

        Raises:
            ValueError: the model has no charges, or they are not defined for these atoms.
        """
        from nnpal.geometry.neighbor_graph import as_graph

        found: NDArray[np.float64] = self.loaded.charges(as_graph(edges)).numpy()
        return found


def load_evaluated(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    dtype: torch.dtype | str | None = None,
    members: int | None = None,
) -> CoreModel | TorchModel:
    """Load a model file, without torch if possible.

    Arguments:
        path: a model file.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: torch.float32 or torch.float64, or their names as text; by default that of the file.
        members: number of members to evaluate, the first ones; by default all.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: the file is not a valid model file, or fails its self-check.
        ValueError: ``members``, ``dtype`` or ``device`` is out of range.
    """
    if device == "cpu":
        found = load_core_model(path, dtype=None if dtype is None else str(dtype), members=members)
        if found is not None:
            return found
    import torch

    from nnpal.model.archive import load_model

    own = None if dtype is None else getattr(torch, str(dtype).removeprefix("torch."), None)
    if dtype is not None and not isinstance(own, torch.dtype):
        raise ValueError(f"dtype is {dtype}, expected torch.float32 or torch.float64")
    return TorchModel(load_model(path, device=device, dtype=own, members=members))
