"""Settings of a training that have no effect on some kinds of networks."""

from __future__ import annotations

from nnpal.model.description import Description, NetworkDescription
from nnpal.training.settings import TrainingSettings

OF_ANI = {
    "aev_scaling": "it has no AEVs",
    "initialization": "it has its own initialization (docs/networks.md)",
    "features": "it has no features but neighbor lists, which are kept",
    "frozen_layers": "it has no layers for each element",
}
"""Keys of [training] that only affect ANI networks, and why they have no effect on others."""


def usable(training: TrainingSettings, kind: str) -> TrainingSettings:
    """Return the settings with defaults for those that have no effect on ``kind`` of networks."""
    if kind == NetworkDescription.kind:
        return training
    return training.model_copy(update={key: TrainingSettings.model_fields[key].default for key in OF_ANI})


def without_effect(training: TrainingSettings, kind: str) -> dict[str, str]:
    """Return the given keys that have no effect on ``kind`` of networks, and the reasons."""
    plain = usable(training, kind)
    return {key: why for key, why in OF_ANI.items() if getattr(training, key) != getattr(plain, key)}


def require_usable(training: TrainingSettings, network: Description) -> None:
    """Reject settings that have no effect on the kind of ``network``.

    Raises:
        ValueError: a setting has no effect; the message names the key, its value and the kind.
    """
    for key, why in without_effect(training, network.kind).items():
        raise ValueError(
            f"training.{key} = {getattr(training, key)!r} has no effect with network.kind = {network.kind!r}: {why}; "
            "remove it"
        )
