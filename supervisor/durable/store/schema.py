"""The tables of a journal, and how one of an older version becomes one of this.

SQLite keeps two numbers for us in the file's head: ``application_id`` says that it is a journal
of extsys, ``user_version`` of which version its tables are.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from typing import Final

from supervisor.durable.store.errors import JournalError

APPLICATION_ID: Final = int.from_bytes(b"exty")

STEPS: Final = (
    # 1: sending
    """
    CREATE TABLE about (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        journal_id TEXT NOT NULL,
        next_id INTEGER NOT NULL DEFAULT 1,
        last_write INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE systems (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        system INTEGER NOT NULL REFERENCES systems (id),
        form TEXT NOT NULL,
        data BLOB NOT NULL,
        size INTEGER NOT NULL,
        accepted_at REAL NOT NULL,
        origin TEXT
    );
    CREATE INDEX entries_of_system ON entries (system, id, size);
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        attempts INTEGER NOT NULL DEFAULT 0,
        crashes INTEGER NOT NULL DEFAULT 0,
        under_way INTEGER NOT NULL DEFAULT 0,
        history TEXT NOT NULL DEFAULT '[]'
    );
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY,
        system INTEGER NOT NULL REFERENCES systems (id),
        form TEXT NOT NULL,
        data BLOB NOT NULL,
        size INTEGER NOT NULL,
        accepted_at REAL NOT NULL,
        origin TEXT,
        attempts INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        history TEXT NOT NULL,
        why TEXT NOT NULL,
        buried_at REAL NOT NULL
    );
    CREATE INDEX dead_letters_of_system ON dead_letters (system, id, size);
    CREATE INDEX dead_letters_by_age ON dead_letters (buried_at);
    CREATE TABLE rates (
        system INTEGER NOT NULL REFERENCES systems (id),
        at INTEGER NOT NULL,
        accepted INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (system, at)
    ) WITHOUT ROWID;
    """,
    # 2: receiving
    """
    ALTER TABLE about ADD COLUMN next_received_id INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE received (
        id INTEGER PRIMARY KEY,
        system INTEGER NOT NULL REFERENCES systems (id),
        form TEXT NOT NULL,
        data BLOB NOT NULL,
        size INTEGER NOT NULL,
        received_at REAL NOT NULL,
        taken INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX received_of_system ON received (system, id, size);
    """,
)
"""Each makes a journal of its version from one of the version before; the first from an empty
file. What was released is never changed: a change of tables is one step more.

``attempts`` has what changes of an entry: to change a row is to write all of it again, data
included. ``size`` is the length of ``data``, so that an index alone tells how much there is.
``history`` is a JSON array of arrays: when, why, whether it crashed. ``rates`` counts in
:data:`BUCKET` seconds each, ``at`` being the number of those since 1970."""

VERSION: Final = len(STEPS)
BUCKET: Final = 10


def require_ours(connection: sqlite3.Connection, path: str, newest: int = VERSION) -> int:
    """The version of a file's tables; 0 if there is nothing in it.

    Raises:
        JournalError: it is another program's, or of a newer version than this one.
        sqlite3.Error: it cannot be read.
    """
    [version] = connection.execute("PRAGMA user_version").fetchone()
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise JournalError(
            f"{path} is another program's database, no journal of extsys; choose another state "
            "directory, or move the file away"
        )
    if version > newest:
        raise JournalError(
            f"the journal {path} is of version {version}, and this extsys knows versions up to "
            f"{newest}; run a newer extsys, or choose another state directory"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, path: str, steps: Sequence[str] = STEPS) -> None:
    """Have the tables of this version, in one transaction: all of it is done, or nothing.

    Raises:
        JournalError: as :func:`require_ours`.
        sqlite3.Error: it cannot be read or written.
    """
    if require_ours(connection, path, len(steps)) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = require_ours(connection, path, len(steps))
        for step in steps[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        if version == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(
                "INSERT INTO about (one, journal_id) VALUES (1, ?)", (secrets.token_hex(8),)
            )
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
