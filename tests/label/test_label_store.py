"""`LabelStore`: to the last bit, whole whatever happens to its writers, and no other file taken for it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from nnpal.label import LabelStore, StoreError
from nnpal.label.structure_key import structure_key
from nnpal.oracle.calculation import Result
from nnpal.oracle.protocol import canonical
from processes import Process, wait_until

ORACLE = {"kind": "python", "oracle": "a:B", "options": {"k": 1.0}}


def result(seed: int, n_atoms: int = 3, stress: bool = True) -> Result:
    rng = np.random.default_rng(seed)
    return Result(rng.normal() * 1e3, rng.normal(size=(n_atoms, 3)), rng.normal(size=6) if stress else None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.sqlite"


def same(one: Result | None, other: Result) -> bool:
    assert one is not None
    stresses = (one.stress is None) == (other.stress is None) and (
        one.stress is None or np.array_equal(one.stress, other.stress)
    )
    return one.energy == other.energy and np.array_equal(one.forces, other.forces) and stresses


def test_labels_come_back_to_the_last_bit(path: Path) -> None:
    with LabelStore(path) as store:
        for k in range(4):
            store.put_label(f"s{k}", ORACLE, result(k, 1 + k, stress=k % 2 == 0), rung=k, seconds=0.25)
    with LabelStore(path) as store:
        assert len(store) == 4
        for k in range(4):
            entry = store.get(f"s{k}", ORACLE)
            assert entry is not None
            assert same(entry.result, result(k, 1 + k, stress=k % 2 == 0))
            assert (entry.rung, entry.seconds, entry.tries, entry.reason) == (k, 0.25, 1, "")
        assert [json.loads(text) for text in store.identities().values()] == [ORACLE]


def test_a_label_that_was_put_survives_a_power_cut(path: Path) -> None:
    """By what SQLite promises of EXTRA (3): the commit is on the disk, and the journal's removal too."""
    with LabelStore(path) as store:
        assert store._database.execute("PRAGMA synchronous").fetchone() == (3,)
        assert store._database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_another_structure_or_oracle_is_not_known(path: Path) -> None:
    with LabelStore(path) as store:
        store.put_label("s", ORACLE, result(0), rung=0, seconds=1)
        assert store.get("t", ORACLE) is None
        assert store.get("s", {**ORACLE, "options": {"k": 1.0000000000000002}}) is None
        assert store.get("s", {**ORACLE, "files": {"a": "0"}}) is None
        assert store.get("s", dict(reversed(ORACLE.items()))) is not None  # the order of keys says nothing


def test_failures_count_tries_and_give_way_to_labels_alone(path: Path) -> None:
    with LabelStore(path) as store:
        for reason in ("first", "second"):
            store.put_failure("s", ORACLE, 3, reason, rung=0, seconds=1)
        entry = store.get("s", ORACLE)
        assert entry is not None
        assert (entry.result, entry.reason, entry.tries) == (None, "second", 2)
        store.put_label("s", ORACLE, result(1), rung=0, seconds=1)
        store.put_failure("s", ORACLE, 3, "too late", rung=0, seconds=1)
        store.put_label("s", ORACLE, result(2), rung=0, seconds=1)
        entry = store.get("s", ORACLE)
        assert entry is not None
        assert same(entry.result, result(1))
        assert (entry.tries, entry.reason) == (3, "")


def test_structures_differ_by_charges_and_spins() -> None:
    atoms = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.7]])
    charged, polarized, noted = atoms.copy(), atoms.copy(), atoms.copy()
    charged.set_initial_charges([1, 0])
    polarized.set_initial_magnetic_moments([1, 0])
    noted.info["tag"] = "a"
    keys = {structure_key(a) for a in (atoms, charged, polarized)}
    assert len(keys) == 3
    assert structure_key(noted) == structure_key(atoms)


WRITER = """
import sys
import numpy as np
from nnpal.label.store import LabelStore
from nnpal.oracle.calculation import Result
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with LabelStore(path) as store:
    for k in range(first, last):
        result = Result(float(k), np.full((50, 3), float(k)), None)
        store.put_label(f"s{k}", {"kind": "test"}, result, rung=0, seconds=1)
"""


