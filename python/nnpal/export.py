"""Earlier name of :mod:`nnpal.model`, kept for one release."""

from nnpal.model import LoadedModel, Metadata, ModelFileError, export_ensemble, load_model, read_metadata

__all__ = ["LoadedModel", "Metadata", "ModelFileError", "export_ensemble", "load_model", "read_metadata"]
