"""Label store: an SQLite file, with structure and oracle identity as the key."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from nnpal.label.store_errors import StoreError, damaged, told_if_damaged, told_if_full
from nnpal.label.store_format import APPLICATION_ID, PAGE_SIZE, VERSION, create, from_version_1, packed
from nnpal.oracle.calculation import Result
from nnpal.oracle.protocol import canonical

PATIENCE = 600.0
"""Seconds that a writer waits for other processes' writes, which may be slow on a busy machine or disk."""

COST = 0.1
"""Seconds of calculations that may be lost if a process is killed while labels are written in groups."""
GROUP = 1000
"""Largest number of labels in a group."""


@dataclass(frozen=True)
class Entry:
    """Label or failure of one structure with one rung of one oracle.

    Attributes:
        result: the label, or None if it failed.
        reason: why it failed, or empty.
        tries: calculations so far.
        rung: index of the settings when it was computed.
        seconds: time of the last calculation, s.
        computed: date and time of the calculation, UTC, ISO 8601.
    """

    result: Result | None
    reason: str
    tries: int
    rung: int
    seconds: float
    computed: str


@dataclass(frozen=True)
class _Row:
    """An entry that is not yet written to disk."""

    structure: str
    identity: str
    n_atoms: int
    result: Result | None
    reason: str
    rung: int
    seconds: float
    computed: int

    def values(self) -> tuple[Any, ...]:
        """Return the columns from n_atoms on, without the number of tries."""
        outcome: tuple[Any, ...] = (None, None, None, self.reason)
        if self.result is not None:
            stress = None if self.result.stress is None else np.asarray(self.result.stress, "<f8").tobytes()
            outcome = self.result.energy, np.asarray(self.result.forces, "<f8").tobytes(), stress, None
        return self.n_atoms, *outcome, self.rung, self.seconds, self.computed

    def after(self, entry: Entry | None) -> Entry:
        """Return the entry that results from an earlier one and this row: a label is never replaced."""
        if entry is not None and entry.result is not None:
            return entry
        tries = 1 if entry is None else entry.tries + 1
        return Entry(self.result, self.reason, tries, self.rung, self.seconds, _iso(self.computed))


