"""Train the members of an ensemble side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torchani.arch import ANI

from nnpal.networks import NetworkDescription, build_model
from nnpal.training.dataset import Dataset
from nnpal.training.member import EpochRecord, TrainedMember, TrainingSettings, train_member


def usable_cores() -> int:
    """Return the number of cores that this process may run on, where the system tells, or else of all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class TrainedEnsemble:
    """An ensemble ready for export.

    Attributes:
        model: TorchANI model of all members, hartree.
        members: each with its split and learning curve.
    """

    model: ANI
    members: list[TrainedMember]


def train_ensemble(
    dataset: Dataset,
    description: NetworkDescription,
    settings: TrainingSettings,
    seeds: list[int],
    *,
    n_workers: int | None = None,
    on_epoch: Callable[[int, EpochRecord], None] | None = None,
) -> TrainedEnsemble:
    """Train one member for each seed; each draws its own weights, split and batches.

    Members share the features and run in threads, one core each: torch lets go of the interpreter
    while it computes, and a member depends on its seed alone, so the number of workers does not
    change the result.

    Arguments:
        dataset: features and reference values.
        description: elements, AEV and layers.
        settings: options, the same for all members.
        seeds: one for each member, all different.
        n_workers: members trained at one time; the cores that this process may use when None.
        on_epoch: called with the member's position in ``seeds`` after each of its epochs, from the
            worker's thread.

    Raises:
        ValueError: no seed, or the same one twice.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"train_ensemble: seeds are {seeds}, expected one or more, all different")

    stopped = threading.Event()

    def train(position: int) -> TrainedMember:
        def report(record: EpochRecord) -> None:
            if stopped.is_set():
                raise RuntimeError("train_ensemble: stopped because another member failed")
            if on_epoch is not None:
                on_epoch(position, record)

        return train_member(dataset, description, settings, seeds[position], report)

    workers = n_workers or usable_cores()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            members = list(pool.map(train, range(len(seeds))))
        except BaseException:  # Ctrl-C too: the others would go on to their last epoch
            stopped.set()
            raise
    model = build_model(description, [m.network for m in members], dataset.self_energies.tolist())
    return TrainedEnsemble(model, members)
