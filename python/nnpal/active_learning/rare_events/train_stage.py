"""Train on all labels so far."""

from __future__ import annotations

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.facts import RareEventsTrainFacts, UnseenErrors
from nnpal.active_learning.rare_events.initial_stage import UNSEEN
from nnpal.active_learning.shared.learned_data import learned_so_far
from nnpal.active_learning.shared.train_ensemble import BEST, MODEL, Learning, errors_on, train_in_tasks
from nnpal.data import read_frames


def train(ctx: StageContext, how: Learning) -> RareEventsTrainFacts:
    """Train, and evaluate errors on the oracle's pulls, which no model is trained on."""
    path = ctx.path(0, "initial", UNSEEN)
    frames = read_frames(path) if path.is_file() else []
    _, facts = train_in_tasks(ctx, how, learned_so_far(ctx), frames)
    unseen = None
    if frames:
        ensemble, best = (errors_on(ctx.folder / name, frames) for name in (MODEL, BEST))
        unseen = UnseenErrors(ensemble=ensemble, best=best)
    return RareEventsTrainFacts(**dict(facts), unseen=unseen)
