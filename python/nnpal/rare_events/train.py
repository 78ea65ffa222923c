"""Train on all that is labelled so far."""

from __future__ import annotations

from typing import Any

from nnpal.data import read_frames
from nnpal.driver.data import learnt_so_far
from nnpal.driver.training import BEST, MODEL, errors_on, train_in_tasks
from nnpal.loop.stage import StageContext
from nnpal.rare_events.initial import UNSEEN


def train(ctx: StageContext) -> dict[str, Any]:
    """Train, and take errors on the oracle's pulls, which no model learns."""
    _, facts = train_in_tasks(ctx, learnt_so_far(ctx))
    unseen = ctx.path(0, "initial", UNSEEN)
    if unseen.is_file():
        frames = read_frames(unseen)
        facts["unseen"] = {name: errors_on(ctx.folder / name, frames) for name in (MODEL, BEST)}
    return facts
