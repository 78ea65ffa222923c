"""Write SchNet networks to a model file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from nnpal.calibration import Calibration
from nnpal.model.module_export import export_module
from nnpal.model.schnet.description import SchNetDescription
from nnpal.model.schnet.network import SchNet


def export_schnet(
    description: SchNetDescription,
    networks: Sequence[SchNet],
    path: str | os.PathLike[str],
    *,
    self_energies: Sequence[float],
    dtype: torch.dtype | None = None,
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write an ensemble of SchNet networks as a file for ``pair_style nnp`` and NNPCalculator.

    Arguments:
        description: description of the networks.
        networks: the members, at least one; they are not changed.
        path: path of the file.
        self_energies: self-energy of each element of the description, eV.
        dtype: torch.float32 or torch.float64; by default that of the networks.
        dataset_hash, provenance, calibration: see :func:`nnpal.export_ensemble`.

    Returns:
        The path.

    Raises:
        ValueError: there is no network, one does not match ``description``, or there is not one self-energy for each
            element.
        nnpal.model.ModelFileError: a ValueError too; the written file does not reproduce the networks' results.
    """
    symbols = description.symbols
    if not networks:
        raise ValueError("export_schnet: networks is empty, expected at least one")
    if len(self_energies) != len(symbols):
        raise ValueError(
            f"export_schnet: there are {len(self_energies)} self-energies, expected one for each of {symbols}"
        )
    for k, network in enumerate(networks):
        if (own := network.description_of(symbols)) != description:
            raise ValueError(f"export_schnet: network {k} is {own}, expected {description}")
    return export_module(
        list(networks),
        path,
        elements=symbols,
        cutoff=description.cutoff,
        hops=description.hops,
        self_energies=dict(zip(symbols, map(float, self_energies), strict=True)),
        dtype=dtype,
        kind=description.kind,
        dataset_hash=dataset_hash,
        provenance=provenance,
        calibration=calibration,
    )
