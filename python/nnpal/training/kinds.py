"""Which settings of a training mean nothing for which kind of network."""

from __future__ import annotations

from nnpal.model.description import Description, NetworkDescription
from nnpal.training.settings import TrainingSettings

OF_ANI = {
    "aev_scaling": "it has no AEVs",
    "initialization": "it has its own initialization (docs/networks.md)",
    "features": "it has no features but neighbor lists, which are kept",
    "frozen_layers": "it has no layers for each element",
}
"""Keys of [training] that concern ANI networks alone, and why they have no effect on others."""


def usable(training: TrainingSettings, kind: str) -> TrainingSettings:
    """Return settings without those that mean nothing to a kind of network."""
    if kind == NetworkDescription.kind:
        return training
    return training.model_copy(update={key: TrainingSettings.model_fields[key].default for key in OF_ANI})


def without_effect(training: TrainingSettings, kind: str) -> dict[str, str]:
    """Return the keys that are set and mean nothing to a kind of network, and why."""
    plain = usable(training, kind)
    return {key: why for key, why in OF_ANI.items() if getattr(training, key) != getattr(plain, key)}


def require_usable(training: TrainingSettings, network: Description) -> None:
    """Refuse settings that have no effect on networks of the kind at hand.

    Raises:
        ValueError: names the key, its value and the kind.
    """
    for key, why in without_effect(training, network.kind).items():
        raise ValueError(
            f"training.{key} = {getattr(training, key)!r} has no effect with network.kind = {network.kind!r}: {why}; "
            "remove it"
        )
