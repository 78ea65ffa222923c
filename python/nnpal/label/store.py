"""Labels that are kept: an SQLite file, addressed by what was computed and by what."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.disk_full import DiskFullError, disk_full, require_room
from nnpal.electrons import COLUMNS, electrons_of, marks
from nnpal.label.oracle import canonical
from nnpal.oracle.evaluation import Result

APPLICATION_ID = 0x6E6E706C  # "nnpl"
VERSION = 1
SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN = 10, 13, 14
"""SQLite's result codes (sqlite.org/rescode.html), which Python names only from 3.11 on."""
PATIENCE = 60.0
"""Seconds that a writer waits for other processes' writes."""

TABLES = (
    """CREATE TABLE IF NOT EXISTS oracles (hash TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS labels (
        key TEXT PRIMARY KEY, structure TEXT NOT NULL, oracle TEXT NOT NULL, n_atoms INTEGER NOT NULL,
        energy REAL, forces BLOB, stress BLOB, reason TEXT, tries INTEGER NOT NULL, rung INTEGER NOT NULL,
        seconds REAL NOT NULL, computed TEXT NOT NULL) WITHOUT ROWID""",
)


class StoreError(ValueError):
    """A label store that cannot be used."""


@dataclass(frozen=True)
class Entry:
    """What is known of one structure by one rung of one oracle.

    Attributes:
        result: the label; None: it failed.
        reason: why it failed, or empty.
        tries: calculations so far.
        rung: its number when it was computed.
        seconds: that the last calculation took.
        computed: when, UTC, ISO 8601.
    """

    result: Result | None
    reason: str
    tries: int
    rung: int
    seconds: float
    computed: str


def structure_key(atoms: Atoms) -> str:
    """Return the SHA-256 of a structure, with charge, spin, initial charges and moments where any are stated.

    Cell vectors along directions that do not repeat play no part. Of a structure that states nothing, or a charge of 0,
    it is the hash of the structure alone.
    """
    from nnpal.data.hashes import structure_hash  # brings torch, which workers do without

    return _with_electrons(structure_hash(atoms), atoms)


def structure_key_with_box(atoms: Atoms) -> str:
    """Return the key of older stores, which hashed all cell vectors; the same where all directions repeat."""
    from nnpal.data.hashes import structure_hash_with_box

    return _with_electrons(structure_hash_with_box(atoms), atoms)


def _with_electrons(digest: str, atoms: Atoms) -> str:
    stated = electrons_of(atoms)
    for name, column in zip(COLUMNS, (stated.charges, stated.moments), strict=True):
        if column is not None:
            values = np.ascontiguousarray(column, "<f8").tobytes()
            digest = hashlib.sha256(f"{digest} {name} ".encode() + values).hexdigest()
    for mark in marks(stated):
        digest = hashlib.sha256(digest.encode() + b" " + mark).hexdigest()
    return digest


