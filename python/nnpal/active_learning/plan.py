"""Plan of a run: the largest numbers of stages, oracle calculations and trainings, and their cost if known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nnpal.active_learning.config import RunConfig
from nnpal.active_learning.engine.manifest import read_manifest
from nnpal.active_learning.engine.stage import Loop
from nnpal.active_learning.sampling import InitialSection, IsobaricSection, SMDSection
from nnpal.active_learning.settings import ONE_PULL, DistillationSection, RareEventsSection
from nnpal.active_learning.shared.label_frames import STORE_OF_RUN
from nnpal.label import LabelStore
from nnpal.training.schedule import length_in_words


@dataclass(frozen=True)
class Count:
    """Number of times, at most ``n``, that something is done; None: unknown before the run begins."""

    what: str
    n: int | None


@dataclass(frozen=True)
class Plan:
    """Work that a run would do.

    Attributes:
        kind: kind of the loop.
        folder: run folder.
        stages: stages of the first and of later iterations, in order.
        iterations: largest number of iterations.
        n_done, finished: number of finished stages, and the reason why the run is over, if it is.
        labels: largest numbers of label calculations, by purpose.
        steps: steps of dynamics under the oracle, one calculation each.
        members, length: number of members of each training, and its length as text.
        n_trainings: number of trainings in each iteration: two with [also_train].
        known: number and mean time, s, of the labels in the run's store; None: no labels.
        notes: remarks to read before the run begins.
    """

    kind: str
    folder: Path
    stages: tuple[tuple[str, ...], tuple[str, ...]]
    iterations: int
    n_done: int
    finished: str | None
    labels: tuple[Count, ...]
    steps: tuple[Count, ...]
    members: int
    length: str
    n_trainings: int
    known: tuple[int, float] | None
    notes: tuple[str, ...] = ()

    def as_text(self) -> str:
        """Return the plan as text."""
        return "\n".join(self._lines())

    @property
    def n_labels(self) -> int | None:
        """Largest number of labels in total; None: unknown before the run begins."""
        counts = [count.n for count in self.labels]
        return None if None in counts else sum(n for n in counts if n is not None)

    def _lines(self) -> Iterator[str]:
        first, later = self.stages
        done = "finished: " + self.finished if self.finished else f"{self.n_done} stages are done"
        yield f"plan: {self.kind}, in {self.folder} ({done if self.n_done else 'new'})"
        more = f"; from the second on: {', '.join(later)}" if self.iterations > 1 and later != first else ""
        yield f"  stages: {', '.join(first)}{more}; {_times(self.iterations, 'iteration')} at most"
        yield f"  labels: {_at_most(self.n_labels)} ({_each(self.labels)})"
        if self.steps:
            yield f"  dynamics under the oracle: {_each(self.steps)}, one calculation each"
        n_trainings = self.iterations * self.n_trainings
        yield f"  trainings: {n_trainings} at most, each of {self.members} members over {self.length} at most"
        yield f"  cost: {self._cost()}"
        for note in self.notes:
            yield f"  note: {note}"

    def _cost(self) -> str:
        if self.known is None:
            return "not known before the run's first labels"
        n, seconds = self.known
        said = f"{seconds:.3g} s per label, the mean of {n} in the store of this run"
        if self.n_labels is not None:
            left = max(0, self.n_labels - n)
            said += f"; at most {_duration(left * seconds)} for the remaining labels, one after another"
        return f"{said}; dynamics and trainings not included"


def plan_of(config: RunConfig, base_folder: Path, loop: Loop, n_source: int | None = None) -> Plan:
    """Return the plan of a run of ``config``.

    Arguments:
        config: configuration of the run.
        base_folder: folder of the configuration file.
        loop: loop of the configuration.
        n_source: number of configurations in the dataset to translate; None: unknown.

    Raises:
        nnpal.active_learning.engine.error.LoopError, nnpal.label.StoreError: the run folder contains something else.
    """
    folder = base_folder / config.run.folder
    manifest = read_manifest(folder)
    labels, steps = _counts(config, n_source)
    n_iterations = 1 if config.translation is not None else config.run.iterations
    if config.distillation is not None:
        from nnpal.active_learning.distillation.pools import n_pools

        n_iterations = min(n_iterations, n_pools(config.distillation))
    return Plan(
        kind=config.kind,
        folder=config.run.folder,
        stages=(_names(loop, 0), _names(loop, 1)),
        iterations=n_iterations,
        n_done=len(manifest.entries),
        finished=manifest.finished,
        labels=tuple(labels),
        steps=tuple(steps),
        members=config.ensemble.members,
        length=length_in_words(config.training),
        n_trainings=1 if config.also_train is None else 2,
        known=_known(folder / STORE_OF_RUN),
        notes=tuple(_notes(config)),
    )


def n_test(section: DistillationSection, n_frames: int) -> int:
    """Return the number of sampled configurations in the test set."""
    return min(section.test, n_frames // 2)


def first_data(config: RunConfig) -> int:
    """Return the largest number of configurations in the first training of a loop that samples."""
    labels, _ = _counts(config, None)
    name = "first data" if config.rare_events is not None else "first pool"
    return next(count.n or 0 for count in labels if count.what == name)


def _counts(config: RunConfig, n_source: int | None) -> tuple[list[Count], list[Count]]:
    explore, budget, n = config.explore, config.run.labels_per_iteration, config.run.iterations
    if config.rare_events is not None and config.initial is not None and isinstance(explore, SMDSection):
        copies = 1 + (0 if config.augmentation is None else config.augmentation.copies)
        return _rare_events(config.rare_events, config.initial, explore, copies, budget, n)
    if config.distillation is not None and isinstance(explore, IsobaricSection):
        return _distillation(config.distillation, explore, budget, n)
    return [Count("source", n_source)], []


def _rare_events(
    section: RareEventsSection, initial: InitialSection, explore: SMDSection, copies: int, budget: int | None, n: int
) -> tuple[list[Count], list[Count]]:
    runs = initial.runs * len(initial.temperatures)
    frames = runs * (initial.steps // initial.every + 1)
    most, n_peak = section.shares(budget, copies - 1)
    most = copies * most + (1 + section.peak_copies) * n_peak
    labels = [Count("first data", copies * frames), Count(f"chosen in {_times(n, 'iteration')}", n * most)]
    steps = [Count(f"steps for the first data ({_times(runs, 'run')})", runs * (initial.equilibration + initial.steps))]
    if section.reference:
        each = [explore.steps(rate) for rate in explore.rates]
        pulled = explore.runs * sum(steps // explore.every + 1 for steps in each)
        labels.insert(1, Count("unseen", min(section.unseen, pulled)))
        n_pulls = explore.runs * len(each) + explore.noiseless
        total = explore.runs * sum(each) + explore.noiseless * explore.steps(explore.fastest)
        total += n_pulls * explore.equilibration
        steps.append(Count(f"steps for the reference ({_times(n_pulls, 'pull')})", total))
        if explore.most_runs is not None and explore.adds_runs:
            n_more = (explore.most_runs - explore.runs) * len(each)
            total = (explore.most_runs - explore.runs) * (sum(each) + len(each) * explore.equilibration)
            steps.append(Count(f"steps for pulls added to it ({n_more} at most)", total))
    return labels, steps


def _notes(config: RunConfig) -> Iterator[str]:
    section, explore = config.rare_events, config.explore
    if section is None or not isinstance(explore, SMDSection):
        return
    if section.reference and explore.runs == 1 and not explore.adds_runs:
        yield ONE_PULL
    copies = 0 if config.augmentation is None else config.augmentation.copies
    _, n_peak = section.shares(config.run.labels_per_iteration, copies)
    if section.peak_share > 0 and not n_peak:
        yield (
            f"rare_events.peak_share = {section.peak_share:g}: this share of an iteration's labels is less than one "
            f"frame around the largest force and {section.peak_copies} displaced, so that none is labeled; raise it or "
            "run.labels_per_iteration, or lower rare_events.peak_copies; peak_share = 0 if that is meant"
        )


def _distillation(
    section: DistillationSection, explore: IsobaricSection, budget: int | None, n: int
) -> tuple[list[Count], list[Count]]:
    from nnpal.active_learning.distillation.pools import n_pools

    frames = explore.n_frames
    n_first = frames - n_test(section, frames)
    if section.pools == "sequential":
        n_first = min(n_first, -(-frames // section.sets))
    if budget is not None:
        n_first = min(n_first, budget)
    later = min(n, n_pools(section)) - 1
    most = section.max_chosen if budget is None else min(section.max_chosen, budget)
    return [
        Count("test set", n_test(section, frames)),
        Count("first pool", n_first),
        Count(f"chosen in {_times(later, 'further iteration')}", later * most),
    ], [Count(f"steps of {explore.kind.upper()} ({_times(explore.n_walks, 'walk')})", explore.n_steps)]


def _known(path: Path) -> tuple[int, float] | None:
    if not path.is_file():
        return None
    with LabelStore(path) as store:
        return store.timing()


def _names(loop: Loop, iteration: int) -> tuple[str, ...]:
    return tuple(stage.name for stage in loop.stages(iteration))


def _each(counts: tuple[Count, ...]) -> str:
    return ", ".join(f"{'?' if count.n is None else f'{count.n:,}'} {count.what}" for count in counts)


def _at_most(n: int | None) -> str:
    return "not known" if n is None else f"{n:,} at most"


def _times(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _duration(seconds: float) -> str:
    for limit, unit, size in ((120.0, "s", 1.0), (7200.0, "min", 60.0), (172800.0, "h", 3600.0)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86400.0:.3g} days"
