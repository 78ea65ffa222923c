"""Active learning of neural network potentials inside LAMMPS.

What most scripts need can be imported from here; each name is loaded when it is first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nnpal.runtime.version import __version__

if TYPE_CHECKING:
    from nnpal.active_learning.run import run as run_loop
    from nnpal.data import read_frames, write_dataset
    from nnpal.evaluation import predict
    from nnpal.label import label_frames
    from nnpal.model import export_ensemble, load_model
    from nnpal.model.calculator import NNPCalculator
    from nnpal.model.module_export import export_module
    from nnpal.training import train_ensemble

__all__ = [
    "NNPCalculator",
    "__version__",
    "export_ensemble",
    "export_module",
    "label_frames",
    "load_model",
    "predict",
    "read_frames",
    "run_loop",
    "train_ensemble",
    "write_dataset",
]

_PLACES = {
    "NNPCalculator": "model.calculator",
    "export_ensemble": "model",
    "export_module": "model",
    "label_frames": "label",
    "load_model": "model",
    "predict": "evaluation",
    "read_frames": "data",
    "run_loop": "active_learning.run:run",
    "train_ensemble": "training",
    "write_dataset": "data",
}

# TorchANI warns at import that extensions which nnpal does not use are not compiled.
os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, original = _PLACES[name].partition(":")
    globals()[name] = getattr(import_module(f"{__name__}.{module}"), original or name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
