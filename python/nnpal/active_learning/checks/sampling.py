"""Checks of sampling lengths and numbers that follow from the configuration alone."""

from __future__ import annotations

from collections.abc import Iterator

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.active_learning.plan import n_test
from nnpal.active_learning.sampling import IsobaricSection, SMDSection


def first_steps(given: Given) -> Iterator[Fault]:
    """Yield pulls shorter than their first steps: all frames would define the threshold, and none be judged."""
    rare_events, explore = given.config.rare_events, given.config.explore
    if rare_events is None or rare_events.error_above is not None or not isinstance(explore, SMDSection):
        return
    for rate in explore.rates:
        if rare_events.first_steps >= (steps := explore.steps(rate)):
            why = (
                f"the pull at {rate:g} Å/ps has {steps} steps in all (explore.length = {explore.length:g} Å, "
                f"timestep = {explore.timestep:g} ps): all of them would give the threshold, and nothing be new; "
                "expected fewer"
            )
            yield Fault(
                "rare_events.first_steps",
                rare_events.first_steps,
                why,
                "decrease it, or pull more slowly or over a longer distance",
            )


def sets(given: Given) -> Iterator[Fault]:
    """Yield a number of sets that exceeds the number of configurations."""
    section, explore = given.config.distillation, given.config.explore
    if section is None or section.pools != "sequential" or not isinstance(explore, IsobaricSection):
        return
    frames = explore.n_frames
    if section.sets > (left := frames - n_test(section, frames)):
        why = f"{frames} configurations are sampled, {left} without the test set; expected that many sets at most"
        yield Fault("distillation.sets", section.sets, why, "lower it, or raise explore.steps")
