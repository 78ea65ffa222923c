"""For one release: :mod:`nnpal.model`, under its earlier name."""

from nnpal.model import LoadedModel, Metadata, ModelFileError, export_ensemble, load_model, read_metadata

__all__ = ["LoadedModel", "Metadata", "ModelFileError", "export_ensemble", "load_model", "read_metadata"]
