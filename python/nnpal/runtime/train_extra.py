"""Message for parts of nnpal that need torch, which the base installation lacks."""

from __future__ import annotations

PACKAGES = ("torch", "torchani")


def needs_train_extra(error: ModuleNotFoundError, what: str) -> str:
    """Return the message for a failed import of torch or torchani, "" for any other module.

    Arguments:
        error: exception of the import.
        what: requested feature, such as ``nnpal train``.
    """
    if error.name not in PACKAGES:
        return ""
    return (
        f"{what} needs {error.name}, which is not installed; run: pip install 'nnpal[train]' "
        "(models of kernel fused run on CPUs without it)"
    )
