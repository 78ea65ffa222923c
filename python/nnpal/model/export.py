"""Write a TorchANI model to a model file."""

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
from torchani.arch import ANI, ANIq
from torchani.nn import ANINetworks, ANISharedNetworks, Ensemble, SingleNN
from torchani.units import HARTREE_TO_EV

from nnpal import __version__
from nnpal.calibration import Calibration
from nnpal.model import dispersion, repulsion
from nnpal.model.archive import write_archive
from nnpal.model.celu import make_celu_exact
from nnpal.model.charges import Charges, has_charges, why_no_charges
from nnpal.model.fused_module import FusedModule, why_not_fused
from nnpal.model.metadata import Metadata
from nnpal.model.potentials import FurtherTerms, further_terms, require_elements, require_networks
from nnpal.model.reference import make_reference
from nnpal.model.torchani_module import EnsembleModule
from nnpal.model.torchscript import deprecation_ignored

KERNELS = ("fused", "torchani")
_EV_PER_UNIT = {"hartree": HARTREE_TO_EV, "ev": 1.0}
_CONTAINERS = (ANINetworks, ANISharedNetworks, SingleNN)


def export_ensemble(
    model: ANI | ANIq,
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
            sizes and activations; with or without TorchANI's xTB repulsion. Only the active members of an ensemble are
            exported. Separate charge networks are written too (``ANImbis``). The model is not changed.
        path: path of the file; a temporary file is written, loaded in its own and in double precision, and renamed.
        kernel: ``fused``: nnpal's compiled operations, several times faster; if they do not support the model (terms,
            custom cutoff function, networks or activation), ``torchani`` is written, with a warning. ``torchani``:
            TorchANI's own modules, which load anywhere. Both give the same results up to rounding.
        energy_unit: unit of the model's energies, ``hartree`` (TorchANI's convention) or ``ev``.
        dtype: torch.float32 or torch.float64; by default that of the model's weights.
        dataset_hash: hash of the training data.
        provenance: how the model was trained; any JSON data.
        calibration: fit that turns the spread of these members into errors.

    Returns:
        The path.

    Raises:
        TypeError: ``model`` is not a TorchANI 2 ``ANI`` model, or the provenance cannot be written as JSON.
        ValueError: a model file cannot contain a part of the model, the model's results are not finite, or an argument
            is out of range.
        ModelFileError: a ValueError too; the written file does not reproduce the model's results, and is removed.

    Example:
        >>> import torchani
        >>> from nnpal import export_ensemble
        >>> print(export_ensemble(torchani.models.ANI2x(), "ani2x.nnp.pt"))
        ani2x.nnp.pt
    """
    target = Path(path)
    if kernel not in KERNELS:
        raise ValueError(f"kernel is {kernel!r}, expected one of {list(KERNELS)}")
    if energy_unit.lower() not in _EV_PER_UNIT:
        raise ValueError(f"energy_unit is {energy_unit!r}, expected one of {list(_EV_PER_UNIT)}")
    if not isinstance(model, (ANI, ANIq)):
        raise TypeError(f"model is a {type(model).__name__}, expected torchani.arch.ANI or ANIq")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path is {target}, but folder {target.parent} does not exist")
    require_json(provenance)
    require_networks(model)
    terms = further_terms(model)
    aev_computer = standard_aev_computer(model)
    members = active_members(model)
    require_elements(model)
    scale = _EV_PER_UNIT[energy_unit.lower()]
    shifter = model.energy_shifter
    enabled = bool(shifter._enabled)
    self_energies = shifter.self_energies.detach().cpu().double() * (scale if enabled else 0.0)
    weights = next(model.neural_networks.parameters())
    chosen = dtype or weights.dtype
    if chosen not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {chosen}, expected torch.float32 or torch.float64")

    no_charges = why_no_charges(model)
    charges = _charge_part(model) if has_charges(model) and no_charges is None else None
    not_fused = why_not_fused(aev_computer, members, terms.repulsion, charges) if kernel == "fused" else None
    if not_fused is not None:
        kernel = "torchani"
    # With either kernel, the reference is computed by TorchANI from the rounded weights
    reference = EnsembleModule(aev_computer, members, self_energies, scale, *terms, charges).cpu().eval().to(chosen)
    reference.requires_grad_(False)
    reference.self_energies = self_energies
    scripted = script(
        reference
        if kernel == "torchani"
        else _fused(aev_computer, members, self_energies, scale, chosen, terms, charges)
    )
    cutoff, hops = _reach(float(aev_computer.radial.cutoff), terms)
    metadata = Metadata(
        elements=list(model.symbols),
        cutoff=cutoff,
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
        reference=make_reference(reference, len(model.symbols), cutoff, hops, with_charges=charges is not None),
        hops=hops,
        pair_terms=tuple(
            name
            for name, term in ((repulsion.NAME, terms.repulsion), (dispersion.NAME, terms.dispersion))
            if term is not None
        ),
        charges=charges is not None,
    )
    write_archive(scripted, metadata, target)
    if not_fused is not None:
        warnings.warn(
            f"{target}: written with kernel 'torchani', because the fused one does not support it: {not_fused}",
            stacklevel=2,
        )
    if no_charges is not None:
        warnings.warn(f"{target}: the model's energies are written, its charges are not: {no_charges}", stacklevel=2)
    if has_inexact_celu(scripted):
        warnings.warn(
            f"{target}: a module of the model calls torch's celu function, whose slope is inexact in double precision "
            "(relative error up to 6e-8, as in the forces); use the module torch.nn.CELU, which export makes exact",
            stacklevel=2,
        )
    return target


def _reach(radial_cutoff: float, terms: FurtherTerms) -> tuple[float, int]:
    """Return the edge cutoff that the networks and all further terms need, Å, and the number of hops."""
    cutoffs = [radial_cutoff]
    if terms.repulsion is not None:
        cutoffs.append(repulsion.repulsion_cutoff(terms.repulsion, radial_cutoff))
    if terms.dispersion is not None:
        cutoffs.append(float(terms.dispersion.cutoff))
    return max(cutoffs), dispersion.HOPS if terms.dispersion is not None else 1


def require_json(provenance: dict[str, Any] | None) -> None:
    """Refuse a provenance that a model file cannot contain.

    Raises:
        TypeError, ValueError: it cannot be written as JSON.
    """
    try:
        json.dumps(provenance, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"provenance does not fit into JSON: {error}") from error


def standard_aev_computer(model: ANI | ANIq) -> AEVComputer:
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


def active_members(model: ANI | ANIq) -> list[torch.nn.Module]:
    """Return copies of a model's active members, with every CELU made exact.

    Raises:
        ValueError: there are none, or the networks are of another kind.
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


