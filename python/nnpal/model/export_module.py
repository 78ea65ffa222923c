"""From custom torch modules to a model file."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nnpal import __version__
from nnpal.calibration import Calibration
from nnpal.model.archive import write_archive
from nnpal.model.export import script
from nnpal.model.member_modules import MemberModules
from nnpal.model.metadata import Metadata
from nnpal.model.reference import make_reference

EV_PER_UNIT = {"ev": 1.0, "hartree": 27.211386245988}
"""CODATA 2018 (doi:10.1103/RevModPhys.93.025010)."""


def export_module(
    modules: torch.nn.Module | Sequence[torch.nn.Module],
    path: str | os.PathLike[str],
    *,
    elements: Sequence[str],
    cutoff: float,
    hops: int = 1,
    energy_unit: str = "ev",
    self_energies: Mapping[str, float] | None = None,
    dtype: torch.dtype | None = None,
    kind: str = "module",
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write modules as a file for ``pair_style nnp`` and :class:`nnpal.model.calculator.NNPCalculator`.

    Arguments:
        modules: the members, one or several, with ``forward(species, n_local, edge_index, edge_vec)`` as
            :class:`nnpal.model.member_modules.MemberModules` documents it, which gives energies [n_local] without
            self-energies; ``torch.jit.script`` must take them. They are not changed.
        path: of the file; written aside, loaded in its own and in double precision, and renamed.
        elements: chemical symbols in the order of the element index.
        cutoff: of the edges, Å.
        hops: message-passing steps: how many cutoffs away an atom still matters.
        energy_unit: of the modules' energies and of ``self_energies``, ``ev`` or ``hartree``.
        self_energies: of each element alone; by default 0.
        dtype: torch.float32 or torch.float64; by default that of the first parameter.
        kind: what the networks are called in the file.
        dataset_hash, provenance, calibration: as of :func:`nnpal.model.export_ensemble`.

    Returns:
        The path.

    Raises:
        ValueError: a module or an argument cannot be used.
        ModelFileError: a ValueError too; the file that was written does not give the modules' numbers, and is removed.
    """
    given = [modules] if isinstance(modules, torch.nn.Module) else list(modules)
    members = [copy.deepcopy(module).cpu().eval().requires_grad_(False) for module in given]
    scale = EV_PER_UNIT[energy_unit.lower()]
    alone = torch.tensor([(self_energies or {}).get(one, 0.0) for one in elements], dtype=torch.float64) * scale
    chosen = dtype or next((p.dtype for member in members for p in member.parameters()), torch.float32)
    ensemble = MemberModules(members, alone, scale).eval().to(chosen)
    ensemble.self_energies = alone
    metadata = Metadata(
        elements=list(elements),
        cutoff=float(cutoff),
        n_members=len(members),
        dtype=str(chosen).removeprefix("torch."),
        kernel="modules",
        dataset_hash=dataset_hash,
        provenance=provenance or {},
        calibration=calibration,
        versions={"nnpal": __version__, "torch": torch.__version__},
        reference=make_reference(ensemble, len(elements), float(cutoff), hops),
        hops=hops,
        kind=kind,
    )
    target = Path(path)
    write_archive(script(ensemble), metadata, target)
    return target
