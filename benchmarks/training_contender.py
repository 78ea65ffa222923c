"""Train one member with a build of nnpal and print cost and held-out errors; time_to_accuracy.py runs this.

    python benchmarks/training_contender.py SPEC

SPEC is JSON: `train` and `test` (datasets), `aev` (a name), `training`, `loss` and `network` (settings), `seed`,
`cpu_seconds` (end after this many; null: never), `fallback` (training settings used if the build has them). Prints a
line of JSON with the settings and one after each epoch. Runs in any build with these settings, also in earlier ones, so
it imports nothing else from benchmarks.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from ase import Atoms

from nnpal.data import read_frames
from nnpal.model.aev import AEVS
from nnpal.model.denormals import denormals_flushed
from nnpal.model.description import NetworkDescription
from nnpal.training import LossSettings, Split, TrainingData, TrainingSettings, build_training_data, random_split
from nnpal.training.epoch import train_epoch
from nnpal.training.forward_pass import joint_errors
from nnpal.training.member import DivergedError, Member, in_parts

VALIDATION = 0.2
PART = 64  # configurations evaluated at a time
MILLI = 1e3


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def held_out_data(frames: list[Atoms], description: NetworkDescription, learned: TrainingData) -> TrainingData:
    """Return features and labels of held-out configurations, with the self-energies of the training subtracted."""
    data = build_training_data(frames, description, features="stored", dtype=learned.energies.dtype)
    composition = np.array([[frame.get_chemical_symbols().count(s) for s in description.symbols] for frame in frames])
    shift = composition @ (data.self_energies - learned.self_energies)
    return replace(data, energies=data.energies + torch.as_tensor(shift, dtype=data.energies.dtype))


def new_member(
    description: NetworkDescription, settings: TrainingSettings, split: Split, seed: int, data: TrainingData
) -> Member:
    """Return an untrained member, with scaled AEVs if the settings of this build say so."""
    more: dict[str, Any] = {}
    if (kind := getattr(settings, "aev_scaling", "none")) != "none":
        scaling = import_module(".scaling", "nnpal.training")  # missing in earlier builds
        more["scaling"] = scaling.aev_scaling(data.features, split.train, description.symbols, kind)
    return Member(description, settings, split, seed, torch.device("cpu"), **more)


@denormals_flushed()
def root_mean_squares(member: Member, data: TrainingData) -> tuple[float, float]:
    """Return held-out RMSEs of the weights that the member would keep: energy, meV/atom; force components, meV/Å."""
    energy, force = [], []
    for part in in_parts(np.arange(len(data)), PART):
        errors, _ = joint_errors([member.validated], data, [part], training=False)
        energy.append((errors.energy / errors.n_atoms).detach())
        force.append(errors.force.detach().flatten())
    energies, forces = (float(torch.cat(own).double().square().mean().sqrt()) for own in (energy, force))
    return MILLI * energies, MILLI * forces


def warm_up(
    description: NetworkDescription, settings: TrainingSettings, data: TrainingData, loss: LossSettings
) -> None:
    """Train another member for one epoch, so that torch's lazy imports do not count as training."""
    few = np.arange(min(4, len(data)))
    member = new_member(description, settings, Split(few[:2], few[2:]), 0, data)
    train_epoch([member], data, loss)


def train(spec: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    fallback = {key: value for key, value in spec["fallback"].items() if key in TrainingSettings.model_fields}
    settings = TrainingSettings(**{**fallback, **spec["training"]})
    loss = LossSettings(**spec["loss"])
    frames = {part: read_frames(spec[part]) for part in ("train", "test")}
    symbols = sorted({symbol for frame in frames["train"] for symbol in frame.get_chemical_symbols()})
    description = NetworkDescription(tuple(symbols), aev=AEVS[spec["aev"]], **spec["network"])
    dtype = getattr(torch, settings.dtype)
    before = time.process_time()
    data = build_training_data(frames["train"], description, features="stored", dtype=dtype)
    features_cpu_s = time.process_time() - before
    held_out = held_out_data(frames["test"], description, data)
    split = random_split(data.hashes, VALIDATION, np.random.default_rng(spec["seed"]))
    warm_up(description, settings, data, loss)
    before = time.process_time()
    member = new_member(description, settings, split, spec["seed"], data)
    used = time.process_time() - before
    say(
        settings=settings.model_dump(),
        loss=loss.model_dump(),
        symbols=symbols,
        n_learned=len(split.train),
        n_validation=len(split.validation),
        n_held_out=len(held_out),
        features_cpu_s=features_cpu_s,
        versions={name: version(name) for name in ("nnpal", "torch")},
    )
    updates = 0
    while not member.finished and used < (spec["cpu_seconds"] or float("inf")):
        before = time.process_time()
        updates += len(member.batches())
        (record,) = train_epoch([member], data, loss)
        used += time.process_time() - before
        if isinstance(record, DivergedError):
            say(diverged=str(record), cpu_s=used)
            return
        energy, force = root_mean_squares(member, held_out)
        updates = getattr(record, "updates", updates)
        say(epoch=record.epoch + 1, updates=updates, cpu_s=used, energy=energy, force=force)


if __name__ == "__main__":
    train(json.loads(sys.argv[1]))
