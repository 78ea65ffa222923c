"""Pulls of one stage under several force fields, run together and extended later, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import Task
from nnpal.active_learning.rare_events.facts import PullFacts
from nnpal.active_learning.rare_events.pulls import energies_by_run, facts_of_pulls, files_of_pulls
from nnpal.active_learning.sampling import SMD_TASK, SMDRun, SMDSection, plan_smd, read_given_up, read_smd
from nnpal.active_learning.sampling.plan import ForceField

Runs = Mapping[float, range]
"""Rate -> numbers of the runs."""


@dataclass
class SideBySide:
    """Pulls in the folder of a stage, with a subfolder for each force field.

    Arguments:
        ctx: context of the stage.
        section: table [explore].
        base_folder: folder of the configuration file.
        seed: seed that determines those of all pulls; runs of the same rate and number have the same velocities and
            noise.
    """

    ctx: StageContext
    section: SMDSection
    base_folder: Path
    seed: int
    outcomes: list[TaskOutcome] = field(default_factory=list)
    _runs: dict[str, dict[str, SMDRun]] = field(default_factory=dict)
    _given_up: dict[str, list[str]] = field(default_factory=dict)

    def run(self, wanted: Mapping[str, tuple[ForceField, Runs]], also: Sequence[Task] = ()) -> list[TaskOutcome]:
        """Run pulls together, and read them.

        Arguments:
            wanted: name of a folder -> force field, with paths relative to the working directory, and numbers of the
                runs.
            also: other tasks to run at the same time, which the caller reads.

        Returns:
            The outcomes of these other tasks.
        """
        tasks = [
            Task(self.ctx.folder / who / name, SMD_TASK, arguments)
            for who, (forces, runs) in wanted.items()
            for name, arguments in plan_smd(
                self.section, forces, self.ctx.folder / who, self.base_folder, self.seed, runs
            ).items()
        ]
        if not tasks and not also:
            return []
        outcomes = self.ctx.tasks.run([*tasks, *also])
        for one in outcomes[: len(tasks)]:
            self._read(one)
        self.outcomes += outcomes
        return outcomes[len(tasks) :]

    def energies(self, who: str) -> dict[str, tuple[float | None, ...]]:
        """Return rate -> E_a of each pull, eV."""
        return energies_by_run(self._own(who), self._given_up.get(who, ()))

    def facts(self, who: str, ensemble: Path | None = None) -> PullFacts:
        """Return the facts of the pulls in a folder; ``ensemble``: see
        :func:`nnpal.active_learning.rare_events.pulls.facts_of_pulls`.
        """
        return facts_of_pulls(self._own(who), self._given_up.get(who, ()), ensemble)

    def files(self, who: str) -> list[str]:
        """Return the files of these pulls that later stages read."""
        return files_of_pulls(self.ctx.folder, who, self._own(who))

    def _own(self, who: str) -> list[SMDRun]:
        return list(self._runs.get(who, {}).values())

    def _read(self, outcome: TaskOutcome) -> None:
        folder = outcome.folder
        failed = outcome.failure is not None
        run = read_given_up(read_smd, folder) if failed else read_smd(folder)
        if failed:
            self._given_up.setdefault(folder.parent.name, []).append(folder.name)
        if run is not None:
            self._runs.setdefault(folder.parent.name, {})[folder.name] = run
