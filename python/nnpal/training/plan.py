"""The plan of a training: settings, data and splits, fixed when its folder is created.

A training folder contains

```
plan.json              settings, seeds, hash of the data; a resumed training must have the same
splits.json            configurations that each member is trained on, now and in earlier trainings
data.h5                the configurations
start.pt               initial weights of the members, unless they are random
cache/                 features that the members share; deleted when all are finished
parity_*               parity plots of the best member
calibration.json       calibration of spreads, or the reason why there is none
result.json            best member, scores, self-energies; written when all are finished
member-0/ ...          checkpoint.pt, log.csv, worker.log; error.txt if a member failed
tensorboard/           learning curves of the members, with ``training.tensorboard``
```
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nnpal import __version__
from nnpal.model.aev import AEVDescription
from nnpal.model.description import Description, NetworkDescription
from nnpal.model.networks import description_json
from nnpal.model.schnet import SchNetDescription
from nnpal.runtime.json_files import write_json
from nnpal.training.settings import EnsembleSettings, LossSettings, TrainingSettings
from nnpal.training.split import Split, inherited_split, random_split

FORMAT = 1
PLAN, SPLITS, DATASET = "plan.json", "splits.json", "data.h5"
FREE = {
    *(("ensemble", key) for key in ("workers", "devices", "folder", "previous")),
    ("previous", "folder"),
    ("training", "start"),
    ("start", "kind"),
    ("training", "checkpoint_every"),
    ("training", "features_gigabytes"),
    ("training", "tensorboard"),
}
"""Settings that may change on resume: none affects the result, except for another device's rounding."""
EARLIER_TRAINING = {"optimizer": "adamw", "schedule": "plateau", "initialization": "uniform"}
"""Settings of trainings whose plans, by earlier versions, do not contain them."""


class TrainingFolderError(ValueError):
    """A training folder that cannot be used for what was requested."""


@dataclass(frozen=True)
class Plan:
    """Settings and data of a training, as in ``plan.json``.

    Attributes:
        network: kind, elements and layers of the networks.
        loss, training, ensemble: settings.
        content_hash: hash of the data.
        previous: source of inherited splits: its folder, data and best member; None: random splits.
        start: record of the initial weights, see :class:`nnpal.training.start.Start`; None: random weights. Their path
            in the settings may change, but not the weights.
    """

    network: Description
    loss: LossSettings
    training: TrainingSettings
    ensemble: EnsembleSettings
    content_hash: str
    previous: dict[str, Any] | None = None
    start: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "network": description_json(self.network),
            "loss": self.loss.model_dump(),
            "training": self.training.model_dump(),
            "ensemble": self.ensemble.model_dump(),
            "seeds": self.ensemble.member_seeds(),
            "content_hash": self.content_hash,
            "previous": self.previous,
            "start": self.start,
            "versions": {"nnpal": __version__, "torch": version("torch"), "torchani": version("torchani")},
        }


def read_plan(folder: Path) -> Plan:
    """Return the plan of a training folder.

    Raises:
        TrainingFolderError: this is not a training folder, or it is from another version of nnpal.
    """
    values = _read_json(folder / PLAN)
    if values.get("format") != FORMAT:
        raise TrainingFolderError(
            f"{folder / PLAN} has format {values.get('format')}, this version of nnpal reads {FORMAT}"
        )
    return Plan(
        network=_network(values["network"]),
        loss=LossSettings.model_validate_json(json.dumps(values["loss"])),
        training=TrainingSettings.model_validate_json(json.dumps(EARLIER_TRAINING | values["training"])),
        ensemble=EnsembleSettings.model_validate_json(json.dumps(values["ensemble"])),
        content_hash=values["content_hash"],
        previous=values["previous"],
        start=values.get("start"),
    )


def _network(values: dict[str, Any]) -> Description:
    if values.get("kind") == SchNetDescription.kind:
        own = {key: value for key, value in values.items() if key not in ("kind", "symbols")}
        return SchNetDescription(tuple(values["symbols"]), **own)
    hidden = values["hidden"]
    aev: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values["aev"].items()}
    return NetworkDescription(
        symbols=tuple(values["symbols"]),
        hidden={symbol: tuple(v) for symbol, v in hidden.items()} if isinstance(hidden, dict) else tuple(hidden),
        activation=values["activation"],
        bias=values["bias"],
        aev=AEVDescription(**aev),
    )


def write_plan(folder: Path, plan: Plan) -> None:
    """Write ``plan.json``."""
    write_json(folder / PLAN, plan.to_json(), sort_keys=False)


