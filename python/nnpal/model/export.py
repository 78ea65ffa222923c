"""From a TorchANI model to a model file."""

from __future__ import annotations

import copy
import json
import os
import warnings
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
from nnpal.calibration import Calibration
from nnpal.model.archive import write_archive
from nnpal.model.celu import make_celu_exact
from nnpal.model.fused_module import FusedModule, why_not_fused
from nnpal.model.metadata import Metadata
from nnpal.model.reference import make_reference
from nnpal.model.torchani_module import EnsembleModule

KERNELS = ("fused", "torchani")
_EV_PER_UNIT = {"hartree": HARTREE_TO_EV, "ev": 1.0}
_CONTAINERS = (ANINetworks, ANISharedNetworks, SingleNN)


def export_ensemble(
    model: ANI,
    path: str | os.PathLike[str],
    *,
    kernel: str = "fused",
    energy_unit: str = "hartree",
    dtype: torch.dtype | None = None,
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write a TorchANI model as a file for ``pair_style nnp`` and :class:`nnpal.model.calculator.NNPCalculator`.

    Arguments:
        model: a TorchANI 2 ``ANI`` model with standard radial and angular terms; any elements, ensemble size, layer
            sizes and activations. Of an ensemble, the active members are exported. It is not changed.
        path: of the file; written aside, loaded in its own and in double precision, and renamed.
        kernel: ``fused``: nnpal's compiled operations, several times faster; where they do not cover the model (terms,
            cutoff function, networks or activation of one's own), a warning says so and ``torchani`` is written.
            ``torchani``: TorchANI's own modules, which load anywhere. Both give the same numbers to rounding.
        energy_unit: of the model's energies, ``hartree`` (TorchANI's convention) or ``ev``.
        dtype: torch.float32 or torch.float64; by default that of the model's weights.
        dataset_hash: of the training data.
        provenance: how the model was trained; anything that JSON holds.
        calibration: what turns the spread of these members into errors.

    Returns:
        The path.

    Raises:
        TypeError: ``model`` is no TorchANI 2 ``ANI`` model, or the provenance does not fit into JSON.
        ValueError: the model holds what an exported file cannot or gives numbers that are not finite, or an argument
            is out of range.
        ModelFileError: a ValueError too; the file that was written does not give the model's numbers, and is removed.
    """
    target = Path(path)
    if kernel not in KERNELS:
        raise ValueError(f"kernel is {kernel!r}, expected one of {list(KERNELS)}")
    if energy_unit.lower() not in _EV_PER_UNIT:
        raise ValueError(f"energy_unit is {energy_unit!r}, expected one of {list(_EV_PER_UNIT)}")
    if not isinstance(model, ANI):
        raise TypeError(f"model is a {type(model).__name__}, expected torchani.arch.ANI")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path is {target}, but folder {target.parent} does not exist")
    _require_json(provenance)
    require_networks_alone(model)
    aev_computer = standard_aev_computer(model)
    members = active_members(model)
    scale = _EV_PER_UNIT[energy_unit.lower()]
    shifter = model.energy_shifter
    enabled = bool(shifter._enabled)
    self_energies = shifter.self_energies.detach().cpu().double() * (scale if enabled else 0.0)
    weights = next(model.neural_networks.parameters())
    chosen = dtype or weights.dtype
    if chosen not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {chosen}, expected torch.float32 or torch.float64")

    not_fused = why_not_fused(aev_computer, members) if kernel == "fused" else None
    if not_fused is not None:
        kernel = "torchani"
    # In both kernels' files the reference is TorchANI's, of the rounded weights
    reference = EnsembleModule(aev_computer, members, self_energies, scale).cpu().eval().to(chosen)
    reference.requires_grad_(False)
    reference.self_energies = self_energies
    scripted = script(
        reference if kernel == "torchani" else _fused(aev_computer, members, self_energies, scale, chosen)
    )
    metadata = Metadata(
        elements=list(model.symbols),
        cutoff=float(aev_computer.radial.cutoff),
        n_members=len(members),
        dtype=str(chosen).removeprefix("torch."),
        kernel=kernel,
        dataset_hash=dataset_hash,
        provenance=provenance or {},
        calibration=calibration,
        versions={
            "nnpal": __version__,
            "torch": torch.__version__,
            "torchani": version("torchani"),
        },
        reference=make_reference(reference, len(model.symbols), float(aev_computer.radial.cutoff)),
    )
    write_archive(scripted, metadata, target)
    if not_fused is not None:
        warnings.warn(
            f"{target}: written with kernel 'torchani', for the fused one does not cover it: {not_fused}", stacklevel=2
        )
    if _has_inexact_celu(scripted):
        warnings.warn(
            f"{target}: a module of the model calls torch's celu function, whose slope is inexact in double precision "
            "(relative error up to 6e-8, as in the forces); use the module torch.nn.CELU, which export makes exact",
            stacklevel=2,
        )
    return target


def _require_json(provenance: dict[str, Any] | None) -> None:
    try:
        json.dumps(provenance, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"provenance does not fit into JSON: {error}") from error


def require_networks_alone(model: ANI) -> None:
    """Refuse a model whose energy has other parts than its networks'.

    Raises:
        ValueError: names the part.
    """
    for name, potential in model.potentials.items():
        if potential._enabled and (name != "nnp" or type(potential) is not NNPotential):
            raise ValueError(
                f"model has the potential {name!r} ({type(potential).__name__}), which an exported file cannot "
                f"hold; switch it off with model.set_enabled({name!r}, False) if it was trained without it"
            )
    if not model.potentials["nnp"]._enabled:
        raise ValueError("model has its networks switched off; use model.set_enabled('nnp', True)")


def standard_aev_computer(model: ANI) -> AEVComputer:
    """Return a copy of a model's AEV computer.

    Raises:
        ValueError: its terms are not ANI's.
    """
    computer = copy.deepcopy(model.aev_computer)
    for name, term, expected in (
        ("radial", computer.radial, ANIRadial),
        ("angular", computer.angular, ANIAngular),
    ):
        if type(term) is not expected:
            raise ValueError(f"model's {name} terms are {type(term).__name__}, expected {expected.__name__}")
    return computer


def active_members(model: ANI) -> list[torch.nn.Module]:
    """Return copies of a model's active members, with every CELU made exact.

    Raises:
        ValueError: none, or networks of another kind.
    """
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
    copies = [copy.deepcopy(member) for member in members]
    for member in copies:
        make_celu_exact(member)
    return copies


def _fused(
    aev_computer: AEVComputer,
    members: list[torch.nn.Module],
    self_energies: torch.Tensor,
    scale: float,
    dtype: torch.dtype,
) -> FusedModule:
    module = FusedModule(aev_computer, members, self_energies, scale).cpu().eval().to(dtype)
    module.self_energies = self_energies
    return module


def _has_inexact_celu(scripted: torch.jit.ScriptModule) -> bool:
    return "aten::celu(" in str(scripted.inlined_graph)


def script(module: torch.nn.Module) -> torch.jit.ScriptModule:
    """Compile a module for a model file.

    Raises:
        ValueError: TorchScript does not take it; gives the reason.
    """
    try:
        return torch.jit.script(module)
    except (RuntimeError, torch.jit.frontend.FrontendError) as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(
            f"model cannot be compiled by TorchScript ({reason}); expected activations and cutoff functions that "
            "torch.jit.script takes"
        ) from error
