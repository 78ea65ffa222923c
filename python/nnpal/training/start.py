"""Initial weights of a training that are not random, and the file that keeps them.

``start.pt`` is in the training folder, so that a training can resume whatever happens to its initial model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nnpal.model.description import Description
from nnpal.model.networks import Network, description_json, empty_network
from nnpal.training.storage import save_whole

START = "start.pt"


@dataclass(frozen=True)
class Start:
    """Weights that a training starts from.

    Attributes:
        description: description of the networks, with the elements of the training.
        networks: networks that members start from, each once, eV, in the precision of the training.
        places: index in ``networks`` for each member.
        record: entry in the plan: kind, hash, and the member of the source that each member starts from.
    """

    description: Description
    networks: tuple[Network, ...]
    places: tuple[int, ...]
    record: dict[str, Any]


def networks_hash(description: Description, networks: Sequence[Network]) -> str:
    """Return a hash of the networks' description and all weights."""
    found = hashlib.sha256(json.dumps(description_json(description), sort_keys=True).encode())
    for network in networks:
        for name, value in network.state_dict().items():
            found.update(f"{name} {tuple(value.shape)} {value.dtype}\0".encode())
            found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()


def save_start(folder: Path, start: Start) -> None:
    """Write ``start.pt``."""
    state = {"places": list(start.places), "networks": [network.state_dict() for network in start.networks]}
    save_whole(folder / START, state)


def load_start(folder: Path, description: Description, record: dict[str, Any]) -> Start:
    """Return what :func:`save_start` wrote, given ``description`` and ``record`` from the training's plan."""
    state = torch.load(folder / START, map_location="cpu", weights_only=True)
    return Start(
        description,
        tuple(_with_weights(description, weights) for weights in state["networks"]),
        tuple(state["places"]),
        record,
    )


def start_network(folder: Path, description: Description, number: int) -> Network | None:
    """Return the network that a member of the training in ``folder`` starts from, eV, on the CPU; None: random."""
    if not (folder / START).exists():
        return None
    start = load_start(folder, description, {})
    return start.networks[start.places[number]]


def _with_weights(description: Description, weights: dict[str, torch.Tensor]) -> Network:
    network = empty_network(description).to(next(iter(weights.values())).dtype)
    network.load_state_dict(weights)
    return network
