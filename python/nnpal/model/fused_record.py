"""Record ``fused.json``, with which a CPU evaluates a file of kernel ``fused`` without libtorch.

It contains the parameters as JSON numbers, which preserve every bit of a float64, and the name of the archive's record
with the weights, which TorchScript stores as one little-endian array of the file's dtype.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import torch

from nnpal.model.metadata import Metadata

RECORD = "fused.json"
VERSION = 1
_AEV = ("radial", "radial_shifts", "angular", "angular_shifts", "angular_sections", "cutoff_function")
_REPULSION = ("cutoff", "cutoff_function", "energy_scale", "length_scale")


def needs_libtorch(module: torch.jit.ScriptModule, metadata: Metadata) -> bool:
    """Return whether a model has parts that only libtorch can evaluate."""
    if metadata.kernel != "fused" or module.dispersion is not None:
        return True
    return metadata.charges and not hasattr(module.charge_part, "n_networks")  # TorchANI's modules in earlier files


def fused_record(module: torch.jit.ScriptModule, metadata: Metadata, archive: bytes) -> str:
    """Return the text of the record for a module of kernel ``fused``.

    Arguments:
        module: scripted :class:`nnpal.model.fused_module.FusedModule` for which :func:`needs_libtorch` is false.
        metadata: metadata of the file.
        archive: the module as ``save_to_buffer`` writes it; further records do not matter.

    Raises:
        RuntimeError: the archive does not hold the module's weights as one array.
    """
    repulsion = module.repulsion
    values = {
        "version": VERSION,
        "aev": {name: getattr(module, name) for name in _AEV},
        "networks": {
            "layers": _layers_of_elements(list(module.layers)),
            "activation": module.activation,
            "alpha": module.alpha,
            "energy_scale": module.energy_scale,
        },
        "self_energies": module.self_energies.tolist(),
        "repulsion": None
        if repulsion is None
        else {name: getattr(repulsion, name) for name in _REPULSION}
        | {"parameters": repulsion.tables.double().flatten().tolist()},
        "charges": _charges(module.charge_part, archive) if metadata.charges else None,
        "weights": {"record": _record_with(module.weights, archive)},
    }
    return json.dumps(values, allow_nan=False)


def _charges(part: torch.jit.ScriptModule, archive: bytes) -> dict[str, Any]:
    return {
        "n_networks": part.n_networks,
        "layers": _layers_of_elements(list(part.layers)),
        "activation": part.activation,
        "alpha": part.alpha,
        "energy_scale": 1.0,
        "shares": part.shares.double().tolist(),
        "scale_by_squares": part.scale_by_squares,
        "weights": {"record": _record_with(part.weights, archive)},
    }


def _layers_of_elements(packed: list[int]) -> list[list[int]]:
    """Return each element's layer outputs from a flat list: per element, the number of layers, then their outputs."""
    layers: list[list[int]] = []
    while packed:
        n = packed[0]
        layers.append(packed[1 : n + 1])
        packed = packed[n + 1 :]
    return layers


def _record_with(weights: torch.Tensor, archive: bytes) -> str:
    """Return the name of the record that contains an array, without the archive's folder."""
    expected: Any = weights.detach().cpu().contiguous().numpy()
    content = expected.astype(expected.dtype.newbyteorder("<")).tobytes()
    with zipfile.ZipFile(io.BytesIO(archive)) as records:
        for item in records.infolist():
            name = item.filename.partition("/")[2]
            if not name.startswith("data/") or item.file_size != len(content):
                continue
            if item.compress_type == zipfile.ZIP_STORED and records.read(item) == content:
                return name
    raise RuntimeError("torch does not store the weights of this module as one array; nnpal cannot write its file")