class LabelStore:
    """Labels and failures in one file, in eV and Å, in full precision.

    Many processes may use one file at a time (except on network file systems without locks), and a process that is
    killed leaves it intact. A stored label is never replaced.

    Arguments:
        path: file, created if it does not exist.

    Raises:
        StoreError: a file of another kind, or a folder that does not exist.
        nnpal.runtime.disk_full.DiskFullError: the disk is full; all methods that write raise it too.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._cost = 0.0
        self._waiting: list[_Row] = []
        self._waiting_seconds = 0.0
        self._by_key: dict[tuple[str, str], list[_Row]] = {}
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path}: there is no folder {self.path.parent}")
        try:
            self._database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: not a label store: {error}; name another file") from error
        try:
            self._create()
        except sqlite3.Error as error:
            self._database.close()
            raise StoreError(
                f"{self.path}: not a label store: {error}; name another file, or remove this one"
            ) from error
        except UnicodeDecodeError as error:  # SQLite's message about a corrupted schema contains the corrupted text
            self._database.close()
            raise damaged(self.path, "a text of its schema is not valid UTF-8") from error
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is still in memory and close the file."""
        try:
            self.flush()
        finally:
            self._database.close()

    def __len__(self) -> int:
        """Return the number of labels and failures."""
        self.flush()
        return int(self._rows("SELECT count(*) FROM labels")[0][0])

    def timing(self) -> tuple[int, float] | None:
        """Return the number of labels and their mean time, s; None without a label."""
        ((n, mean),) = self._rows("SELECT count(*), avg(seconds) FROM labels WHERE energy IS NOT NULL")
        return (int(n), float(mean)) if n else None

    @contextmanager
    def together(self, cost: float = COST) -> Iterator[None]:
        """Write labels in groups, so that quick calculations do not wait for the disk one by one.

        A group is written in one transaction when its calculations have taken ``cost`` seconds in total, and at the
        end. A kill or power failure therefore loses no more than that, and a label that took longer is on disk when
        its put returns, as outside of this context.

        Arguments:
            cost: total time of the calculations in a group, s.
        """
        before, self._cost = self._cost, cost
        try:
            yield
        finally:
            self._cost = before
            self.flush()

    def flush(self) -> None:
        """Write all pending entries to disk; within :meth:`together`, entries that cannot be written remain pending."""
        if not self._waiting:
            return
        try:
            with self._transaction():
                for row in self._waiting:
                    self._write(row)
        except BaseException:
            if not self._cost:
                self._forget_waiting()
            raise
        self._forget_waiting()

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._by_key.clear()
        self._waiting_seconds = 0.0

    def get(self, structure: str, identity: Mapping[str, Any]) -> Entry | None:
        """Return the entry of a structure, or None.

        Arguments:
            structure: see :func:`structure_key`.
            identity: identity of the oracle's rung.
        """
        text = canonical(identity)
        rows = self._rows(
            "SELECT energy, forces, stress, reason, tries, rung, seconds, computed, n_atoms FROM labels WHERE "
            "structure = ? AND oracle = (SELECT id FROM oracles WHERE hash = ?)",
            (packed(structure), _hash(text)),
        )
        with told_if_damaged(self.path):
            entry = _entry(rows[0]) if rows else None
        for one in self._by_key.get((structure, text), ()):
            entry = one.after(entry)
        return entry

    def put_label(
        self, structure: str, identity: Mapping[str, Any], result: Result, *, rung: int, seconds: float
    ) -> None:
        """Store a label; it is on disk on return, unless in :meth:`together`.

        Arguments:
            structure: hash of the structure, see :func:`nnpal.label.structure_key.structure_key`.
            identity: identity of the oracle and its settings.
            result: energy (eV), forces (eV/Å) and stress (eV/Å³).
            rung: index of the settings, from 0.
            seconds: time of the calculation, s.
        """
        result = Result(float(result.energy), np.array(result.forces, dtype=float), _copied(result.stress))
        self._put(_Row(structure, canonical(identity), len(result.forces), result, "", rung, seconds, _now()))

    def put_failure(
        self, structure: str, identity: Mapping[str, Any], n_atoms: int, reason: str, *, rung: int, seconds: float
    ) -> None:
        """Store the failure of a calculation, and count one more try.

        Arguments:
            structure: hash of the structure, see :func:`nnpal.label.structure_key.structure_key`.
            identity: identity of the oracle and its settings.
            n_atoms: number of atoms of the configuration.
            reason: error message of the calculation.
            rung: index of the settings, from 0.
            seconds: time of the calculation, s.
        """
        self._put(_Row(structure, canonical(identity), n_atoms, None, reason, rung, seconds, _now()))

    def forget_failures(self, structures: Iterable[str]) -> None:
        """Delete the failures of structures, so that they are computed again; labels are kept.

        Arguments:
            structures: hashes of structures.
        """
        self.flush()
        with self._transaction():
            self._database.executemany(
                "DELETE FROM labels WHERE structure = ? AND energy IS NULL",
                [(packed(structure),) for structure in structures],
            )

    def merge(self, path: Path) -> None:
        """Copy entries from another store: labels that this one lacks, and failures where it has no entry.

        Arguments:
            path: file of the other store.

        Raises:
            StoreError: the file is not a label store of this format.
        """
        LabelStore(path).close()  # refuses other files, and upgrades an older store
        self.flush()
        rest = "n_atoms, energy, forces, stress, reason, tries, rung, seconds, computed"
        theirs = (
            f"SELECT structure, ours.id, {rest} FROM other.labels AS theirs JOIN other.oracles AS their ON their.id = "
            "theirs.oracle JOIN main.oracles AS ours ON ours.hash = their.hash"
        )
        self._database.execute("ATTACH DATABASE ? AS other", (str(path),))
        try:
            with self._transaction():
                self._database.execute(
                    "INSERT OR IGNORE INTO main.oracles (hash, identity) SELECT hash, identity FROM other.oracles"
                )
                self._database.execute(f"INSERT OR IGNORE INTO main.labels {theirs}")
                self._database.execute(
                    f"INSERT OR REPLACE INTO main.labels {theirs} WHERE theirs.energy IS NOT NULL AND (SELECT energy "
                    "FROM main.labels AS own WHERE own.structure = theirs.structure AND own.oracle = ours.id) IS NULL"
                )
        finally:
            self._database.execute("DETACH DATABASE other")

    def identities(self) -> dict[str, str]:
        """Return the identity, as JSON, of every oracle and rung that computed anything, by its SHA-256."""
        self.flush()
        return dict(self._rows("SELECT hash, identity FROM oracles"))

    def _rows(self, question: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with told_if_damaged(self.path):
            return self._database.execute(question, values).fetchall()

    def _put(self, row: _Row) -> None:
        self._waiting.append(row)
        self._waiting_seconds += row.seconds
        self._by_key.setdefault((row.structure, row.identity), []).append(row)
        if len(self._waiting) >= GROUP or self._waiting_seconds >= self._cost:
            self.flush()

    def _write(self, row: _Row) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO oracles (hash, identity) VALUES (?, ?)", (_hash(row.identity), row.identity)
        )
        self._database.execute(
            "INSERT INTO labels (structure, oracle, n_atoms, energy, forces, stress, reason, tries, rung, seconds, "
            "computed) VALUES (?, (SELECT id FROM oracles WHERE hash = ?), ?, ?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT "
            "(structure, oracle) DO UPDATE SET energy = excluded.energy, forces = excluded.forces, "
            "stress = excluded.stress, reason = excluded.reason, tries = tries + 1, rung = excluded.rung, "
            "seconds = excluded.seconds, computed = excluded.computed WHERE labels.energy IS NULL",
            (packed(row.structure), _hash(row.identity), *row.values()),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with told_if_damaged(self.path), self._raw_transaction():
            yield

    @contextmanager
    def _raw_transaction(self) -> Iterator[None]:
        with told_if_full(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # on a full disk SQLite has already rolled back
                    self._database.execute("ROLLBACK")
                raise

    def _create(self) -> None:
        # with EXTRA a stored label survives a power failure; otherwise a journal that reappears may roll it back
        self._database.execute("PRAGMA synchronous = EXTRA")
        self._database.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # only affects new files
        version = VERSION
        with self._raw_transaction():
            kind = self._database.execute("PRAGMA application_id").fetchone()[0]
            tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if kind != APPLICATION_ID and (kind or tables):
                raise StoreError(f"{self.path}: an SQLite file of another program, expected a label store")
            if kind == 0:
                create(self._database)
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (1, VERSION):
                raise StoreError(f"{self.path}: label store of format {version}, expected {VERSION}; update nnpal")
            if version == 1:
                from_version_1(self._database)
        if version == 1:
            self._shrink()

    def _shrink(self) -> None:
        """Free the space of an older format, if the disk has room for a copy and no other process uses the file."""
        with suppress(sqlite3.OperationalError):
            self._database.execute("VACUUM")


def _hash(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()


def _now() -> int:
    return int(datetime.now(timezone.utc).timestamp())


def _copied(stress: np.ndarray | None) -> np.ndarray | None:
    return None if stress is None else np.array(stress, dtype=float)


def _entry(row: tuple[Any, ...]) -> Entry:
    energy, forces, stress, reason, tries, rung, seconds, computed, n_atoms = row
    rest = tries, rung, seconds, _iso(computed)
    if energy is None:
        return Entry(None, reason, *rest)
    tensor = None if stress is None else np.frombuffer(stress, "<f8").astype(float)
    return Entry(Result(energy, np.frombuffer(forces, "<f8").astype(float).reshape(n_atoms, 3), tensor), "", *rest)


def _iso(computed: int) -> str:
    return datetime.fromtimestamp(computed, timezone.utc).isoformat(timespec="seconds")