class LabelStore:
    """Labels and failures in one file, in eV and Å, to the last bit.

    Many processes may use one file at a time (not on network file systems that do not lock), and one that is killed
    leaves it whole. A label once stored is never replaced.

    Arguments:
        path: made where it is not there.

    Raises:
        StoreError: a file of another kind, or a folder that is not there.
        nnpal.disk_full.DiskFullError: no space is left, here and from whatever writes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path}: there is no folder {self.path.parent}")
        try:
            self._database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            self._create()
        except sqlite3.Error as error:
            self._database.close()
            raise StoreError(f"{self.path}: no label store: {error}; name another file, or remove this one") from error

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def __len__(self) -> int:
        """Return the number of labels and failures."""
        return int(self._database.execute("SELECT count(*) FROM labels").fetchone()[0])

    def timing(self) -> tuple[int, float] | None:
        """Return how many labels there are and their mean time, s; None without a label."""
        n, mean = self._database.execute(
            "SELECT count(*), avg(seconds) FROM labels WHERE energy IS NOT NULL"
        ).fetchone()
        return (int(n), float(mean)) if n else None

    def get(self, structure: str, identity: Mapping[str, Any]) -> Entry | None:
        """Return what is known.

        Arguments:
            structure: see :func:`structure_key`.
            identity: of the oracle's rung.
        """
        row = self._database.execute(
            "SELECT energy, forces, stress, reason, tries, rung, seconds, computed FROM labels WHERE key = ?",
            (_key(structure, canonical(identity)),),
        ).fetchone()
        if row is None:
            return None
        energy, forces, stress, reason, *rest = row
        if energy is None:
            return Entry(None, reason, *rest)
        tensor = None if stress is None else np.frombuffer(stress, "<f8").astype(float)
        return Entry(Result(energy, np.frombuffer(forces, "<f8").astype(float).reshape(-1, 3), tensor), "", *rest)

    def put_label(
        self, structure: str, identity: Mapping[str, Any], result: Result, *, rung: int, seconds: float
    ) -> None:
        """Keep a label."""
        stress = None if result.stress is None else np.asarray(result.stress, "<f8").tobytes()
        forces = np.asarray(result.forces, "<f8").tobytes()
        self._put(structure, identity, len(result.forces), (float(result.energy), forces, stress, None), rung, seconds)

    def put_failure(
        self, structure: str, identity: Mapping[str, Any], n_atoms: int, reason: str, *, rung: int, seconds: float
    ) -> None:
        """Keep that a calculation failed; counts one more try."""
        self._put(structure, identity, n_atoms, (None, None, None, reason), rung, seconds)

    def forget_failures(self, structures: Iterable[str]) -> None:
        """Have the failures of structures computed again; labels stay."""
        with self._transaction():
            self._database.executemany(
                "DELETE FROM labels WHERE structure = ? AND energy IS NULL", [(structure,) for structure in structures]
            )

    def merge(self, path: Path) -> None:
        """Take over what another store has and this one lacks: labels, and failures of what is not known at all.

        Raises:
            StoreError: the file is no label store of this format.
        """
        LabelStore(path).close()  # refuses what is none
        columns = "key, structure, oracle, n_atoms, energy, forces, stress, reason, tries, rung, seconds, computed"
        self._database.execute("ATTACH DATABASE ? AS other", (str(path),))
        try:
            with self._transaction():
                self._database.execute("INSERT OR IGNORE INTO oracles SELECT * FROM other.oracles")
                self._database.execute(f"INSERT OR IGNORE INTO labels SELECT {columns} FROM other.labels")
                self._database.execute(
                    f"INSERT OR REPLACE INTO labels SELECT {columns} FROM other.labels AS theirs WHERE theirs.energy "
                    "IS NOT NULL AND (SELECT energy FROM labels WHERE key = theirs.key) IS NULL"
                )
        finally:
            self._database.execute("DETACH DATABASE other")

    def identities(self) -> dict[str, str]:
        """Return the identity, JSON, of every oracle's rung that computed anything, by its SHA-256."""
        return dict(self._database.execute("SELECT hash, identity FROM oracles").fetchall())

    def _put(
        self,
        structure: str,
        identity: Mapping[str, Any],
        n_atoms: int,
        outcome: tuple[float | None, bytes | None, bytes | None, str | None],
        rung: int,
        seconds: float,
    ) -> None:
        text = canonical(identity)
        oracle = hashlib.sha256(text.encode()).hexdigest()
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._transaction():
            self._database.execute("INSERT OR IGNORE INTO oracles VALUES (?, ?)", (oracle, text))
            self._database.execute(
                "INSERT INTO labels (key, structure, oracle, n_atoms, energy, forces, stress, reason, tries, rung, "
                "seconds, computed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                "energy = excluded.energy, forces = excluded.forces, stress = excluded.stress, "
                "reason = excluded.reason, tries = tries + 1, rung = excluded.rung, seconds = excluded.seconds, "
                "computed = excluded.computed WHERE labels.energy IS NULL",
                (_key(structure, text), structure, oracle, n_atoms, *outcome, rung, seconds, now),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _told_if_full(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # SQLite itself has rolled back on a full disk
                    self._database.execute("ROLLBACK")
                raise

    def _create(self) -> None:
        # a label that was put survives a power cut; less than EXTRA may bring the journal back, which takes it away
        self._database.execute("PRAGMA synchronous = EXTRA")
        with self._transaction():
            kind = self._database.execute("PRAGMA application_id").fetchone()[0]
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if kind != APPLICATION_ID and (kind or tables):
                raise StoreError(f"{self.path}: an SQLite file of another program, expected a label store")
            if kind == APPLICATION_ID and version != VERSION:
                raise StoreError(f"{self.path}: label store of format {version}, expected {VERSION}; update nnpal")
            if kind == 0:
                for table in TABLES:
                    self._database.execute(table)
                self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._database.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def _told_if_full(path: Path) -> Iterator[None]:
    """Turn SQLite's error of a full disk into ours; what was stored before is whole.

    Raises:
        DiskFullError: no space is left.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if not _is_full(error, path.absolute().parent):
            raise
        raise disk_full(path, errno.ENOSPC) from error


def _is_full(error: sqlite3.OperationalError, folder: Path) -> bool:
    """Whether SQLite met with a full disk: it says so, or it failed to read or write where nothing is free."""
    code = getattr(error, "sqlite_errorcode", None)  # of Python 3.11
    if code is None:
        return "disk is full" in str(error) or ("I/O error" in str(error) and not _has_room(folder))
    primary = code & 0xFF
    return primary == SQLITE_FULL or (primary in (SQLITE_IOERR, SQLITE_CANTOPEN) and not _has_room(folder))


def _has_room(folder: Path) -> bool:
    try:
        require_room(folder)
    except DiskFullError:
        return False
    return True


def _key(structure: str, identity: str) -> str:
    return hashlib.sha256(f"{structure}\n{identity}".encode()).hexdigest()
