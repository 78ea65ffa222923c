"""What the networks of a training look like that starts from earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from typing import Any

from ase.data import atomic_numbers

from nnpal.model.description import NetworkDescription
from nnpal.model.member_networks import same_aev
from nnpal.model.settings import NetworkSettings
from nnpal.training.settings import TrainingSettings


class StartError(ValueError):
    """A start that a training cannot have.

    Attributes:
        key, value: of the configuration that stands against it.
        why: what was found, what was expected, and what to do.
    """

    def __init__(self, key: str, value: Any, why: str) -> None:
        super().__init__(f"{key} = {value!r}: {why}")
        self.key, self.value, self.why = key, value, why


def started_network(
    network: NetworkDescription | NetworkSettings | None,
    start: NetworkDescription,
    present: Sequence[str],
    name: str,
) -> NetworkDescription:
    """Return the description of networks that start from others.

    Elements are those that ``network`` gives, else those of the data, as without a start. All the rest is the start's,
    and what ``network`` says of it must agree.

    Arguments:
        network: a description, or the table [network], of which only keys that are given count.
        start: of the networks to start from.
        present: elements of the data.
        name: of the start, for messages.

    Raises:
        StartError: names the key and both values.
        ValueError: the data hold an element that ``network.elements`` lacks.
    """
    if isinstance(network, NetworkDescription):
        _require_elements(network.symbols, start, name)
        _require_agreement(network, start, [field.name for field in fields(network)], name, "set it to that")
        return network
    given = network or NetworkSettings()
    keys = given.model_fields_set - {"elements"}
    symbols = given.elements or tuple(sorted(set(present), key=atomic_numbers.__getitem__))
    _require_elements(symbols, start, name)
    asked = given.description(present)
    _require_agreement(asked, start, keys, name, "leave the key out, for a start brings its network")
    hidden = {symbol: start.hidden_of(symbol) for symbol in symbols}
    first = start.hidden_of(symbols[0])
    found = replace(start, symbols=symbols, hidden=first if all(h == first for h in hidden.values()) else hidden)
    # Numbers as they are given, for a model file holds them rounded
    return replace(found, aev=asked.aev) if "aev" in keys else found


def require_layers_left(description: NetworkDescription, frozen_layers: int) -> None:
    """Refuse to freeze all layers of an element's network.

    Raises:
        StartError: names the element and the number of its layers.
    """
    for symbol in description.symbols:
        n_layers = len(description.hidden_of(symbol)) + 1
        if frozen_layers >= n_layers:
            why = f"{symbol}'s network has {n_layers} layers, of which one at least learns; give {n_layers - 1} at most"
            raise StartError("training.frozen_layers", frozen_layers, why)


def require_learned_weights(training: TrainingSettings) -> None:
    """Refuse to freeze layers of random weights, where there is no start.

    Raises:
        StartError: names the number of layers.
    """
    if training.frozen_layers:
        why = "without training.start these layers would keep random weights; give a start, or leave the key out"
        raise StartError("training.frozen_layers", training.frozen_layers, why)


def _require_elements(symbols: Sequence[str], start: NetworkDescription, name: str) -> None:
    if lacking := [symbol for symbol in symbols if symbol not in start.symbols]:
        why = f"it has networks for {', '.join(start.symbols)}, none for {', '.join(lacking)} of the data"
        cure = "start from a model that knows all their elements, or leave the key out"
        raise StartError("training.start", name, f"{why}; {cure}")


def _require_agreement(
    asked: NetworkDescription, start: NetworkDescription, keys: Collection[str], name: str, cure: str
) -> None:
    for key in ("aev", "hidden", "activation", "bias"):
        if key in keys and not _agree(key, asked, start):
            why = f"training.start, {name}, has {_value(key, start, asked)}; {cure}, or leave training.start out"
            raise StartError(f"network.{key}", _value(key, asked, asked), why)


def _agree(key: str, asked: NetworkDescription, start: NetworkDescription) -> bool:
    if key == "aev":
        return same_aev(asked.aev, start.aev)
    return bool(_value(key, asked, asked) == _value(key, start, asked))


def _value(key: str, of: NetworkDescription, asked: NetworkDescription) -> Any:
    if key == "hidden":
        return {symbol: list(of.hidden_of(symbol)) for symbol in asked.symbols}
    return getattr(of, key)
