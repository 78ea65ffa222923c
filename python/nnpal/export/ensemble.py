"""From a TorchANI model to a model file."""

from __future__ import annotations

import copy
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torchani.aev import AEVComputer, ANIAngular, ANIRadial
from torchani.arch import ANI
from torchani.nn import ANINetworks, ANISharedNetworks, Ensemble, SingleNN
from torchani.potentials import NNPotential
from torchani.units import HARTREE_TO_EV

from nnpal import __version__
from nnpal.export.archive import write_archive
from nnpal.export.metadata import Metadata
from nnpal.export.module import EnsembleModule
from nnpal.export.reference import make_reference

_EV_PER_UNIT = {"hartree": HARTREE_TO_EV, "ev": 1.0}
_CONTAINERS = (ANINetworks, ANISharedNetworks, SingleNN)


def export_ensemble(
    model: ANI,
    path: str | os.PathLike[str],
    *,
    kernel: str = "torchani",
    energy_unit: str = "hartree",
    dtype: torch.dtype | None = None,
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
) -> Path:
    """Write a TorchANI model as a file for ``pair_style nnp`` and :class:`nnpal.calculator.NNPCalculator`.

    Arguments:
        model: a TorchANI 2 ``ANI`` model with standard radial and angular terms; any elements, ensemble size, layer
            sizes and activations. Of an ensemble, the active members are exported. It is not changed.
        path: of the file; written aside and renamed.
        kernel: ``torchani``: TorchANI's own modules, which load anywhere.
        energy_unit: of the model's energies, ``hartree`` (TorchANI's convention) or ``ev``.
        dtype: torch.float32 or torch.float64; by default that of the model's weights.
        dataset_hash: of the training data.
        provenance: how the model was trained; anything that JSON holds.

    Returns:
        The path.

    Raises:
        TypeError: ``model`` is no TorchANI 2 ``ANI`` model, or the provenance does not fit into JSON.
        ValueError: the model holds what an exported file cannot or gives numbers that are not finite, or an argument
            is out of range.
    """
    target = Path(path)
    if kernel != "torchani":
        raise ValueError(f"kernel is {kernel!r}; this version of nnpal exports 'torchani' only")
    if energy_unit.lower() not in _EV_PER_UNIT:
        raise ValueError(f"energy_unit is {energy_unit!r}, expected one of {list(_EV_PER_UNIT)}")
    if not isinstance(model, ANI):
        raise TypeError(f"model is a {type(model).__name__}, expected torchani.arch.ANI")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path is {target}, but folder {target.parent} does not exist")
    _require_json(provenance)
    _require_networks_alone(model)
    aev_computer = _standard_aev_computer(model)
    members = _members(model)
    scale = _EV_PER_UNIT[energy_unit.lower()]
    shifter = model.energy_shifter
    enabled = bool(shifter._enabled)
    self_energies = shifter.self_energies.detach().cpu().double() * (scale if enabled else 0.0)
    weights = next(model.neural_networks.parameters())
    chosen = dtype or weights.dtype
    if chosen not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {chosen}, expected torch.float32 or torch.float64")

    module = EnsembleModule(aev_computer, members, self_energies, scale).cpu().eval()
    module.requires_grad_(False)
    module.to(chosen)  # before the reference is evaluated, which is to be that of the rounded weights
    module.self_energies = self_energies
    scripted = _script(module)
    metadata = Metadata(
        elements=list(model.symbols),
        cutoff=float(aev_computer.radial.cutoff),
        n_members=len(members),
        dtype=str(chosen).removeprefix("torch."),
        kernel=kernel,
        dataset_hash=dataset_hash,
        provenance=provenance or {},
        versions={
            "nnpal": __version__,
            "torch": torch.__version__,
            "torchani": version("torchani"),
        },
        reference=make_reference(module, len(model.symbols), float(aev_computer.radial.cutoff)),
    )
    write_archive(scripted, metadata, target)
    return target


def _require_json(provenance: dict[str, Any] | None) -> None:
    try:
        json.dumps(provenance, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"provenance does not fit into JSON: {error}") from error


def _require_networks_alone(model: ANI) -> None:
    for name, potential in model.potentials.items():
        if potential._enabled and (name != "nnp" or type(potential) is not NNPotential):
            raise ValueError(
                f"model has the potential {name!r} ({type(potential).__name__}), which an exported file cannot "
                f"hold; switch it off with model.set_enabled({name!r}, False) if it was trained without it"
            )
    if not model.potentials["nnp"]._enabled:
        raise ValueError("model has its networks switched off; use model.set_enabled('nnp', True)")


def _standard_aev_computer(model: ANI) -> AEVComputer:
    computer = copy.deepcopy(model.aev_computer)
    for name, term, expected in (
        ("radial", computer.radial, ANIRadial),
        ("angular", computer.angular, ANIAngular),
    ):
        if type(term) is not expected:
            raise ValueError(f"model's {name} terms are {type(term).__name__}, expected {expected.__name__}")
    return computer


def _members(model: ANI) -> list[torch.nn.Module]:
    networks = model.neural_networks
    members = (
        [networks.members[i] for i in networks.active_members_idxs] if isinstance(networks, Ensemble) else [networks]
    )
    if not members:
        raise ValueError("model's Ensemble has no active members; choose some with model.set_active_members([...])")
    for member in members:
        if type(member) not in _CONTAINERS:
            raise ValueError(
                f"model's networks are {type(member).__name__}, expected an Ensemble of "
                f"{', '.join(kind.__name__ for kind in _CONTAINERS)}; export before to_infer_model(), which drops "
                "the members' energies"
            )
    return [copy.deepcopy(member) for member in members]


def _script(module: EnsembleModule) -> torch.jit.ScriptModule:
    try:
        return torch.jit.script(module)
    except (RuntimeError, torch.jit.frontend.FrontendError) as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(
            f"model cannot be compiled by TorchScript ({reason}); expected activations and cutoff functions that "
            "torch.jit.script takes"
        ) from error
