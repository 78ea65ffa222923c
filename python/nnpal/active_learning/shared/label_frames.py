"""Label configurations in a stage: tasks compute labels, which go into the run's store."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import RESULT, Task
from nnpal.active_learning.settings import LoopLabelSection
from nnpal.active_learning.shared.bare_frames import write_bare
from nnpal.active_learning.shared.tasks import FRAMES, LABEL_TASK, STORE, batch_hash
from nnpal.data import Finding, Limits, check_frames
from nnpal.label import LabelReport, LabelStore
from nnpal.label.labeling import recall_labels
from nnpal.label.structure_key import structure_key
from nnpal.oracle.protocol import Oracle
from nnpal.oracle.settings import OracleSection, oracle_from

STORE_OF_RUN = "labels.sqlite"
OUTSIDE = "outside label.limits"


@dataclass(frozen=True)
class Labeled:
    """The outcome of labeling a stage's configurations.

    Attributes:
        frames: labeled configurations, in order.
        indices: index of each of them in the input.
        failed: index -> reason why a configuration has no label.
        outside: index -> value of its label that is outside the limits, and the limit.
    """

    frames: list[Atoms]
    indices: list[int]
    failed: dict[int, str]
    outside: dict[int, list[Finding]]

    @property
    def reasons(self) -> dict[int, str]:
        """Index -> reason, for each excluded configuration, in order."""
        found = self.failed | {index: _outside(findings) for index, findings in self.outside.items()}
        return dict(sorted(found.items()))

    @property
    def n_labeled(self) -> int:
        return len(self.frames)

    @property
    def n_failed(self) -> int:
        return len(self.failed) + len(self.outside)

    @property
    def counted(self) -> dict[str, int]:
        """The five most frequent reasons -> number of occurrences; for each limit the first value represents all."""
        counted = Counter(self.failed.values())
        kinds: dict[tuple[str, ...], list[str]] = {}
        for findings in self.outside.values():
            kinds.setdefault(tuple(finding.kind for finding in findings), []).append(_outside(findings))
        counted.update(
            {f"{texts[0]}{' (the first of them)' if len(texts) > 1 else ''}": len(texts) for texts in kinds.values()}
        )
        return dict(counted.most_common(5))


@dataclass(frozen=True)
class Labeling:
    """Settings for labeling: the oracle, [label], and the folder of the configuration file."""

    oracle: OracleSection
    section: LoopLabelSection
    base_folder: Path


def label_in_tasks(
    ctx: StageContext, how: Labeling, frames: Sequence[Atoms], name: str = "batches", *, may_be_none: bool = False
) -> Labeled:
    """Label configurations, without repeating those in the run's store.

    Arguments:
        ctx: context of the stage; ``name`` is the folder of its batches.
        how: settings for labeling.
        may_be_none: whether to continue if all labels are outside the limits, because there are earlier training data.
            It is an error in any case if no configuration has a label, as the oracle may be faulty.

    Raises:
        StageError: more configurations than [label] allows have no label or one outside the limits, or none is left.
    """
    settings = how.section
    oracle = oracle_from(how.oracle, how.base_folder)
    with LabelStore(ctx.run_folder / STORE_OF_RUN) as store:
        _merge(store, ctx.folder / name)  # stores of an attempt that was killed
        missing = _unknown(frames, oracle, store)
        size = settings.batch
        tasks = [
            _task(how, ctx.folder / name / f"batch-{k:04d}", missing[start : start + size])
            for k, start in enumerate(range(0, len(missing), size))
        ]
        outcomes = ctx.tasks.run(tasks)
        _merge(store, ctx.folder / name)
        report = recall_labels(frames, oracle, store)
        labeled = _sorted_out(frames, report, settings.limits.limits())
        allowed, reasons = settings.max_failed, labeled.reasons
        n_known = len(labeled.outside) if may_be_none else 0
        if frames and (len(labeled.frames) + n_known == 0 or (allowed is not None and len(reasons) > allowed)):
            _forget(store, ctx.folder / name, [frames[index] for index in reasons])
            given_up = [outcome.failure.text for outcome in outcomes if outcome.failure is not None]
            first = given_up[0] if given_up else next(iter(reasons.values()))
            most = "" if allowed is None else f", label.max_failed = {allowed}"
            what = "no label within label.limits" if labeled.outside else "no label"
            raise StageError(f"{len(reasons)} of {len(frames)} configurations have {what}{most}; the first: {first}")
    return labeled


def _sorted_out(frames: Sequence[Atoms], report: LabelReport, limits: Limits) -> Labeled:
    """Exclude configurations without a label, or with one outside the limits."""
    failed = {failure.index: failure.reason for failure in report.failed}
    indices = [index for index in range(len(frames)) if index not in failed]
    outside: dict[int, list[Finding]] = {}
    for finding in check_frames(report.labeled, limits=limits):
        if finding.severity == "error":
            outside.setdefault(indices[finding.index], []).append(finding)
    kept = [(index, frame) for index, frame in zip(indices, report.labeled, strict=True) if index not in outside]
    return Labeled([frame for _, frame in kept], [index for index, _ in kept], failed, outside)


def _outside(findings: Sequence[Finding]) -> str:
    return f"{OUTSIDE}: {'; '.join(finding.text for finding in findings)}"


def _forget(store: LabelStore, folder: Path, frames: Sequence[Atoms]) -> None:
    """Forget failures, so that they are computed again when the run resumes: the oracle may have been faulty."""
    store.forget_failures(structure_key(frame) for frame in frames)
    for name in (RESULT, STORE):  # in this order, because a finished batch must have its store
        for path in folder.glob(f"*/{name}"):  # its labels are in the run's store
            path.unlink()


def _unknown(frames: Sequence[Atoms], oracle: Oracle, store: LabelStore) -> list[Atoms]:
    """Return the configurations, each once, that still need a calculation: no label, and not all attempts failed."""
    report = recall_labels(frames, oracle, store)
    seen: dict[str, Atoms] = {}
    for failure in report.failed:
        if failure.unfinished:
            frame = frames[failure.index]
            seen.setdefault(batch_hash([frame]), frame)
    return list(seen.values())


def _task(how: Labeling, folder: Path, frames: list[Atoms]) -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    write_bare(folder / FRAMES, frames)
    return Task(
        folder,
        LABEL_TASK,
        {
            "oracle": how.oracle.model_dump(mode="json"),
            "base_folder": os.path.relpath(how.base_folder, folder),
            "content": batch_hash(frames),
            "threads": how.section.threads,
            "timeout": how.section.timeout,
        },
        kind="label",
    )


def _merge(store: LabelStore, folder: Path) -> None:
    for path in sorted(folder.glob(f"*/{STORE}")):
        store.merge(path)
