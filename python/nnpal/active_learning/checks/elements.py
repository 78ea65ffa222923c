"""Checks that structures, network and oracle have the same elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ase.data import atomic_numbers

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.oracle.settings import LammpsSection


def elements(given: Given) -> Iterator[Fault]:
    """Yield elements of structures, data and crystals that the network or the oracle lacks."""
    config = given.config
    found = {key: frozenset(atoms.symbols) for key, atoms in given.structures.items()}
    found |= _translated(given)
    yield from _network(given, found)
    known: set[str] = set().union(*found.values())
    for crystal in () if config.crystals is None or not found else config.crystals.structures:
        if crystal.element not in known:
            yield Fault(
                "crystals.structures",
                crystal.element,
                f"no such atoms in the data, which contain {_said(known)}: a model trained on them cannot relax it",
                "give crystals of the data's elements",
            )
    if isinstance(config.oracle, LammpsSection):
        for key, symbols in found.items():
            if lacking := symbols - set(config.oracle.elements):
                why = f"has no {_said(lacking)}, which {key} holds; expected all its elements"
                yield Fault("oracle.elements", list(config.oracle.elements), why, "add it, and its pair_coeff")


def translation(given: Given) -> Iterator[Fault]:
    """Yield elements that the symbols of a translation lack, and symbols that are not elements."""
    section = given.config.translation
    if section is None:
        return
    if unknown := [symbol for symbol in section.symbols.values() if atomic_numbers.get(symbol, 0) == 0]:
        why = f"{_said(unknown)} is not a chemical element, expected symbols such as Al"
        yield Fault("translation.symbols", section.symbols, why, "correct it")
    if given.source is not None and (lacking := given.source[0] - set(section.symbols)):
        why = f"the source holds {_said(lacking)} too, expected a replacement for each of its elements"
        yield Fault("translation.symbols", section.symbols, why, "add it, mapped to itself to keep it")


def _translated(given: Given) -> Mapping[str, frozenset[str]]:
    section = given.config.translation
    if section is None or given.source is None:
        return {}
    return {"translation.source": frozenset(section.symbols.get(symbol, symbol) for symbol in given.source[0])}


def _network(given: Given, found: Mapping[str, frozenset[str]]) -> Iterator[Fault]:
    """Yield elements that [network], its layers or the first training data lack."""
    network = given.config.network
    if network.elements is not None:
        for key, symbols in found.items():
            if lacking := symbols - set(network.elements):
                why = f"has no {_said(lacking)}, which {key} holds; expected all its elements"
                yield Fault("network.elements", list(network.elements), why, "add it, or remove the key")
        first = found.get("initial.structure") or frozenset().union(*found.values())
        if first and (absent := set(network.elements) - first):
            why = f"the first training data contain no {_said(absent)}; expected only elements in these data"
            yield Fault("network.elements", list(network.elements), why, "remove it")
    elif {"initial.structure", "explore.structure"} <= set(found) and (
        unlearned := found["explore.structure"] - found["initial.structure"]
    ):
        why = f"holds {_said(unlearned)}, which is not in initial.structure, the first training data"
        name = getattr(given.config.explore, "structure", None)
        yield Fault("explore.structure", name, why, "give structures of the same elements")
    needed: set[str] = set(network.elements or ()).union(*found.values())
    for table, own in (("network", network), ("also_train", given.config.also_train)):
        if own is not None and isinstance(own.hidden, dict) and (bare := needed - set(own.hidden)):
            why = f"no layers for {_said(bare)}, expected a list for each element"
            yield Fault(f"{table}.hidden", {k: list(v) for k, v in own.hidden.items()}, why, "add it")


def _said(symbols: object) -> str:
    return ", ".join(sorted(symbols, key=lambda s: (atomic_numbers.get(s, 0), s)))  # type: ignore[call-overload]
