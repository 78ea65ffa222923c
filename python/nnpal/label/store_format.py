"""Tables of a label store, and conversion from older versions."""

from __future__ import annotations

import re
import sqlite3

APPLICATION_ID = 0x6E6E706C  # "nnpl"
VERSION = 2
"""Version 1 stored hashes as text, and long rows in the key's B-tree, one page each: 4.7 kB for 32 atoms."""
PAGE_SIZE = 16384
"""Bytes; a row of 32 atoms takes 0.9 kB, and the unused part of a page is wasted."""

TABLES = (
    "CREATE TABLE oracles (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, identity TEXT NOT NULL)",
    """CREATE TABLE labels (
        structure BLOB NOT NULL, oracle INTEGER NOT NULL, n_atoms INTEGER NOT NULL,
        energy REAL, forces BLOB, stress BLOB, reason TEXT, tries INTEGER NOT NULL, rung INTEGER NOT NULL,
        seconds REAL NOT NULL, computed INTEGER NOT NULL)""",  # seconds since 1970, UTC
    "CREATE UNIQUE INDEX label_of ON labels (structure, oracle)",
)


def packed(structure: str) -> bytes | str:
    """Return the stored form of a structure's key: a SHA-256 as bytes, half as long as its text."""
    return bytes.fromhex(structure) if re.fullmatch(r"[0-9a-f]{64}", structure) else structure


def create(database: sqlite3.Connection) -> None:
    """Create the tables, in an open transaction."""
    for table in TABLES:
        database.execute(table)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")


def from_version_1(database: sqlite3.Connection) -> None:
    """Convert the tables of version 1, in an open transaction; the file does not shrink by itself."""
    database.create_function("packed", 1, packed, deterministic=True)
    for name in ("oracles", "labels"):
        database.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    create(database)
    database.execute("INSERT INTO oracles (hash, identity) SELECT hash, identity FROM old_oracles")
    database.execute(
        "INSERT INTO labels SELECT packed(old.structure), oracles.id, n_atoms, energy, forces, stress, reason, tries, "
        "rung, seconds, CAST(strftime('%s', computed) AS INTEGER) FROM old_labels AS old JOIN oracles "
        "ON oracles.hash = old.oracle"
    )
    for name in ("oracles", "labels"):
        database.execute(f"DROP TABLE old_{name}")
