"""Has the loop reached its aim?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from nnpal.active_learning.rare_events.facts import ErrorBar, Iteration
from nnpal.active_learning.rare_events.pulls import KCAL_MOL

Energies = Mapping[str, float | None]


def reason_to_stop(history: Sequence[Iteration], goal: float, patience: int, steady: float) -> str | None:
    """Return why the last iteration is to be the last, or None.

    The aim is |E_a - E_a(oracle)| < goal (kcal/mol) at every rate, ``patience`` times running; without the oracle's
    pulls it is that E_a moves by less than ``steady`` as often. Finding nothing new ends the loop too: it would go on
    as it is.
    """
    last = history[-1]
    oracle = oracle_energies(history)
    if oracle is not None:
        errors = [largest_error(done, oracle) for done in history[-patience:]]
        if len(errors) == patience and all(error is not None and error < goal for error in errors):
            said = ", ".join(f"{error:.2f}" for error in errors if error is not None)
            return f"aim reached: |E_a - E_a(oracle)| at all rates below {goal:g} kcal/mol ({said})"
    elif len(history) > patience:
        moves = [_largest_move(one, other) for one, other in itertools.pairwise(history[-patience - 1 :])]
        if all(move is not None and move < steady for move in moves):
            return f"steady: E_a moved by less than {steady:g} kcal/mol in {patience} iterations"
    if not last.select.chosen and not last.select.n_peak and _all_whole(last):
        return "nothing new: no frame above the threshold is unlike the data"
    return None


def has_reached_aim(reason: str | None) -> bool:
    return reason is not None and reason.startswith(("aim reached", "steady"))


def oracle_energies(history: Sequence[Iteration]) -> Energies | None:
    """Return E_a by rate under the oracle, eV, or None without a reference."""
    first = history[0].initial
    return None if first is None or first.oracle is None else first.oracle.activation_energy


def energies_of(done: Iteration, who: str = "ensemble") -> Energies:
    """Return E_a by rate of an iteration, eV."""
    return done.explore.pulls(who).activation_energy


def error_bar_of(done: Iteration, rate: str, who: str = "ensemble") -> ErrorBar:
    """Return the error bars of E_a at a rate; empty ones where none are known."""
    return (done.explore.pulls(who).error_bars or {}).get(rate, ErrorBar())


def largest_error(done: Iteration, oracle: Energies, who: str = "ensemble") -> float | None:
    """Return the largest |E_a - E_a(oracle)| over the rates, kcal/mol; None where a pull broke off."""
    return _largest_difference(energies_of(done, who), oracle)


def _largest_move(one: Iteration, other: Iteration) -> float | None:
    return _largest_difference(energies_of(one), energies_of(other))


def _largest_difference(one: Energies, other: Energies) -> float | None:
    pairs = [(one.get(rate), value) for rate, value in other.items()]
    if any(a is None or b is None for a, b in pairs):
        return None
    return max((KCAL_MOL * abs(a - b) for a, b in pairs if a is not None and b is not None), default=None)


def _all_whole(done: Iteration) -> bool:
    explore = done.explore
    return not explore.failed_tasks and all(how == "complete" for how in explore.ensemble.ended.values())