def _charge_part(model: ANIq) -> Charges:
    networks = model.potentials["nnp"]
    return Charges(copy.deepcopy(networks.charge_networks), networks.charge_normalizer)


def _fused(
    aev_computer: AEVComputer,
    members: list[torch.nn.Module],
    self_energies: torch.Tensor,
    scale: float,
    dtype: torch.dtype,
    terms: FurtherTerms,
    charges: Charges | None,
) -> FusedModule:
    module = FusedModule(aev_computer, members, self_energies, scale, *terms, charges).cpu().eval().to(dtype)
    module.self_energies = self_energies
    return module


def has_inexact_celu(scripted: torch.jit.ScriptModule) -> bool:
    """Return whether a compiled module calls torch's celu, whose slope in float64 is off by up to 6e-8."""
    return "aten::celu(" in str(scripted.inlined_graph)


def script(module: torch.nn.Module, name: str = "model") -> torch.jit.ScriptModule:
    """Compile a module for a model file; the error refers to it as ``name``.

    Raises:
        ValueError: TorchScript cannot compile it; gives the reason.
    """
    try:
        with deprecation_ignored():
            return torch.jit.script(module)
    except Exception as error:  # FrontendError, RuntimeError, or from Python's parser and inspection
        raise ValueError(
            f"{name} cannot be compiled by TorchScript ({_reason(error)}); expected code that torch.jit.script "
            "supports: "
            "annotated arguments, no NumPy, no functions or containers that change their type"
        ) from error


def _reason(error: Exception) -> str:
    """Return the first line of TorchScript's message, and the line of code that it marks."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if "source" in lines[0]:
        return f"{lines[0].strip()} So the class must be in a file, not in an interactive session"
    marked = next((i for i, line in enumerate(lines) if "~~~" in line and "<--- HERE" in line), 0)
    return f"{lines[0].strip()} in {lines[marked - 1].strip()!r}" if marked > 1 else lines[0].strip()