def writer(path: Path, first: int, last: int) -> Process:
    return Process([sys.executable, "-c", WRITER, str(path), str(first), str(last)])


def test_writers_at_one_time(path: Path) -> None:
    """They make the file together, too, and overlap by half."""
    writers = [writer(path, first, first + 200) for first in (0, 100, 200)]
    assert [one.wait() for one in writers] == [0, 0, 0]
    with LabelStore(path) as store:
        assert len(store) == 400
        for k in (0, 150, 399):
            entry = store.get(f"s{k}", {"kind": "test"})
            assert entry is not None
            assert entry.tries == 1  # the second writer's label was not taken
            assert entry.result is not None
            assert entry.result.energy == k


def test_a_killed_writer_leaves_it_whole(path: Path) -> None:
    LabelStore(path).close()
    for _ in range(3):
        with LabelStore(path) as store:
            before = len(store)
            one = writer(path, before, 1_000_000)
            wait_until(lambda n=before + 20: len(store) >= n, one)
            os.kill(one.pid, signal.SIGKILL)
            one.wait()
    with LabelStore(path) as store:
        n = len(store)
        assert n >= 60
        for k in range(n):
            entry = store.get(f"s{k}", {"kind": "test"})
            assert entry is not None
            assert entry.result is not None
            assert (entry.result.forces == k).all()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_files_that_are_no_store(path: Path, tmp_path: Path) -> None:
    path.write_text("energy,forces\n" * 100)
    with pytest.raises(
        StoreError, match=r"labels.sqlite: not a label store: .*; name another file, or remove this one"
    ):
        LabelStore(path)
    assert path.read_text().startswith("energy")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE systems (id INTEGER)")
    database.close()
    with pytest.raises(StoreError, match="an SQLite file of another program"):
        LabelStore(other)
    with pytest.raises(StoreError, match="there is no folder"):
        LabelStore(tmp_path / "nowhere" / "labels.sqlite")
    later = tmp_path / "later.sqlite"
    LabelStore(later).close()
    with sqlite3.connect(later) as database:
        database.execute("PRAGMA user_version = 3")
    database.close()
    with pytest.raises(StoreError, match="label store of format 3, expected 2; update nnpal"):
        LabelStore(later)


def test_a_damaged_name_in_the_schema(path: Path) -> None:
    """SQLite's own message then holds the byte, of which Python can make no text."""
    LabelStore(path).close()
    content = path.read_bytes()
    first = content.index(b"label_of")
    for place in range(first, first + 8):
        damaged = bytearray(content)
        damaged[place] = 0xB7
        path.write_bytes(damaged)
        with pytest.raises(
            StoreError, match=r"labels.sqlite: damaged label store: a text of its schema is not valid UTF-8; "
        ):
            LabelStore(path)


VERSION_1 = (
    "CREATE TABLE oracles (hash TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE labels (key TEXT PRIMARY KEY, structure TEXT NOT NULL, oracle TEXT NOT NULL, n_atoms INTEGER NOT "
    "NULL, energy REAL, forces BLOB, stress BLOB, reason TEXT, tries INTEGER NOT NULL, rung INTEGER NOT NULL, seconds "
    "REAL NOT NULL, computed TEXT NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {0x6E6E706C}",
    "PRAGMA user_version = 1",
)


def old_store(path: Path, structures: list[str]) -> None:
    """Write a store as nnpal did before: labels of seeds 0, 1, ..., and a failure of the last structure."""
    identity = canonical(ORACLE)
    oracle = hashlib.sha256(identity.encode()).hexdigest()
    with closing(sqlite3.connect(path)) as database:
        for statement in VERSION_1:
            database.execute(statement)
        database.execute("INSERT INTO oracles VALUES (?, ?)", (oracle, identity))
        for k, structure in enumerate(structures):
            own = result(k, 32)
            key = hashlib.sha256(f"{structure}\n{identity}".encode()).hexdigest()
            outcome = (own.energy, own.forces.tobytes(), np.asarray(own.stress).tobytes(), None)
            if k == len(structures) - 1:
                outcome = (None, None, None, "did not converge")
            row = (key, structure, oracle, 32, *outcome, 3, 0, 0.5, "2026-03-01T12:30:00+00:00")
            database.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()


