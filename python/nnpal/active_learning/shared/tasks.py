"""Tasks of all loops, functions of a folder and of JSON arguments, see
:mod:`nnpal.active_learning.engine.task`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LABEL_TASK, TRAIN_TASK = (
    "nnpal.active_learning.shared.tasks:label_batch",
    "nnpal.active_learning.shared.tasks:train_member",
)
FRAMES, STORE = "frames.traj", "labels.sqlite"


def label_batch(
    folder: Path,
    *,
    oracle: dict[str, Any],
    base_folder: str,
    content: str,
    threads: int,
    timeout: float | None,
) -> dict[str, Any]:
    """Label the configurations of ``frames.traj`` in the folder's own store, which survives a kill.

    Arguments:
        folder: folder of the task.
        oracle: table [oracle].
        base_folder: folder of the oracle's files, relative to ``folder``.
        content: hash of the configurations.
        threads, timeout: number of threads and time limit, s, of a calculation.

    Raises:
        ValueError: the file contains other configurations, or the oracle cannot work as described.
        Killed: workers were killed, so some configurations have no result; all others are in the store.
    """
    from nnpal.active_learning.shared.bare_frames import read_bare
    from nnpal.active_learning.shared.oracle_table import oracle_of
    from nnpal.label import LabelStore, label_frames
    from nnpal.runtime.child_process import Killed

    frames = read_bare(folder / FRAMES)
    found = batch_hash(frames)
    if found != content:
        raise ValueError(f"{folder / FRAMES}: holds configurations {found[:16]}, the task is about {content[:16]}")
    with LabelStore(folder / STORE) as store:
        report = label_frames(
            frames, oracle_of(oracle, (folder / base_folder).resolve()), store, timeout=timeout, threads=threads
        )
    unanswered = [failure.reason for failure in report.failed if failure.unfinished]
    if unanswered:
        raise Killed(f"{len(unanswered)} of {len(frames)} configurations have no answer; the first: {unanswered[0]}")
    return {"labeled": len(report.labeled), "failed": [failure.reason for failure in report.failed]}


def batch_hash(frames: list[Any]) -> str:
    """Return a hash of unlabeled configurations in their order."""
    import hashlib

    from nnpal.label.structure_key import structure_key

    return hashlib.sha256("".join(structure_key(frame) for frame in frames).encode()).hexdigest()


def train_member(folder: Path, *, training: str, member: int, content: str) -> dict[str, Any]:
    """Train one member of a training folder until it finishes, from its checkpoint.

    Arguments:
        folder: folder of the task.
        training: training folder, relative to ``folder``.
        member: number of the member; members are assigned to GPUs, if any, in turn.
        content: hash of the data, so that other data make a different task.

    Raises:
        ValueError: the training folder is for other data.
        GiveUp: the member diverges, and would diverge again.
    """
    import torch

    from nnpal.active_learning.engine.error import GiveUp
    from nnpal.training.plan import member_folder, read_plan
    from nnpal.training.processes import resolve_devices
    from nnpal.training.storage import load_data
    from nnpal.training.worker import CACHE, ERROR, run

    where = (folder / training).resolve()
    plan = read_plan(where)
    if plan.content_hash != content:
        raise ValueError(f"{where}: trains on data {plan.content_hash[:16]}, the task is about {content[:16]}")
    devices = resolve_devices(plan.ensemble.devices)
    torch.set_num_threads(plan.ensemble.threads)
    n_epochs = 0

    def count(*_: object) -> None:
        nonlocal n_epochs
        n_epochs += 1

    device = torch.device(devices[member % len(devices)])
    diverged = member_folder(where, member) / ERROR
    diverged.unlink(missing_ok=True)  # from an earlier attempt
    run(where, [member], device, load_data(where / CACHE, plan.network), count)
    if diverged.exists():
        raise GiveUp(f"member {member}: {diverged.read_text().strip()}")
    return {"member": member}
