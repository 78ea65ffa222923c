"""Check whether nnpal can be timed on a GPU here."""

from __future__ import annotations

import torch

from nnpal.model.ops import load_ops


def missing() -> str | None:
    """Return the reason why nnpal cannot run on a GPU here, or None."""
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no NVIDIA GPU"
    load_ops()
    if "cuda" not in torch.ops.nnpal.devices():
        return "nnpal was built without nvcc; set CUDACXX to it and install again, see docs/install.md"
    return None