def test_stores_of_older_nnpal_go_on(path: Path, tmp_path: Path) -> None:
    structures = ["plain", *(hashlib.sha256(b"%d" % k).hexdigest() for k in range(200)), "failed"]
    old_store(path, structures)
    size = path.stat().st_size
    with LabelStore(path) as store:
        assert len(store) == 202
        for k, structure in enumerate(structures[:-1]):
            entry = store.get(structure, ORACLE)
            assert entry is not None
            assert same(entry.result, result(k, 32))
            assert (entry.tries, entry.seconds, entry.computed) == (3, 0.5, "2026-03-01T12:30:00+00:00")
        failed = store.get("failed", ORACLE)
        assert failed is not None
        assert (failed.result, failed.reason) == (None, "did not converge")
        store.forget_failures(["failed"])
        assert len(store) == 201
        assert list(store.identities().values()) == [canonical(ORACLE)]
    assert path.stat().st_size < size / 3
    other = tmp_path / "other.sqlite"
    old_store(other, ["more", "again"])
    with LabelStore(path) as store:
        store.merge(other)
        assert len(store) == 203


def test_labels_put_together_are_known_at_once_and_on_the_disk_by_cost(path: Path) -> None:
    def on_disk() -> int:
        with closing(sqlite3.connect(path)) as database:
            return int(database.execute("SELECT count(*) FROM labels").fetchone()[0])

    with LabelStore(path) as store:
        with store.together(cost=1.0):
            store.put_failure("a", ORACLE, 3, "first", rung=0, seconds=0.25)
            store.put_label("a", ORACLE, result(1), rung=0, seconds=0.25)
            store.put_label("a", ORACLE, result(2), rung=0, seconds=0.25)
            entry = store.get("a", ORACLE)
            assert entry is not None
            assert same(entry.result, result(1))
            assert (entry.tries, on_disk()) == (2, 0)
            store.put_label("b", ORACLE, result(3), rung=0, seconds=0.25)
            assert on_disk() == 2
            again = store.get("a", ORACLE)
            assert again is not None
            assert same(again.result, result(1))
            assert again.tries == 2
            store.put_label("c", ORACLE, result(3), rung=0, seconds=0.25)
            assert on_disk() == 2
        assert on_disk() == 3
        store.put_label("d", ORACLE, result(3), rung=0, seconds=0.0)
        assert on_disk() == 4


def test_50_000_labels_of_32_atoms_take_60_MB(path: Path, tmp_path: Path) -> None:
    """... by a thousand of them, which took four times as much as nnpal kept them before."""
    limit, structures = 60e6 / 50_000, [hashlib.sha256(b"%d" % k).hexdigest() for k in range(1000)]
    with LabelStore(path) as store, store.together():
        for k, structure in enumerate(structures):
            store.put_label(structure, ORACLE, result(k, 32), rung=0, seconds=0.001)
    assert path.stat().st_size / len(structures) <= limit
    old_store(tmp_path / "old.sqlite", structures)
    assert (tmp_path / "old.sqlite").stat().st_size / len(structures) > 3 * limit


def test_a_writer_that_is_killed_within_a_group_leaves_whole_groups(path: Path) -> None:
    LabelStore(path).close()
    context = "    group = store.together(2.0)\n    group.__enter__()\n    for k in"
    grouped = WRITER.replace("    for k in", context).replace("seconds=1)", "seconds=0.25)")
    one = Process([sys.executable, "-c", grouped, str(path), "0", "1000000"])
    with LabelStore(path) as store:
        wait_until(lambda: len(store) >= 25, one)
        one.kill()
        one.wait()
        n = len(store)
        assert n % 8 == 0
        assert all(store.get(f"s{k}", {"kind": "test"}) is not None for k in range(n))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
