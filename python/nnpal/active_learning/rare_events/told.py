"""Data of a report of the loop of rare events, and the pulls that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.facts import Iteration
from nnpal.active_learning.rare_events.judge import differences
from nnpal.active_learning.rare_events.oracle_pulls import folders_of_pulls, oracle_places
from nnpal.active_learning.sampling import SMDSection
from nnpal.active_learning.settings import LoopEnsembleSection, RareEventsSection
from nnpal.active_learning.shared.facts import SECOND
from nnpal.active_learning.shared.second_report import second_name
from nnpal.observables import Difference

Differences = dict[str, Difference | None]


@dataclass(frozen=True)
class Told:
    """Data of a report.

    Arguments:
        ctx: context of the stage.
        history: all iterations so far.
        run, section, pulls, ensemble: the tables [run], [rare_events], [explore] and [ensemble].
    """

    ctx: StageContext
    history: list[Iteration]
    run: RunSection
    section: RareEventsSection
    pulls: SMDSection
    ensemble: LoopEnsembleSection

    @property
    def last(self) -> Iteration:
        return self.history[-1]

    @property
    def rate(self) -> str:
        """Rate that the headlines refer to, Å/ps."""
        return f"{self.pulls.rates[0]:g}"

    @property
    def rates(self) -> list[str]:
        return [f"{rate:g}" for rate in self.pulls.rates]

    @cached_property
    def shown(self) -> dict[str, str]:
        """Model -> its name in the report, for models with pulls in all iterations."""
        found = {"ensemble": "ensemble", "best": "best model"}
        second = self.last.train.second
        if second is not None and all(done.explore.second is not None for done in self.history):
            found[SECOND] = f"{second_name(self.last.train.kind, second.kind)} ensemble"
        return found

    def differences(self, done: Iteration, who: str = "ensemble") -> Differences:
        """Return rate -> E_a - E_a(oracle), kcal/mol; empty without a reference."""
        return differences(self.history, done, who)

    def folders(self, who: str, rate: str, iteration: int | None = None) -> list[Path]:
        """Return the folders of the pulls at a rate in an iteration, by default the last, sorted by number."""
        place = self.ctx.path(self.ctx.iteration if iteration is None else iteration, "explore", who)
        return folders_of_pulls([place], rate)

    def oracle_folders(self, rate: str) -> list[Path]:
        """Return the folders of all pulls under the oracle at a rate."""
        return folders_of_pulls(oracle_places(self.ctx), rate)
