"""Model files of trained members, for each kind of network."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torchani.nn import ANINetworks

from nnpal.calibration import Calibration
from nnpal.model import export_ensemble
from nnpal.model.build import build_model
from nnpal.model.description import Description
from nnpal.model.networks import Network, all_of
from nnpal.model.schnet import SchNet, SchNetDescription, export_schnet


def write_model_file(
    description: Description,
    networks: Sequence[Network],
    self_energies: Sequence[float],
    path: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = None,
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write members as a file for ``pair_style nnp``.

    Arguments:
        description: description that all networks share.
        networks: networks of the members, eV; copies are written.
        self_energies: self-energy of each element, eV.
        path, dataset_hash, provenance, calibration: see :func:`nnpal.model.export_ensemble`.
        dtype: floating-point type of the file, by default that of the weights.

    Raises:
        ValueError, ModelFileError: see :func:`nnpal.model.export_ensemble`.
    """
    copies = [network if dtype is None else copy.deepcopy(network).to(dtype) for network in networks]
    more: dict[str, Any] = {"dataset_hash": dataset_hash, "provenance": provenance, "calibration": calibration}
    if isinstance(description, SchNetDescription):
        of_schnet = all_of(SchNet, copies)
        return export_schnet(description, of_schnet, path, self_energies=self_energies, dtype=dtype, **more)
    return export_ensemble(
        build_model(description, all_of(ANINetworks, copies), self_energies), path, dtype=dtype, **more
    )
