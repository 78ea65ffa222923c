"""Compile copies of custom modules for a model file."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from nnpal.model.celu import make_celu_exact
from nnpal.model.export import script
from nnpal.model.torchscript import deprecation_ignored
from nnpal.model.zip_records import what_it_says

_ARGUMENTS = ("Tensor", "int", "Tensor", "Tensor")
_WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}
"""Wrapper classes of torch, and their attribute with the user's module; torch.compile returns OptimizedModule."""
_CONTRACT = "forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor"


def scripted_members(modules: torch.nn.Module | Iterable[torch.nn.Module]) -> dict[str, torch.jit.ScriptModule]:
    """Return compiled copies of the members, by name in messages, on the CPU and in evaluation mode.

    A member may be a ``ScriptModule`` already.

    Raises:
        TypeError: an entry is not a module; names it.
        ValueError: there is no member, or one cannot be copied or compiled (with TorchScript's reason), is a wrapper of
            torch, is a lazy module that was never called, or has a ``forward`` with other arguments.
    """
    given = [modules] if isinstance(modules, torch.nn.Module) else list(modules)
    if not given:
        raise ValueError("modules is empty, expected at least one torch.nn.Module")
    found = {}
    for number, module in enumerate(given):
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"modules[{number}] is a {type(module).__name__}, expected a torch.nn.Module")
        class_name = getattr(module, "original_name", type(module).__name__)
        name = class_name if len(given) == 1 else f"member {number} ({class_name})"
        if class_name in _WRAPPERS:
            raise ValueError(f"{name} is a wrapper around a module; give that, its attribute {_WRAPPERS[class_name]}")
        found[name] = _scripted(module, name)
    return found


def weights_dtype(members: Mapping[str, torch.jit.ScriptModule], dtype: torch.dtype | None) -> torch.dtype:
    """Return the precision of a file: ``dtype``, or by default that of the weights.

    Raises:
        ValueError: it is not float32 or float64, or the weights have several and none is given.
    """
    if dtype is None:
        of_weights = {w.dtype for member in members.values() for w in member.parameters() if w.is_floating_point()}
        if len(of_weights) > 1:
            raise ValueError(f"modules hold weights in {sorted(map(str, of_weights))}; give dtype")
        dtype = of_weights.pop() if of_weights else torch.float32
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {dtype}, expected torch.float32 or torch.float64")
    return dtype


def _scripted(module: torch.nn.Module, name: str) -> torch.jit.ScriptModule:
    if any(is_lazy(weight) for weight in (*module.parameters(), *module.buffers())):
        raise ValueError(
            f"{name} holds weights without a shape (of a lazy module, such as torch.nn.LazyLinear); call it once on "
            "some atoms before the export"
        )
    try:
        with torch.no_grad():  # else the weights of a copied ScriptModule are not leaf tensors
            copied = copy.deepcopy(module)
    except Exception as error:  # from anything that a module contains
        raise ValueError(
            f"{name} cannot be copied ({error}); expected a module that copy.deepcopy takes, without tensors that hold "
            "a graph of gradients"
        ) from error
    copied = copied.cpu().eval()
    for weight in copied.parameters():
        weight.requires_grad_(False)
    if not isinstance(copied, torch.jit.ScriptModule):
        make_celu_exact(copied)
        copied = script(copied, name)
    takes, gives = _types(copied)
    if takes != _ARGUMENTS or gives != ("Tensor",):
        raise ValueError(
            f"{name} has forward({', '.join(takes)}) -> {', '.join(gives)}, expected {_CONTRACT}; "
            "arguments without an annotation are tensors to TorchScript"
        )
    _require_readable(copied, name)
    return copied


def _require_readable(scripted: torch.jit.ScriptModule, name: str) -> None:
    """Refuse a module that TorchScript can write but not read back, because of its names."""
    try:
        with deprecation_ignored():
            torch.jit.load(io.BytesIO(scripted.save_to_buffer()))
    except Exception as error:  # UnicodeDecodeError, RuntimeError
        raise ValueError(
            f"{name}: TorchScript writes it into a file and cannot read it back ({what_it_says(error)}); give its "
            "Python file, its classes and attributes names of ASCII letters, digits and underscores, no digit first"
        ) from error


def _types(scripted: torch.jit.ScriptModule) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the types of forward's arguments, without self and optional ones at the end, and of its results."""
    if not hasattr(scripted, "forward"):
        return (), ()
    forward: Any = scripted.forward
    schema = forward.schema
    takes = [one for i, one in enumerate(schema.arguments[1:]) if i < len(_ARGUMENTS) or not one.has_default_value()]
    return tuple(str(one.type) for one in takes), tuple(str(one.type) for one in schema.returns)
