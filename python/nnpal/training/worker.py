"""The process that trains one member on a CPU, or all members of one GPU: ``python -m nnpal.training.worker``.

It writes a checkpoint and a log for each member, prints a line of JSON per epoch, and ends when its standard input
closes, so that no worker outlives the program that started it.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import torch

from nnpal.runtime.child_process import end_with_parent
from nnpal.runtime.disk_full import end_for_full_disk, is_disk_full
from nnpal.runtime.files import aside
from nnpal.runtime.locks import locked
from nnpal.training.data import GIGABYTE, Features, TrainingData
from nnpal.training.epoch import train_epoch
from nnpal.training.log import LOG, Line, Log
from nnpal.training.member import DivergedError, EpochRecord, Member
from nnpal.training.neighbor_features import NeighborFeatures
from nnpal.training.plan import Plan, member_folder, read_plan, read_splits
from nnpal.training.scaling import aev_scaling
from nnpal.training.start import start_network
from nnpal.training.storage import load_data, save_whole
from nnpal.training.tensorboard import TENSORBOARD, Scalars

CHECKPOINT, ERROR, CACHE, LOCK = "checkpoint.pt", "error.txt", "cache", "lock"


def restore(folder: Path, plan: Plan, number: int, device: torch.device, features: Features | None = None) -> Member:
    """Return a member restored from its checkpoint, or a new one.

    Arguments:
        folder, plan, number, device: training folder and its plan, number of the member, and its device.
        features: features of all configurations; None if the member is not trained further.
    """
    path = member_folder(folder, number) / CHECKPOINT
    begun = path.exists()
    split, kind = read_splits(folder)[number], plan.training.aev_scaling
    scaling = None
    if features is not None and kind != "none" and not isinstance(features, NeighborFeatures):
        scaling = aev_scaling(features, split.train, plan.network.symbols, kind)
    member = Member(
        plan.network,
        plan.training,
        split,
        plan.ensemble.member_seeds()[number],
        device,
        None if begun or plan.start is None else start_network(folder, plan.network, number),
        scaling,
    )
    if begun:
        member.load_state_dict(torch.load(path, map_location=device, weights_only=True))
    return member


def run(
    folder: Path,
    numbers: list[int],
    device: torch.device,
    data: TrainingData,
    on_epoch: Callable[[int, EpochRecord], None],
) -> None:
    """Train members until they finish, from their checkpoints; others go on if one diverges."""
    with ExitStack() as stack:
        for number in numbers:  # a worker of a killed training may take a moment to end
            stack.enter_context(locked(member_folder(folder, number) / LOCK, wait=True))
        _run(folder, numbers, device, data, on_epoch, stack)


def _run(
    folder: Path,
    numbers: list[int],
    device: torch.device,
    data: TrainingData,
    on_epoch: Callable[[int, EpochRecord], None],
    stack: ExitStack,
) -> None:
    plan = read_plan(folder)
    members = {number: restore(folder, plan, number, device, data.features) for number in numbers}
    logs = {
        number: Log(member_folder(folder, number) / LOG, member.progress.history, finished=member.finished)
        for number, member in members.items()
    }
    scalars = {
        number: stack.enter_context(Scalars(folder / TENSORBOARD / f"member-{number}", member.progress.history))
        for number, member in members.items()
        if plan.training.tensorboard
    }
    gigabytes = plan.training.features_gigabytes
    data = data.to(device, math.inf if gigabytes is None else gigabytes * GIGABYTE)
    while active := {number: member for number, member in members.items() if not member.finished}:
        start = time.monotonic()
        outcomes = train_epoch(list(active.values()), data, plan.loss)
        for (number, member), outcome in zip(active.items(), outcomes, strict=True):
            if isinstance(outcome, DivergedError):
                _write(member_folder(folder, number) / ERROR, str(outcome))
                del members[number]
                continue
            if member.finished or member.epoch % member.checkpoint_every == 0:
                save_whole(member_folder(folder, number) / CHECKPOINT, member.state_dict())
            logs[number].add(Line(outcome, time.monotonic() - start, member.finished))
            if number in scalars:
                scalars[number].add(outcome)
            on_epoch(number, outcome)


def _write(path: Path, text: str) -> None:
    with aside(path) as temporary:
        temporary.write_text(text + "\n")


def _print_epoch(number: int, record: EpochRecord) -> None:
    print(json.dumps({"member": number, **asdict(record)}), flush=True)


def main(arguments: list[str]) -> None:
    """Train members; ``arguments`` are FOLDER DEVICE MEMBER..."""
    folder, device, numbers = Path(arguments[0]), torch.device(arguments[1]), [int(a) for a in arguments[2:]]
    end_with_parent()
    plan = read_plan(folder)
    torch.set_num_threads(plan.ensemble.threads)
    try:
        run(folder, numbers, device, load_data(folder / CACHE, plan.network), _print_epoch)
    except Exception as error:
        if is_disk_full(error):
            end_for_full_disk(error)
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
