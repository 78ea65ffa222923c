"""All pulls under the oracle: those of the first stage, and those that explorations have added."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.facts import ExploreFacts, InitialFacts, PullFacts
from nnpal.active_learning.sampling import holds_run, rate_and_run

PULLS, ADDED = "oracle-pulls", "oracle"
"""Folders of the pulls in the first stage and in an exploration."""
Energies = dict[str, tuple[float | None, ...]]


def oracle_energies_by_run(first: PullFacts | None, added: Iterable[PullFacts | None]) -> Energies:
    """Return rate -> E_a of each pull under the oracle, eV, in the order of the pulls' numbers.

    Arguments:
        first: pulls of the first stage; None: there are none under the oracle.
        added: pulls of explorations, in order; their numbers continue after those of earlier ones.
    """
    found: Energies = {}
    for facts in (first, *added):
        if facts is not None and facts.by_run is not None:
            for rate, values in facts.by_run.items():
                found[rate] = (*found.get(rate, ()), *values)
    return found


def energies_before(ctx: StageContext) -> Energies:
    """Return these energies for the first stage and all iterations before that of the stage."""
    added = (ctx.found(k, ExploreFacts).oracle for k in range(ctx.iteration))
    return oracle_energies_by_run(ctx.found(0, InitialFacts).oracle, added)


def oracle_places(ctx: StageContext) -> list[Path]:
    """Return the folders that may contain pulls under the oracle."""
    return [ctx.path(0, "initial", PULLS), *(ctx.path(k, "explore", ADDED) for k in range(ctx.iteration + 1))]


def folders_of_pulls(places: Iterable[Path], rate: str) -> list[Path]:
    """Return the folders of the pulls at a rate, by number; pulls that never began have none.

    Arguments:
        places: folders that contain pulls.
        rate: pulling rate, as text.
    """
    found: dict[int, Path] = {}
    for place in places:
        for path in place.glob("rate-*-run-*"):
            own, run = rate_and_run(path.name)
            if own == rate and holds_run(path):
                found.setdefault(run, path)
    return [found[run] for run in sorted(found)]
