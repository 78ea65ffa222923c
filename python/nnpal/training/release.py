"""Model file of a trained ensemble, kept only if it passes the gate."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from ase import Atoms

from nnpal.data import read_frames
from nnpal.evaluation.gate import GateError, GateReport, check_export
from nnpal.runtime.disk_full import DiskFullError
from nnpal.runtime.places import require_file
from nnpal.training.data import build_training_data
from nnpal.training.evaluate import evaluate
from nnpal.training.model_file import write_model_file
from nnpal.training.plan import DATASET
from nnpal.training.trained import TrainedEnsemble, TrainedMember

N_GATE = 3
"""Number of configurations that the gate compares."""


def release(
    ensemble: TrainedEnsemble,
    path: Path,
    *,
    members: str = "all",
    dtype: str = "float32",
    gate: bool = True,
) -> GateReport | None:
    """Write a model file, and keep it only if :func:`nnpal.evaluation.gate.check_export` passes on part of the training
    data.

    Arguments:
        ensemble: trained ensemble.
        path: path of the model file.
        members: ``all``, ``best``, or numbers such as ``0,2,3``; only a file of all members contains the calibration.
        dtype: floating-point type of the file, float32 or float64.
        gate: whether to compare LAMMPS, Python, finite differences and the trained networks.

    Returns:
        The results of the gate, or None without it.

    Raises:
        ValueError: a member or the dtype does not exist.
        nnpal.evaluation.gate.GateError: the file does not pass, and was removed.
    """
    chosen = choose(ensemble, members)
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype is {dtype!r}, expected float32 or float64")
    require_file("the model file", path)
    plan, result = ensemble.plan, ensemble.result
    # the file appears at ``path`` only after it has passed
    with _folder_beside(path) as aside:
        write_model_file(
            plan.network,
            [member.network for member in chosen],
            result.self_energies,
            aside,
            dtype=getattr(torch, dtype),
            calibration=ensemble.calibration if chosen == ensemble.members else None,
            dataset_hash=plan.content_hash,
            provenance={
                **_without_folders(plan.to_json()),
                "members": [m.number for m in chosen],
                "best_member": result.best_member,
                "scores": {str(k): v for k, v in result.scores.items()},
                "validation_structures": [len(m.split.validation) for m in chosen],
                "best_epochs": [m.best_epoch for m in chosen],
                "versions": {p: version(p) for p in ("nnpal", "torch", "torchani")},
            },
        )
        report = None
        if gate:
            frames = _spread(read_frames(ensemble.folder / DATASET))
            as_trained = member_energies(ensemble, chosen, frames, getattr(torch, dtype))
            try:
                report = check_export(aside, frames, member_energies=as_trained)
            except GateError as error:
                raise GateError(str(error).replace(str(aside), str(path)), error.report) from error
        os.replace(aside, path)
    return report


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder; a full disk is reported with the final path."""
    with TemporaryDirectory(prefix=f".{os.getpid()}.", dir=path.parent) as name:
        aside = Path(name) / path.name
        try:
            yield aside
        except DiskFullError as error:
            raise DiskFullError(error.errno, str(error).replace(str(aside), str(path))) from error


def _without_folders(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan without names of folders, which are meaningless elsewhere."""
    ensemble = {key: value for key, value in plan["ensemble"].items() if key not in ("folder", "previous")}
    previous = plan["previous"] and {key: value for key, value in plan["previous"].items() if key != "folder"}
    training = plan["training"]
    if training["start"] is not None:
        training = training | {"start": Path(training["start"]).name}
    return plan | {"ensemble": ensemble, "previous": previous, "training": training}


def choose(ensemble: TrainedEnsemble, members: str) -> list[TrainedMember]:
    """Return the members that ``all``, ``best`` or a list of numbers names."""
    if members == "all":
        return ensemble.members
    if members == "best":
        return [ensemble.best]
    known = {str(member.number): member for member in ensemble.members}
    names = [name.strip() for name in members.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"members = {members!r}: no trained member {unknown[0]!r}; expected all, best or {', '.join(known)}"
        )
    return [known[name] for name in names]


def member_energies(
    ensemble: TrainedEnsemble, members: Sequence[TrainedMember], frames: Sequence[Atoms], dtype: torch.dtype
) -> np.ndarray:
    """Return energies, self-energies included, computed like in training in ``dtype``, eV, [n_members, n_frames]."""
    plan = ensemble.plan
    own = ensemble.result.self_energies  # a few configurations may not contain all elements
    data = build_training_data(frames, plan.network, dtype=dtype, features="recomputed", self_energies=own)
    symbols = plan.network.symbols
    counts = np.array([[frame.symbols.formula.count().get(s, 0) for s in symbols] for frame in frames], dtype=float)
    alone = counts @ np.array(own)
    everything = np.arange(len(frames))
    energies = []
    for member in members:
        network = copy.deepcopy(member.network).to(dtype)
        found = evaluate(network, data.features.batch(everything))
        energies.append(found.energies.detach().double().numpy())
    return np.stack(energies) + alone


def _spread(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return a few configurations spread over the data, including the one with the largest force."""
    forces = [float(np.abs(frame.get_forces()).max(initial=0.0)) for frame in frames]
    indices = {*np.linspace(0, len(frames) - 1, N_GATE - 1).astype(int).tolist(), int(np.argmax(forces))}
    return [frames[i] for i in sorted(indices)]
