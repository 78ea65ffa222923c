"""Model files: write them from TorchANI models and custom modules, read and check them.

No other package of nnpal depends on the contents of a model file.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nnpal.model.metadata import Metadata, ModelFileError

if TYPE_CHECKING:
    from nnpal.model.archive import LoadedModel, load_model, write_calibrated
    from nnpal.model.compiled.compile import compile_model
    from nnpal.model.export import export_ensemble
    from nnpal.model.files import read_metadata
    from nnpal.model.module_export import export_module

__all__ = [
    "LoadedModel",
    "Metadata",
    "ModelFileError",
    "compile_model",
    "export_ensemble",
    "export_module",
    "load_model",
    "read_metadata",
    "write_calibrated",
]

# Imported on first use: most import torch, which a calculator on a CPU does not need.
_PLACES = {
    "LoadedModel": "archive",
    "compile_model": "compiled.compile",
    "export_ensemble": "export",
    "export_module": "module_export",
    "load_model": "archive",
    "read_metadata": "files",
    "write_calibrated": "archive",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
