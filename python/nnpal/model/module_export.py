"""Write custom torch modules to a model file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nnpal import __version__
from nnpal.calibration import Calibration
from nnpal.data.units import Units
from nnpal.model.archive import write_archive
from nnpal.model.export import has_inexact_celu, require_json, script
from nnpal.model.member_modules import MemberModules
from nnpal.model.metadata import KINDS, Metadata
from nnpal.model.module_arguments import require_cutoff, require_elements, require_hops, self_energies_of
from nnpal.model.module_checks import Passed, check_member
from nnpal.model.reference import make_reference
from nnpal.model.scripted_members import scripted_members, weights_dtype


def export_module(
    modules: torch.nn.Module | Iterable[torch.nn.Module],
    path: str | os.PathLike[str],
    *,
    elements: Sequence[str],
    cutoff: float,
    hops: int = 1,
    energy_unit: str = "eV",
    self_energies: Mapping[str, float] | None = None,
    dtype: torch.dtype | None = None,
    kind: str = "module",
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write modules as a file for ``pair_style nnp`` and :class:`nnpal.model.calculator.NNPCalculator`.

    Each member is checked in double precision on random clusters of all elements: gradients against finite differences,
    invariance to rotation, inversion and order, extensivity, and that energies and gradients need no edges beyond
    ``hops``. The largest differences are stored in the file's provenance under ``checks``.

    Arguments:
        modules: one or several members, of the same or different classes, that ``torch.jit.script`` supports, with
            ``forward(species, n_local, edge_index, edge_vec)`` as documented in
            :class:`nnpal.model.member_modules.MemberModules`, returning energies [n_local] without self-energies. They
            are copied and not changed.
        path: path of the file; a temporary file is written, loaded in its own and in double precision, and renamed.
        elements: chemical symbols in the order of the element index.
        cutoff: cutoff of the edges, Å.
        hops: number of message-passing steps, that is of neighbor steps over which an atom affects an energy.
        energy_unit: unit of the modules' energies and of ``self_energies``: eV, meV, hartree, rydberg, kcal/mol or
            kJ/mol.
        self_energies: self-energy of every element, stored in float64; by default 0.
        dtype: torch.float32 or torch.float64; by default that of the modules' weights, float32 if there are none.
        kind: network type in the file's metadata.
        dataset_hash: hash of the training data.
        provenance: how the modules were trained; any JSON data.
        calibration: fit that turns the spread of these members into errors.

    Returns:
        The path.

    Raises:
        TypeError: ``modules`` contains something else, or the provenance cannot be written as JSON.
        ValueError: an argument is out of range, or a module cannot be compiled by TorchScript.
        ModuleCheckError: a ValueError too; a module violates the contract. Names the check and the numbers.
        ModelFileError: a ValueError too; the written file does not reproduce the modules' results, and is removed.

    Warns:
        UserWarning: energy or force jumps at the cutoff, single precision loses digits, or fewer hops suffice.

    Example:
        >>> from nnpal import export_module
        >>> from springs import Springs  # a torch.nn.Module of the form above
        >>> print(export_module(Springs(), "springs.nnp.pt", elements=["Ar"], cutoff=3.0))
        springs.nnp.pt
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path is {target}, but folder {target.parent} does not exist")
    symbols, length, steps = require_elements(elements), require_cutoff(cutoff), require_hops(hops)
    scale = Units(energy_unit, "Å").to_ev
    alone = self_energies_of(self_energies, symbols, scale)
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {list(KINDS)}")
    require_json(provenance)
    members = scripted_members(modules)
    chosen = weights_dtype(members, dtype)
    checks = [
        check_member(member, name, elements=symbols, cutoff=length, hops=steps, energy_scale=scale)
        for name, member in members.items()
    ]
    _warn(checks, steps)
    ensemble = MemberModules(list(members.values()), alone, scale).eval().to(chosen)
    ensemble.self_energies = alone
    scripted = script(ensemble)
    metadata = Metadata(
        elements=list(symbols),
        cutoff=length,
        n_members=len(members),
        dtype=str(chosen).removeprefix("torch."),
        kernel="modules",
        dataset_hash=dataset_hash,
        provenance={**(provenance or {}), "checks": _worst(checks)},
        calibration=calibration,
        versions={"nnpal": __version__, "torch": torch.__version__},
        reference=make_reference(ensemble, len(symbols), length, steps),
        hops=steps,
        kind=kind,
    )
    write_archive(scripted, metadata, target)
    if has_inexact_celu(scripted):
        warnings.warn(
            f"{target}: a module calls torch's celu function, whose slope is inexact in double precision (relative "
            "error up to 6e-8, as in the forces); use the module torch.nn.CELU, which export makes exact",
            stacklevel=2,
        )
    return target


def _warn(checks: list[Passed], hops: int) -> None:
    for sentence in (sentence for of_member in checks for sentence in of_member.doubts):
        warnings.warn(sentence, stacklevel=3)
    if not any(of_member.needs_all_hops for of_member in checks):
        warnings.warn(
            f"the modules' energies need no more than hops={hops - 1}, and hops={hops} costs time; give fewer",
            stacklevel=3,
        )


def _worst(checks: list[Passed]) -> dict[str, float]:
    """Return the largest difference over all members for each check, to two digits."""
    return {name: float(f"{max(one.figures[name] for one in checks):.2g}") for name in checks[0].figures}
