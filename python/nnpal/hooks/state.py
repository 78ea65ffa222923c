"""A hook's state as bytes for LAMMPS's restart files: JSON for the structure, NumPy's format for arrays.

Unlike a pickle, it cannot run code when read: restart files are passed between people.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from nnpal.hooks.error import HookError

_FORMAT = "nnpal-hook-state-1"
_ARRAY = "__array__"


def pack(spec: str, state: dict[str, Any]) -> bytes:
    """Return a state as bytes; it may contain nested dicts and lists of str, int, float, bool, None and arrays.

    Arguments:
        spec: `MODULE:CLASS` of the hook.
        state: result of the hook's `state_dict`.

    Raises:
        TypeError: the state contains another type, or a key that is not a string.
    """
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps({"format": _FORMAT, "hook": spec, "state": _without_arrays(state, "state", arrays)})
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, structure=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    return buffer.getvalue()


def unpack(spec: str, content: bytes) -> dict[str, Any]:
    """Return the state that `pack` wrote, with bitwise equal arrays of the same dtype.

    Raises:
        ValueError: the bytes are not such a state.
        HookError: the state belongs to another hook class.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    document = json.loads(arrays.pop("structure").tobytes().decode())
    if document.get("format") != _FORMAT:
        raise ValueError(f"hook state: format {document.get('format')!r}, expected {_FORMAT!r}")
    if document["hook"] != spec:
        raise HookError(
            f"the restart file holds the state of {document['hook']} under this fix ID, not of {spec}; use the same "
            "class, or another fix ID to start a new state"
        )
    state: dict[str, Any] = _with_arrays(document["state"], arrays)
    return state


def _without_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """Replace arrays by references into `arrays`, and NumPy scalars by Python scalars."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{path}: arrays of Python objects cannot be kept in a restart file")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{path}: key {key!r} is not a string")
        return {key: _without_arrays(item, f"{path}[{key!r}]", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{path}[{i}]", arrays) for i, item in enumerate(value)]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(
        f"{path}: {type(value).__name__} cannot be kept in a restart file; expected dict, list, str, int, float, bool, "
        "None or an array"
    )


def _with_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    return value
