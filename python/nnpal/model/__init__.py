"""Model files: write them from TorchANI models and custom modules, read and check them.

Nothing else in nnpal knows what such a file holds inside.
"""

from nnpal.model.archive import LoadedModel, load_model, read_metadata, write_calibrated
from nnpal.model.compiled.compile import compile_model
from nnpal.model.export import export_ensemble
from nnpal.model.export_module import export_module
from nnpal.model.metadata import Metadata, ModelFileError

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
