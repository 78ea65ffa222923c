"""Flush-to-zero while torch computes on a CPU: denormal numbers make it many times slower on some processors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nnpal.model.ops import OpsError, load_ops


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Treat denormal numbers, below 1.2e-38 in float32, as 0 on all intra-op threads of torch; also a decorator.

    On exit every thread's control word is restored. ``torch.set_flush_denormal`` affects only the calling thread and
    threads that torch starts later. nnpal's own operations do not need this context. Without the compiled operations
    nothing is flushed, which only costs time.
    """
    try:
        load_ops()
    except OpsError:
        yield
        return
    words = torch.ops.nnpal.flush_denormals()
    try:
        yield
    finally:
        torch.ops.nnpal.restore_denormals(words)
