"""Error of the readers of data."""

from __future__ import annotations


class DatasetError(ValueError):
    """A file of structures or labels that cannot be used; the message names the file, the fault and how to fix it."""
