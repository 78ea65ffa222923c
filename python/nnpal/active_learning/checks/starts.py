"""Checks that initial networks exist and fit network and data, and that the settings of a training have an effect."""

from __future__ import annotations

from collections.abc import Iterator

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.training.kinds import without_effect
from nnpal.training.settings import PREVIOUS, RANDOM
from nnpal.training.start_network import StartError, require_layers_left, require_learned_weights, started_network
from nnpal.training.start_sources import find_source


def starts(given: Given) -> Iterator[Fault]:
    """Yield a start that does not exist, lacks elements or contradicts [network], and layers that cannot be frozen."""
    training, network = given.config.training, given.config.network
    present = sorted(_present(given))
    kind: str = network.kind
    try:
        if training.start in (None, RANDOM):
            require_learned_weights(training)
        elif training.start == PREVIOUS:
            if present:
                require_layers_left(network.description(present), training.frozen_layers)
        elif source := find_source(training.located(given.base_folder), None):
            own = source.members.description
            kind = own.kind
            require_layers_left(
                started_network(network, own, present or own.symbols, training.start), training.frozen_layers
            )
    except StartError as error:
        yield Fault(error.key, error.value, error.why)
    except ValueError:
        pass  # a fault of [network] itself, reported by another check
    for key, why in without_effect(training, kind).items():
        yield Fault(
            f"training.{key}", getattr(training, key), f"no effect with network.kind = {kind!r}: {why}", "remove it"
        )


def _present(given: Given) -> set[str]:
    """Return the elements of the data, as far as they are known."""
    found = {symbol for atoms in given.structures.values() for symbol in atoms.symbols}
    if given.config.translation is not None:
        source = () if given.source is None else given.source[0]
        found |= {given.config.translation.symbols.get(symbol, symbol) for symbol in source}
    return found
