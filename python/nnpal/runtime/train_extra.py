"""What to say where a part of nnpal needs torch, which the base installation lacks."""

from __future__ import annotations

PACKAGES = ("torch", "torchani")


def needs_train_extra(error: ModuleNotFoundError, what: str) -> str:
    """Return the sentence for a failed import of torch or torchani, "" for that of anything else.

    Arguments:
        error: what the import raised.
        what: what was asked for, such as ``nnpal train``.
    """
    if error.name not in PACKAGES:
        return ""
    return (
        f"{what} needs {error.name}, which is not installed; run: pip install 'nnpal[train]' "
        "(models of kernel fused run on CPUs without it)"
    )
