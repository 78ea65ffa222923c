"""Gather the atoms of all ranks on rank 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from nnpal.hooks import HookError

T = TypeVar("T")


def gathered(comm: Any, tags: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return sorted tags [n_atoms] on every rank, and on rank 0 the rows of the columns in that order (collective).

    Arguments:
        comm: mpi4py communicator.
        tags: atom IDs of this rank's atoms, [n_local].
        columns: values of these atoms, [n_local, ...] each; ranks above 0 get empty columns back.
    """
    if comm.size > 1:
        parts = comm.gather((np.array(tags), *(np.array(column) for column in columns)), root=0)
        if comm.rank == 0:
            tags, *joined = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            columns = tuple(joined)
    if comm.rank > 0:
        return (comm.bcast(None, root=0), *(column[:0] for column in columns))
    order = np.argsort(tags)
    tags = np.array(tags)[order]
    if comm.size > 1:
        comm.bcast(tags, root=0)
    return (tags, *(column[order] for column in columns))


def rows_of(tags: np.ndarray, sorted_tags: np.ndarray) -> np.ndarray:
    """Return the index of each of a rank's tags [n_local] in all tags [n_atoms]."""
    return np.searchsorted(sorted_tags, tags)


def on_rank_zero(comm: Any, work: Callable[[], T]) -> T | None:
    """Call ``work`` on rank 0 and return its result there, None elsewhere (collective).

    Raises:
        HookError: ``work`` raised one; it is raised on every rank.
    """
    result, complaint = None, ""
    if comm.rank == 0:
        try:
            result = work()
        except HookError as error:
            complaint = str(error)
    if comm.size > 1:
        complaint = comm.bcast(complaint, root=0)
    if complaint:
        raise HookError(complaint)
    return result
