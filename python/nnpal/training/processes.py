"""Worker processes: one per member on a CPU, one for all members on a GPU."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from nnpal.runtime.child_process import Child, environment_for, how_ended, last_lines
from nnpal.runtime.disk_full import EXIT_DISK_FULL, disk_full, require_room
from nnpal.training.member import EpochRecord
from nnpal.training.plan import member_folder
from nnpal.training.worker import CHECKPOINT, ERROR

OnEpoch = Callable[[int, EpochRecord], None]
WORKER_LOG = "worker.log"
LAST_LINES = 5


@dataclass(frozen=True)
class Group:
    """Members that one process trains on one device."""

    device: str
    members: tuple[int, ...]


def resolve_devices(devices: Sequence[str]) -> list[str]:
    """Return torch's names of ``devices``; ``auto`` becomes all GPUs, or the CPU without a GPU.

    Raises:
        ValueError: a device does not exist.
    """
    n_gpus = torch.cuda.device_count()
    names: list[str] = []
    for device in devices:
        if device == "auto":
            names += [f"cuda:{k}" for k in range(n_gpus)] or ["cpu"]
        elif device == "cpu":
            names.append("cpu")
        elif device == "cuda" or device.startswith("cuda:"):
            number = device.partition(":")[2] or "0"
            if not number.isdigit() or int(number) >= n_gpus:
                raise ValueError(f"ensemble.devices: {device!r} does not exist; torch sees {n_gpus} GPUs")
            names.append(f"cuda:{number}")
        else:
            raise ValueError(f"ensemble.devices: {device!r}, expected auto, cpu, cuda or cuda:N")
    return names


def deal(members: Sequence[int], devices: Sequence[str]) -> list[Group]:
    """Assign members to devices in turn, with one group per GPU."""
    dealt = [(devices[k % len(devices)], member) for k, member in enumerate(members)]
    groups = [Group(device, (member,)) for device, member in dealt if device == "cpu"]
    for gpu in dict.fromkeys(device for device, _ in dealt if device != "cpu"):
        groups.append(Group(gpu, tuple(member for device, member in dealt if device == gpu)))
    return groups


def train_groups(
    folder: Path, groups: Sequence[Group], *, n_workers: int, threads: int, on_epoch: OnEpoch | None
) -> None:
    """Run a process for each group, ``n_workers`` CPU processes at a time and all GPU processes at once.

    A process that dies is restarted from its members' checkpoints if it got further than those before it, because
    checkpoints may be many epochs apart. Otherwise, and if a member diverges, ``error.txt`` in its folder gives the
    reason; a full disk is not counted as a failure. No process survives this call, even if it raises an exception.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: no space is left.
    """
    running: list[Child] = []
    stopped = threading.Event()
    lock = threading.Lock()

    def carry(group: Group) -> None:
        reached: dict[int, int] = {}
        while not stopped.is_set():
            log = member_folder(folder, group.members[0]) / WORKER_LOG
            with _start(folder, group, threads, log) as child:  # ended on exit, also by an error in on_epoch
                with lock:
                    running.append(child)
                if stopped.is_set():
                    child.kill()
                got_further = _follow(child, on_epoch, reached)
                code = child.wait()
            if code == 0 or stopped.is_set():
                return
            if code == EXIT_DISK_FULL:
                raise disk_full(log.parent / CHECKPOINT)
            require_room(folder)  # a full disk is not the members' failure
            if not got_further:
                _give_up(folder, group, how_ended(code or 0), log)
                return

    n_threads = len([g for g in groups if g.device != "cpu"])
    cpu_pool = ThreadPoolExecutor(n_workers)
    gpu_pool = ThreadPoolExecutor(max(1, n_threads))
    try:
        tasks = [(cpu_pool if group.device == "cpu" else gpu_pool).submit(carry, group) for group in groups]
        for task in tasks:
            task.result()
    finally:
        stopped.set()
        with lock:
            for child in running:
                child.kill()
        cpu_pool.shutdown(cancel_futures=True)
        gpu_pool.shutdown(cancel_futures=True)


def _start(folder: Path, group: Group, threads: int, log: Path) -> Child:
    command = [sys.executable, "-m", "nnpal.training.worker", str(folder), group.device, *map(str, group.members)]
    environment = {**environment_for(threads), "TORCHANI_NO_WARN_EXTENSIONS": "1"}
    return Child(command, log, environment=environment, reads_output=True)


def _follow(child: Child, on_epoch: OnEpoch | None, reached: dict[int, int]) -> bool:
    """Forward the worker's records until it ends, and return whether a member got further than before.

    Arguments:
        child: worker process.
        on_epoch: called with each member and record.
        reached: updates of each member reached by earlier workers; modified.
    """
    got_further = False
    for line in child.lines():
        values = json.loads(line)
        number, record = values.pop("member"), EpochRecord(**values)
        if record.updates > reached.get(number, 0):
            got_further, reached[number] = True, record.updates
        if on_epoch is not None:
            on_epoch(number, record)
    return got_further


def _give_up(folder: Path, group: Group, how: str, log: Path) -> None:
    lines = last_lines(log, LAST_LINES)
    for member in group.members:
        path = member_folder(folder, member) / ERROR
        if not path.exists():
            path.write_text(
                f"its process {how} before it got further; last lines of {log}:\n" + "\n".join(lines) + "\n"
            )
