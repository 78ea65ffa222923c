"""Number of usable cores."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the number of cores that this process may run on, or of all cores if the system does not report it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
