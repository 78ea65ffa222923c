"""Pull under the ensemble, whose spread shows what is new, under its best member alone, and under [also_train]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import Task
from nnpal.active_learning.rare_events.facts import ExploreFacts, InitialFacts, RareEventsTrainFacts
from nnpal.active_learning.rare_events.noiseless import NOISELESS, is_biased, noiseless_facts, noiseless_tasks
from nnpal.active_learning.rare_events.oracle_pulls import ADDED, energies_before
from nnpal.active_learning.rare_events.pulls import KCAL_MOL
from nnpal.active_learning.rare_events.side_by_side import SideBySide
from nnpal.active_learning.rare_events.sizing import ROUNDS, difference_of_runs, is_missed, runs_wanted
from nnpal.active_learning.sampling import SMDSection
from nnpal.active_learning.sampling.force_field import NNPForces, OracleForces
from nnpal.active_learning.shared.error_limits import require_calibrated
from nnpal.active_learning.shared.facts import SECOND
from nnpal.active_learning.shared.task_facts import failed_tasks, last_lines
from nnpal.active_learning.shared.train_ensemble import BEST, MODEL

ENSEMBLE, SINGLE = "ensemble", "best"
WHO = {ENSEMBLE: MODEL, SINGLE: BEST}
OF_SECOND = {SECOND: f"{SECOND}/{MODEL}"}
"""Folder and model file of the ensemble of [also_train]."""


@dataclass(frozen=True)
class Sizing:
    """Settings for adding pairs of pulls.

    Arguments:
        oracle: oracle under which pulls are added too.
        goal: the interval of E_a - E_a(oracle) should be within ±goal, kcal/mol.
        most: largest number of pulls at a rate.
    """

    oracle: OracleForces
    goal: float
    most: int


def explore(ctx: StageContext, section: SMDSection, base_folder: Path, sizing: Sizing | None = None) -> ExploreFacts:
    """Run all pulls in parallel; those that explode or are given up are counted, and their good part is kept.

    The seeds are those of the oracle's pulls, for the same initial velocities and noise. With ``sizing``, pairs of
    pulls under the ensemble and the oracle are added if they can decide whether the goal is met.
    """
    require_calibrated(ctx.path(ctx.iteration, "train", MODEL), {"explore.max_error": section.max_error})
    second = ctx.found(ctx.iteration, RareEventsTrainFacts).second
    models = WHO if second is None else WHO | OF_SECOND
    forces = {who: _forces(ctx, section, who, model) for who, model in models.items()}
    first = {rate: range(section.runs) for rate in section.rates}
    pulls = SideBySide(ctx, section, base_folder, pull_seed(ctx))
    quiet: list[Task] = []
    if ctx.found(0, InitialFacts).noiseless is not None:
        quiet = noiseless_tasks(section, forces[ENSEMBLE], ctx.folder / NOISELESS, base_folder, pulls.seed)
    n_pulls = len(models) * len(section.rates) * section.runs + len(quiet)
    ctx.log(f"iteration {ctx.iteration}: {n_pulls} pulls")
    of_quiet = pulls.run({who: (own, first) for who, own in forces.items()}, also=quiet)
    quiet_facts = noiseless_facts(section, of_quiet)
    added = False
    if sizing is not None and is_biased(quiet_facts, ctx.found(0, InitialFacts).noiseless, sizing.goal):
        ctx.log(
            f"iteration {ctx.iteration}: no pairs of pulls are added, because the pulls without noise miss the goal"
        )
    elif sizing is not None:
        added = _add_pairs(pulls, sizing, forces[ENSEMBLE])
    found = {
        who: pulls.facts(who, None if who == SINGLE else ctx.path(ctx.iteration, "train", model))
        for who, model in models.items()
    }
    return ExploreFacts(
        failed_tasks=failed_tasks(ctx, pulls.outcomes),
        last_lines=last_lines(ctx, pulls.outcomes),
        ensemble=found[ENSEMBLE],
        best=found[SINGLE],
        second=found.get(SECOND),
        noiseless=quiet_facts,
        oracle=pulls.facts(ADDED) if added else None,
        files=tuple(file for who in (*models, ADDED) for file in pulls.files(who)),
    )


def pull_seed(ctx: StageContext) -> int:
    """Return the seed of the pulls, which is the same in all iterations."""
    return ctx.found(0, InitialFacts).pull_seed


def _forces(ctx: StageContext, section: SMDSection, who: str, model: str) -> NNPForces:
    return NNPForces(
        kind="nnp",
        model=str(ctx.path(ctx.iteration, "train", model)),
        device=section.device,
        threads=section.threads,
        uq=who == ENSEMBLE,
    )


def _add_pairs(pulls: SideBySide, sizing: Sizing, ensemble: NNPForces) -> bool:
    """Add pulls in a few rounds, including missing ones under the oracle; return whether there are any of the latter.

    None are added if the goal is missed at any rate, because it must be met at all rates.
    """
    known = energies_before(pulls.ctx)
    for _ in range(ROUNDS):
        ours = pulls.energies(ENSEMBLE)
        added = pulls.energies(ADDED)
        theirs = {rate: (*values, *added.get(rate, ())) for rate, values in known.items()}
        found = {rate: difference_of_runs(own, theirs.get(rate, ()), KCAL_MOL) for rate, own in ours.items()}
        missed = [rate for rate, one in found.items() if is_missed(one, sizing.goal)]
        if missed:
            pulls.ctx.log(
                f"iteration {pulls.ctx.iteration}: no pairs of pulls are added, because the goal is missed at "
                f"{', '.join(missed)} Å/ps"
            )
            break
        more: dict[float, range] = {}
        missing: dict[float, range] = {}
        for rate in pulls.section.rates:
            n_ours, n_theirs = len(ours[f"{rate:g}"]), len(theirs.get(f"{rate:g}", ()))
            wanted = runs_wanted(found[f"{rate:g}"], n_ours, sizing.goal, sizing.most, n_theirs)
            more[rate] = range(n_ours, wanted)
            missing[rate] = range(n_theirs, max(wanted, n_theirs))
        if not any(more.values()):
            break
        n = {who: sum(len(runs) for runs in own.values()) for who, own in ((ENSEMBLE, more), (ADDED, missing))}
        rates = ", ".join(f"{rate:g} Å/ps: {runs.stop}" for rate, runs in more.items() if runs)
        pulls.ctx.log(
            f"iteration {pulls.ctx.iteration}: {n[ENSEMBLE]} more pulls under the ensemble, {n[ADDED]} under the "
            f"oracle, for the interval of E_a ({rates} pairs)"
        )
        pulls.run({ENSEMBLE: (ensemble, more), ADDED: (sizing.oracle, missing)})
    return bool(pulls.energies(ADDED))
