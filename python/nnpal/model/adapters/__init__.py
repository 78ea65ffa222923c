"""Export ensembles of other packages as model files; each package is imported when its function is called."""

from nnpal.model.adapters.mace import export_mace

__all__ = ["export_mace"]
