"""Description of networks that start from earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from typing import Any

from ase.data import atomic_numbers

from nnpal.model.description import Description, NetworkDescription
from nnpal.model.member_networks import same_aev
from nnpal.model.schnet import SchNetDescription
from nnpal.model.settings import KEYS, NetworkSettings
from nnpal.training.settings import TrainingSettings


class StartError(ValueError):
    """A start that cannot be used for a training.

    Attributes:
        key, value: configuration key that causes the error, and its value.
        why: what was found, what was expected, and what to do.
    """

    def __init__(self, key: str, value: Any, why: str) -> None:
        super().__init__(f"{key} = {value!r}: {why}")
        self.key, self.value, self.why = key, value, why


def started_network(
    network: Description | NetworkSettings | None,
    start: Description,
    present: Sequence[str],
    name: str,
) -> Description:
    """Return the description of networks that start from others.

    Elements are those of ``network``, or else of the data, as without a start. Everything else is taken from the start,
    and ``network`` must not contradict it.

    Arguments:
        network: a description, or the table [network], of which only the given keys are used.
        start: description of the networks to start from.
        present: elements in the data.
        name: name of the start, for messages.

    Raises:
        StartError: they differ; the message names the key and both values.
        ValueError: the data contain an element that ``network.elements`` lacks.
    """
    if network is not None and not isinstance(network, NetworkSettings):
        _require_kind(network.kind, start, name)
        _require_elements(network.symbols, start, name)
        _require_agreement(network, start, [field.name for field in fields(network)], name, "set it to that")
        return network
    given = network or NetworkSettings()
    keys = given.model_fields_set - {"elements"}
    if "kind" in keys:
        _require_kind(given.kind, start, name)
    _require_keys_of_kind(given, start, name)
    symbols = given.elements or tuple(sorted(set(present), key=atomic_numbers.__getitem__))
    _require_elements(symbols, start, name)
    asked = given.description(present)
    _require_agreement(asked, start, keys, name, "remove the key, because a start defines its network")
    if isinstance(start, SchNetDescription):
        return replace(start, symbols=symbols)
    hidden = {symbol: start.hidden_of(symbol) for symbol in symbols}
    first = start.hidden_of(symbols[0])
    found = replace(start, symbols=symbols, hidden=first if all(h == first for h in hidden.values()) else hidden)
    # The given numbers, because a model file contains rounded ones
    return replace(found, aev=asked.aev) if "aev" in keys and isinstance(asked, NetworkDescription) else found


def require_layers_left(description: Description, frozen_layers: int) -> None:
    """Reject frozen layers that leave no trainable one, or of networks that have no layers for each element.

    Raises:
        StartError: too many are frozen; the message names the element and its number of layers.
    """
    if isinstance(description, SchNetDescription):
        if frozen_layers:
            why = f"networks of kind {description.kind!r} have no layers for each element; remove the key"
            raise StartError("training.frozen_layers", frozen_layers, why)
        return
    for symbol in description.symbols:
        n_layers = len(description.hidden_of(symbol)) + 1
        if frozen_layers >= n_layers:
            why = f"{symbol}'s network has {n_layers} layers, of which one at least learns; give {n_layers - 1} at most"
            raise StartError("training.frozen_layers", frozen_layers, why)


def require_learned_weights(training: TrainingSettings) -> None:
    """Reject frozen layers with random weights, in a training without a start.

    Raises:
        StartError: layers are frozen; the message names their number.
    """
    if training.frozen_layers:
        why = "without training.start these layers would keep random weights; give a start, or remove the key"
        raise StartError("training.frozen_layers", training.frozen_layers, why)


def _require_kind(kind: str, start: Description, name: str) -> None:
    if kind != start.kind:
        why = f"training.start, {name}, is of kind {start.kind!r}; set it to that, or remove training.start"
        raise StartError("network.kind", kind, why)


def _require_keys_of_kind(given: NetworkSettings, start: Description, name: str) -> None:
    """Reject keys of a kind of network that differs from the start's, which would have no effect."""
    own = KEYS[start.kind]
    for key in sorted({key for keys in KEYS.values() for key in keys} - set(own)):
        if key in given.model_fields_set:
            why = f"training.start, {name}, is of kind {start.kind!r}, whose keys are {', '.join(own)}"
            raise StartError(f"network.{key}", getattr(given, key), f"{why}; remove the key, or training.start")


def _require_elements(symbols: Sequence[str], start: Description, name: str) -> None:
    if lacking := [symbol for symbol in symbols if symbol not in start.symbols]:
        why = f"it has networks for {', '.join(start.symbols)}, none for {', '.join(lacking)} of the data"
        cure = "start from a model with all their elements, or remove the key"
        raise StartError("training.start", name, f"{why}; {cure}")


def _require_agreement(asked: Description, start: Description, keys: Collection[str], name: str, cure: str) -> None:
    for key in (field.name for field in fields(start)):
        if key != "symbols" and key in keys and not _agree(key, asked, start):
            why = f"training.start, {name}, has {_value(key, start, asked)}; {cure}, or remove training.start"
            raise StartError(f"network.{key}", _value(key, asked, asked), why)


def _agree(key: str, asked: Description, start: Description) -> bool:
    if key == "aev" and isinstance(asked, NetworkDescription) and isinstance(start, NetworkDescription):
        return same_aev(asked.aev, start.aev)
    return bool(_value(key, asked, asked) == _value(key, start, asked))


def _value(key: str, of: Description, asked: Description) -> Any:
    if key == "hidden" and isinstance(of, NetworkDescription):
        return {symbol: list(of.hidden_of(symbol)) for symbol in asked.symbols}
    return getattr(of, key)