def require_same(folder: Path, plan: Plan) -> None:
    """Reject a folder that contains a different training.

    Raises:
        TrainingFolderError: the trainings differ; the message names the difference.
    """
    found, wanted = read_plan(folder).to_json(), plan.to_json()
    differences = [
        f"{'.'.join(key)} is {_at(wanted, key)!r}, but was {_at(found, key)!r}"
        for key in sorted({*_keys(found), *_keys(wanted)})
        if key not in FREE and key[0] != "versions" and _at(found, key) != _at(wanted, key)
    ]
    if differences:
        raise TrainingFolderError(
            f"{folder} holds another training: {'; '.join(differences)}; give another folder, undo the change, or "
            "delete the folder"
        )


def renew_free(folder: Path, plan: Plan) -> None:
    """Update the settings in :data:`FREE`, which may change, of a resumed training."""
    found, wanted = _read_json(folder / PLAN), plan.to_json()
    renewed = json.loads(json.dumps(found))
    for table, key in FREE:
        if isinstance(renewed.get(table), dict):
            renewed[table][key] = _at(wanted, (table, key))
    if renewed != found:
        write_json(folder / PLAN, renewed, sort_keys=False)


def draw_splits(plan: Plan, hashes: Sequence[str]) -> list[Split]:
    """Return each member's split, drawn by the rule in the plan.

    Arguments:
        plan: rule, fraction and seeds; for inherited splits also the folder with the previous roles.
        hashes: hash of each configuration's structure.
    """
    fraction = plan.ensemble.validation_fraction
    generators = [np.random.default_rng([seed, 0x5117]) for seed in plan.ensemble.member_seeds()]
    if plan.previous is not None:
        roles = read_roles(Path(plan.previous["folder"]), plan.previous["member"])
        return [inherited_split(hashes, roles, fraction, rng) for rng in generators]
    return [random_split(hashes, fraction, rng) for rng in generators]


def write_splits(
    folder: Path, hashes: Sequence[str], splits: Sequence[Split], learned_before: Sequence[set[str]] | None = None
) -> None:
    """Write ``splits.json``.

    Arguments:
        folder: training folder.
        hashes: hash of each configuration's structure.
        splits: split of each member.
        learned_before: hashes of the structures that each member was trained on before its start; None: none.
    """
    before = learned_before or [set()] * len(splits)
    values = {
        "structures": list(hashes),
        "validation": [split.validation.tolist() for split in splits],
        "learned_before": [[k for k, own in enumerate(hashes) if own in known] for known in before],
    }
    write_json(folder / SPLITS, values, sort_keys=False)


def read_splits(folder: Path) -> list[Split]:
    """Return the members' splits."""
    values = _read_json(folder / SPLITS)
    everything = np.arange(len(values["structures"]))
    return [Split(np.setdiff1d(everything, own), np.array(own, dtype=np.int64)) for own in values["validation"]]


def read_learned(folder: Path) -> np.ndarray:
    """Return whether each member was trained on each configuration, then or earlier, [n_members, n_data]."""
    values = _read_json(folder / SPLITS)
    learned = np.ones((len(values["validation"]), len(values["structures"])), dtype=bool)
    nothing: list[list[int]] = [[] for _ in learned]  # files of earlier versions
    for own, validation, before in zip(
        learned, values["validation"], values.get("learned_before", nothing), strict=True
    ):
        own[validation] = False
        own[before] = True
    return learned


def hashes_learned(folder: Path) -> list[set[str]]:
    """Return the hashes of the structures that each member was trained on, then or earlier."""
    hashes = np.array(_read_json(folder / SPLITS)["structures"])
    return [set(hashes[own].tolist()) for own in read_learned(folder)]


def read_roles(folder: Path, member: int) -> dict[str, str]:
    """Return structure hash -> role for a member of a training folder."""
    return read_splits(folder)[member].roles(_read_json(folder / SPLITS)["structures"])


def member_folder(folder: Path, member: int) -> Path:
    return folder / f"member-{member}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except OSError as error:
        reason = f"it holds no {path.name}" if path.parent.is_dir() else f"expected a folder ({error.strerror})"
        raise TrainingFolderError(
            f"{path.parent} is not a training folder: {reason}; give the folder that nnpal train has made"
        ) from error
    except ValueError as error:
        raise TrainingFolderError(f"{path.parent} is not a training folder: {path.name}: {error}") from error


def _keys(values: dict[str, Any], depth: int = 2) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = []
    for key, value in values.items():
        nested = isinstance(value, dict) and value and depth > 1
        keys += [(key, *rest) for rest in _keys(value, depth - 1)] if nested else [(key,)]
    return keys


def _at(values: Any, key: tuple[str, ...]) -> Any:
    """Return the value at ``key`` in its JSON form, or None if there is none."""
    for part in key:
        values = values.get(part) if isinstance(values, dict) else None
    return json.loads(json.dumps(values))
