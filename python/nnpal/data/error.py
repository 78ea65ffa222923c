"""What readers of data raise."""

from __future__ import annotations


class DatasetError(ValueError):
    """A file of structures or labels that cannot be used; the message names file, what was found and how to fix it."""
