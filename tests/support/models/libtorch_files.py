"""Files of kernel fused that libtorch evaluates, also on a CPU."""

from __future__ import annotations

from pathlib import Path

from broken_files import in_a_zip_of_ours
from torchani_reference import ExportedModel


def by_libtorch(model: ExportedModel, folder: Path) -> ExportedModel:
    """Return the same weights in a file without the record that the core reads."""
    path = in_a_zip_of_ours(model.path, folder / "libtorch.nnp.pt", lambda r: r.pop("archive/extra/fused.json"))
    return ExportedModel(path, model.model, model.elements, model.n_members)
