"""The stopping criterion of the loop."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from nnpal.active_learning.rare_events.facts import ErrorBar, Iteration
from nnpal.active_learning.rare_events.oracle_pulls import oracle_energies_by_run
from nnpal.active_learning.rare_events.pulls import KCAL_MOL
from nnpal.active_learning.rare_events.sizing import difference_of_runs
from nnpal.active_learning.settings import ONE_PULL
from nnpal.observables import Difference
from nnpal.observables.differences import LEVEL

Energies = Mapping[str, float | None]


def reason_to_stop(history: Sequence[Iteration], goal: float, patience: int, steady: float) -> str | None:
    """Return why the loop should stop after the last iteration, or None.

    The aim is that the 95 % interval of E_a - E_a(oracle), a mean over pairs of pulls, is within ±``goal`` (kcal/mol)
    at every rate in ``patience`` consecutive iterations; a single pair has no interval. Without the oracle's pulls the
    mean E_a must change by less than ``steady`` in as many. The loop also stops if nothing new is found, because it
    would only repeat itself.
    """
    last = history[-1]
    oracle = oracle_energies(history)
    if oracle is not None:
        bounds = [largest_bound(differences(history, done)) for done in history[-patience:]]
        if len(bounds) == patience and all(bound is not None and bound <= goal for bound in bounds):
            said = ", ".join(f"{bound:.2f}" for bound in bounds if bound is not None)
            return (
                f"aim reached: at all rates the {100 * LEVEL:.0f} % interval of E_a - E_a(oracle) lies within "
                f"±{goal:g} kcal/mol (±{said})"
            )
    elif len(history) > patience:
        moves = [_largest_move(one, other) for one, other in itertools.pairwise(history[-patience - 1 :])]
        if all(move is not None and move < steady for move in moves):
            return f"steady: E_a changed by less than {steady:g} kcal/mol in {patience} iterations"
    if not last.select.chosen and not last.select.n_peak and _all_whole(last):
        return "nothing new: no frame above the threshold differs from the data"
    return None


def has_reached_aim(reason: str | None) -> bool:
    return reason is not None and reason.startswith(("aim reached", "steady"))


def without_interval(history: Sequence[Iteration]) -> str | None:
    """Return a note that one pull per rate cannot reach the aim, and how to fix it; None if there are more."""
    found = differences(history, history[-1]).values()
    return ONE_PULL if found and all(one is not None and one.n == 1 for one in found) else None


def oracle_energies(history: Sequence[Iteration]) -> Energies | None:
    """Return rate -> mean E_a over all pulls under the oracle, eV, or None without a reference."""
    first = history[0].initial
    if first is None or first.oracle is None:
        return None
    by_run = oracle_runs(history)
    whole = {rate: [v for v in by_run.get(rate, ()) if v is not None] for rate in first.oracle.activation_energy}
    return {
        rate: sum(whole[rate]) / len(whole[rate]) if whole[rate] else value
        for rate, value in first.oracle.activation_energy.items()
    }


def oracle_runs(history: Sequence[Iteration]) -> dict[str, tuple[float | None, ...]]:
    """Return rate -> E_a of each pull under the oracle, eV; empty without a reference."""
    first = history[0].initial
    return oracle_energies_by_run(None if first is None else first.oracle, (done.explore.oracle for done in history))


def differences(history: Sequence[Iteration], done: Iteration, who: str = "ensemble") -> dict[str, Difference | None]:
    """Return rate -> mean of E_a - E_a(oracle) over pairs of pulls with equal seeds, kcal/mol, for the oracle's rates.

    None: a pull ended early. Runs of earlier versions do not store energies of single pulls; for them it is a
    difference of means with 0 pairs and no interval.
    """
    ours, theirs = done.explore.pulls(who), oracle_runs(history)
    means = oracle_energies(history) or {}
    found: dict[str, Difference | None] = {}
    for rate, oracle in means.items():
        own = ours.activation_energy.get(rate)
        if ours.by_run is not None and theirs:
            found[rate] = difference_of_runs(ours.by_run.get(rate, ()), theirs.get(rate, ()), KCAL_MOL)
        else:
            found[rate] = None if own is None or oracle is None else Difference(KCAL_MOL * (own - oracle), 0)
    return found


def paired_energies(
    history: Sequence[Iteration], done: Iteration, rate: str, who: str = "ensemble"
) -> tuple[float | None, float | None]:
    """Return the mean E_a at a rate over the pairs of :func:`differences`, and the oracle's over the same pairs, eV.

    The oracle has more pulls than these if pairs were added in another iteration. Without pairs, each is the mean over
    its own pulls; None if one ended early.
    """
    own = done.explore.pulls(who)
    by_run = (own.by_run or {}).get(rate, ())
    pairs = [(a, b) for a, b in zip(by_run, oracle_runs(history).get(rate, ()), strict=False) if b is not None]
    whole = [(a, b) for a, b in pairs if a is not None]
    if whole and None not in by_run:
        ours, theirs = zip(*whole, strict=True)
        return sum(ours) / len(whole), sum(theirs) / len(whole)
    return own.activation_energy.get(rate), (oracle_energies(history) or {}).get(rate)


def largest_bound(found: Mapping[str, Difference | None]) -> float | None:
    """Return the largest |mean| + half-width over the rates, kcal/mol; None if a rate has no interval."""
    bounds = [None if one is None else one.bound() for one in found.values()]
    known = [bound for bound in bounds if bound is not None]
    return max(known) if known and len(known) == len(bounds) else None


def energies_of(done: Iteration, who: str = "ensemble") -> Energies:
    """Return rate -> E_a in an iteration, eV."""
    return done.explore.pulls(who).activation_energy


def error_bar_of(done: Iteration, rate: str, who: str = "ensemble") -> ErrorBar:
    """Return the error bars of E_a at a rate, empty if unknown."""
    return (done.explore.pulls(who).error_bars or {}).get(rate, ErrorBar())


def largest_error(found: Mapping[str, Difference | None]) -> float | None:
    """Return the largest |mean difference| over the rates, kcal/mol; None if a pull ended early."""
    means = [None if one is None else abs(one.mean) for one in found.values()]
    known = [mean for mean in means if mean is not None]
    return max(known) if known and len(known) == len(means) else None


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
