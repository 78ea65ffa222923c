"""Label configurations: look them up in the store, and compute missing labels with worker processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.data.columns import require_several
from nnpal.data.stresses import no_stress
from nnpal.geometry.electrons import carry
from nnpal.label.store import Entry, LabelStore
from nnpal.label.store_errors import StoreError
from nnpal.label.structure_key import structure_key, structure_key_with_box
from nnpal.label.workers import Pool, Task
from nnpal.oracle.calculation import Result
from nnpal.oracle.calculators import without_open_vectors
from nnpal.oracle.protocol import Answer, Oracle, require_able


@dataclass(frozen=True)
class Failure:
    """A configuration without a label.

    Attributes:
        index: index in the input.
        reason: reasons of all rungs that were tried.
        tries: calculations so far, including those of earlier runs.
        unfinished: some rungs have not been tried, or gave no result because workers were killed.
    """

    index: int
    reason: str
    tries: int
    unfinished: bool = False


@dataclass(frozen=True)
class Progress:
    """Counts of configurations.

    Attributes:
        total: total number.
        done: number labeled or failed so far.
        from_store: number of these found in the store.
        failed: number of these that failed.
    """

    total: int
    done: int
    from_store: int
    failed: int


@dataclass(frozen=True)
class LabelReport:
    """Result of labeling a batch.

    Attributes:
        labeled: copies with energy (eV), forces (eV/Å) and, if available, stress (eV/Å³), in the order of the input.
        failed: configurations without a label.
        from_store: number of labels and failures found in the store.
        calculations: number of calculations in this run, including failed ones.
        rungs: number of labels from each rung of the fallback settings.
    """

    labeled: list[Atoms]
    failed: list[Failure]
    from_store: int
    calculations: int
    rungs: dict[int, int]


@dataclass
class _Case:
    """One distinct structure and its state."""

    key: str
    atoms: Atoms
    n_copies: int = 1
    rung: int | None = None  # to compute next; None: finished
    entries: dict[int, Entry] = field(default_factory=dict)  # stored results by rung
    killed: str | None = None  # how a worker was killed while it computed this rung

    def label(self) -> tuple[int, Result] | None:
        """Return rung and result, or None."""
        return next(((rung, entry.result) for rung, entry in self.entries.items() if entry.result is not None), None)

    def reason(self) -> str:
        """Return the reasons of all rungs."""
        reasons = {rung: entry.reason for rung, entry in sorted(self.entries.items())}
        if self.killed is not None and self.rung is not None:
            reasons[self.rung] = self.killed
        if not reasons:
            return "was not computed: its task was given up"
        if len(reasons) == 1:
            return next(iter(reasons.values()))
        return "; ".join(f"rung {rung}: {reason}" for rung, reason in reasons.items())


def label_frames(
    frames: Sequence[Atoms],
    oracle: Oracle,
    store: LabelStore,
    *,
    n_workers: int = 1,
    timeout: float | None = None,
    retry_failed: bool = False,
    threads: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> LabelReport:
    """Label configurations. Each result is stored as it arrives.

    If a rung fails, by an exception, numbers that are not finite, a crash of its worker or the timeout, the next one
    is tried; a configuration whose last rung fails is excluded. Labels and failures in the store are not computed
    again. A worker killed by an external signal is not a failure: the configuration is tried once more, and then
    remains without a result.

    Arguments:
        frames: configurations, Å, with or without labels.
        oracle: reference method that computes the labels.
        store: label store in which labels are saved and looked up.
        n_workers: number of worker processes.
        timeout: time limit of one calculation, s; None: no limit.
        retry_failed: repeat calculations that failed earlier.
        threads: threads of each worker's numerical libraries.
        on_progress: called whenever configurations are finished.

    Returns:
        Labeled copies, failures and counts.

    Raises:
        OracleError: the oracle cannot work as specified; nothing is stored.
        ValueError: arguments out of range.
        TypeError: one configuration in place of a list.

    Example:
        >>> from nnpal import label_frames, read_frames
        >>> from nnpal.label import CalculatorOracle, LabelStore
        >>> frames = read_frames("labeled.h5", labeled=False)
        >>> with LabelStore("labels.db") as store:
        ...     report = label_frames(frames, CalculatorOracle("ase.calculators.emt:EMT"), store)
        >>> len(report.labeled), report.failed, report.labeled[0].get_forces().shape
        (40, [], (16, 3))
    """
    require_several(frames)
    if n_workers < 1 or threads < 1 or (timeout is not None and not timeout > 0):
        raise ValueError(f"n_workers {n_workers}, threads {threads}, timeout {timeout}: expected more than 0")
    batch = _Batch(frames, oracle, store, retry_failed, on_progress)
    with Pool(oracle, n_workers, timeout=timeout, threads=threads) as pool:
        batch.run(pool)
    return batch.report()


def recall_labels(frames: Sequence[Atoms], oracle: Oracle, store: LabelStore) -> LabelReport:
    """Return labels from the store without any calculation; configurations not in the store count as failed."""
    return _Batch(frames, oracle, store, False, None).report()


class _Batch:
    """The structures of a batch and their state."""

    def __init__(
        self,
        frames: Sequence[Atoms],
        oracle: Oracle,
        store: LabelStore,
        retry_failed: bool,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        require_able(oracle, frames)
        self._frames = frames
        self._store = store
        self._identities = [oracle.identity(rung) for rung in range(oracle.n_rungs)]
        self._retry = retry_failed
        self._on_progress = on_progress
        self._calculations = 0
        self._keys = [structure_key(frame) for frame in frames]
        self._cases: dict[str, _Case] = {}
        for key, frame in zip(self._keys, frames, strict=True):
            if key in self._cases:
                self._cases[key].n_copies += 1
            else:
                self._cases[key] = self._recalled(_Case(key, frame))
        finished = [case for case in self._cases.values() if case.rung is None]
        self._from_store = self._done = sum(case.n_copies for case in finished)
        self._failed = sum(case.n_copies for case in finished if case.label() is None)

    def run(self, pool: Pool) -> None:
        """Compute and store missing labels."""
        self._tell()
        cases = [case for case in self._cases.values() if case.rung is not None]
        for number, case in enumerate(cases):
            pool.submit(_task(number, case))
        with self._store.together():
            for task, answer in pool.answers():
                self._keep(cases[task.number], task, answer, pool)
        for case in cases:  # another process may have stored its label first
            case.entries = {
                rung: self._store.get(case.key, self._identities[rung]) or entry for rung, entry in case.entries.items()
            }
        for number, how in pool.killed.items():
            case = cases[number]
            case.killed = how
            self._done += case.n_copies
            self._failed += case.n_copies
            self._tell()

    def _keep(self, case: _Case, task: Task, answer: Answer, pool: Pool) -> None:
        """Store the result of a calculation, and submit the next one of the same structure, if any."""
        result, reason, seconds = answer
        identity = self._identities[task.rung]
        self._calculations += 1
        if result is not None:
            self._store.put_label(case.key, identity, result, rung=task.rung, seconds=seconds)
        else:
            self._store.put_failure(case.key, identity, len(case.atoms), reason, rung=task.rung, seconds=seconds)
        entry = self._store.get(case.key, identity)
        if entry is None:
            raise StoreError(f"{self._store.path}: what was just written no longer exists")
        case.entries[task.rung] = entry
        case.rung = None
        if entry.result is None:
            self._climb(case, task.rung + 1, retry=self._retry)
        if case.rung is not None:
            pool.submit(_task(task.number, case), first=True)
        else:
            self._done += case.n_copies
            self._failed += 0 if case.label() else case.n_copies
            self._tell()

    def report(self) -> LabelReport:
        """Return labels and failures in the order of the input."""
        labeled, failed = [], []
        rungs: dict[int, int] = {}
        for index, (key, frame) in enumerate(zip(self._keys, self._frames, strict=True)):
            case = self._cases[key]
            label = case.label()
            if label is None:
                tries = sum(entry.tries for entry in case.entries.values())
                failed.append(Failure(index, case.reason(), tries, unfinished=case.rung is not None))
                continue
            rung, result = label
            labeled.append(self._labeled(frame, rung, result))
            rungs[rung] = rungs.get(rung, 0) + 1
        return LabelReport(labeled, failed, self._from_store, self._calculations, rungs)

    def _recalled(self, case: _Case) -> _Case:
        self._climb(case, 0, retry=False)
        if self._retry and case.entries and case.label() is None:
            self._climb(case, 0, retry=True)
        return case

    def _climb(self, case: _Case, start: int, *, retry: bool) -> None:
        """Advance from rung ``start`` to the first one with a label, or the first one to compute."""
        case.rung = None
        for rung in range(start, len(self._identities)):
            entry = self._recall(case, self._identities[rung])
            if entry is not None:
                case.entries[rung] = entry
                if entry.result is not None:
                    return
            if entry is None or retry:
                case.rung = rung
                return

    def _recall(self, case: _Case, identity: Mapping[str, Any]) -> Entry | None:
        """Look up an entry, also under the key of older stores, which includes nonperiodic cell vectors."""
        entry = self._store.get(case.key, identity)
        older = structure_key_with_box(case.atoms)
        return entry if entry is not None or older == case.key else self._store.get(older, identity)

    def _labeled(self, frame: Atoms, rung: int, result: Result) -> Atoms:
        """Return a copy with its label; its source names the rung if it is not the first."""
        copy = without_open_vectors(frame)
        copy.set_constraint()
        results = {"energy": result.energy, "forces": result.forces.copy()}
        # Along a nonperiodic direction the box height, and so the stress, is undefined
        if result.stress is not None and no_stress(0, frame) is None:
            results["stress"] = result.stress.copy()
        copy.calc = SinglePointCalculator(copy, **results)
        if rung > 0:
            changes = _changes(self._identities[0], self._identities[rung])
            copy.info["source"] = f"{copy.info.get('source', 'unknown source')}; label from rung {rung}{changes}"
        return copy

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(len(self._frames), self._done, self._from_store, self._failed))


def _task(number: int, case: _Case) -> Task:
    """Return the next calculation, with only the data that enter the key."""
    atoms = case.atoms
    cell = without_open_vectors(atoms).cell
    bare = carry(atoms, Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=atoms.pbc))
    if case.rung is None:
        raise ValueError(f"structure {case.key}: nothing is left to compute")
    return Task(number, bare, case.rung)


def _changes(base: Mapping[str, Any], rung: Mapping[str, Any]) -> str:
    before, after = base.get("options", {}), rung.get("options", {})
    changed = [f"{name}={value}" for name, value in after.items() if before.get(name) != value]
    return f" ({', '.join(changed)})" if changed else ""
