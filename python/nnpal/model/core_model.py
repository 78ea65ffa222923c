"""Evaluate model files on a CPU by nnpal's compiled core, without torch."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.calibration import Calibration
from nnpal.geometry.edges import Edges
from nnpal.model.charge_sums import normalized
from nnpal.model.files import read_file
from nnpal.model.metadata import Metadata, ModelFileError

PRECISIONS = ("float32", "float64")


@dataclass(frozen=True)
class CoreModel:
    """A model file ready to evaluate.

    Attributes:
        metadata: metadata of the file.
        self_energies: self-energy of each element, eV, float64 [n_elements].
        compiled: an object of the module ``nnpal._core``.
    """

    metadata: Metadata
    self_energies: NDArray[np.float64]
    compiled: Any

    @property
    def calibration(self) -> Calibration | None:
        """Calibration of the members in use; None if the file has none, or if it was fitted to more members."""
        n_members = self.metadata.n_members
        return self.metadata.calibration if 1 < n_members == self.compiled.n_members else None

    def energies_and_gradients(
        self, edges: Edges, *, of_members: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return energies of the atoms and their gradients with respect to the edge vectors.

        Arguments:
            edges: edges within the cutoff.
            of_members: whether to return each member's gradient, too, at no extra pass.

        Returns:
            Energies without self-energies, eV, [n_members, n_atoms], and gradients of their sums, eV/Å: of the members'
            mean and, if ``of_members``, of each member, [1 or 1 + n_members, n_edges, 3].
        """
        found: tuple[NDArray[np.float64], NDArray[np.float64]] = self.compiled.evaluate(
            edges.species, len(edges.species), edges.edge_index, edges.edge_vec, of_members
        )
        return found

    def charges(self, edges: Edges) -> NDArray[np.float64]:
        """Return the atoms' charges, e, [n_atoms], adding up to 0.

        Raises:
            ValueError: the model has no charges, or they are not defined for these atoms.
        """
        if not self.metadata.charges:
            raise ValueError("this model has no charges; expected one such as torchani.models.ANImbis")
        raw, weights = self.compiled.charges(edges.species, len(edges.species), edges.edge_index, edges.edge_vec)
        return normalized(raw, weights, [self.metadata.elements[index] for index in edges.species])


def load_core_model(
    path: str | os.PathLike[str], *, dtype: str | None = None, members: int | None = None
) -> CoreModel | None:
    """Load a model file for a CPU and check it on its reference configuration.

    The number of threads is torch's if torch is imported, else ``OMP_NUM_THREADS``, else the number of available cores.

    Arguments:
        path: a model file.
        dtype: ``float32`` or ``float64``; by default that of the file. ``torch.float32`` is accepted as ``float32``.
        members: number of members to evaluate, the first ones; by default all.

    Returns:
        The model; None if the file needs libtorch.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: the file is not a valid model file, or fails its self-check.
        ValueError: ``members`` or ``dtype`` is out of range.
    """
    name = os.fspath(path)
    content, metadata, records = read_file(name)
    precision = str(dtype or metadata.dtype).removeprefix("torch.")
    if precision not in PRECISIONS:
        raise ValueError(f"dtype is {dtype}, expected float32 or float64")
    if members is not None and not 1 <= members <= metadata.n_members:
        raise ValueError(f"members is {members}, but {name} holds {metadata.n_members}")
    if metadata.kernel != "fused" or "fused.json" not in records:
        return None
    try:
        from nnpal._core import load

        compiled = load(content, precision, members or 0, _number_of_threads())
    except ImportError as error:
        raise ModelFileError(
            f"{name}: its kernel is 'fused', but nnpal's compiled core cannot be loaded ({error}); run: "
            "pip install --no-build-isolation --force-reinstall --no-deps nnpal (see nnpal doctor)"
        ) from error
    except ValueError as error:
        raise ModelFileError(f"{name}: {error}") from error
    return None if compiled is None else CoreModel(metadata, compiled.self_energies, compiled)


def _number_of_threads() -> int:
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(asked) if asked.isdigit() and int(asked) > 0 else len(os.sched_getaffinity(0))
