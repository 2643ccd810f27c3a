"""Whether a journal is sound: what SQLite can tell, and what we know of what is in it."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from supervisor.durable.entry import DeadLetter, Entry, Form, ReceivedItem
from supervisor.durable.exchange import to_line
from supervisor.durable.store import rows

MOST: Final = 100
"""Faults that are told: a page that is lost makes many."""
_LOOK_UP_TO: Final = 1_000_000
"""Ids to look for in a journal that does not tell how many there were."""


def check(db: sqlite3.Connection) -> list[str]:
    """What is wrong with a journal, one sentence each; empty if it is sound. All of it is read.

    Args:
        db: whose tables are of this version.
    """
    faults: list[str] = []
    try:
        found = [row[0] for row in db.execute(f"PRAGMA integrity_check({MOST})")]
        faults += [each for each in found if each != "ok"]
        faults += [f"a row of {row[0]} is of an unknown system" for row in _strangers(db)]
        for fault in _faults_of_rows(db):
            faults.append(fault)
            if len(faults) >= MOST:
                break
    except sqlite3.Error as error:
        faults.append(f"it cannot be read: {error}")
    return faults


def _strangers(db: sqlite3.Connection) -> list[tuple[str]]:
    return db.execute("PRAGMA foreign_key_check").fetchall()


def _faults_of_rows(db: sqlite3.Connection) -> Iterator[str]:
    about = db.execute("SELECT next_id, next_received_id FROM about").fetchall()
    if len(about) != 1:
        yield f"it has {len(about)} rows about itself, and not one"
        return
    next_id, next_received = about[0]
    for what, select, tables, build, above in (
        ("entry", rows.ENTRY, rows.ENTRIES, rows.entry_of, next_id),
        ("dead letter", rows.LETTER, rows.LETTERS, rows.letter_of, next_id),
        ("received item", rows.RECEIVED, rows.RECEIVED_ITEMS, rows.item_of, next_received),
    ):
        for row in db.execute(f"SELECT {select}, e.size FROM {tables}"):
            try:
                built = build(row[:-1])
                item = built if isinstance(built, Entry | ReceivedItem) else built.entry
                _require_sound(item, row[-1], above)
            except (ValueError, TypeError) as error:
                yield f"{what} {row[0]} is not what is written there: {error}"
    for (id_,) in db.execute(
        "SELECT id FROM attempts WHERE id NOT IN (SELECT id FROM entries) LIMIT 1"
    ):
        yield f"attempts are counted of {id_}, which does not wait"
    for (id_,) in db.execute("SELECT id FROM entries WHERE id IN (SELECT id FROM dead_letters)"):
        yield f"{id_} both waits and is a dead letter"


def _require_sound(item: Entry | ReceivedItem, size: int, above: int) -> None:
    """
    Raises:
        ValueError: it is not.
    """
    if item.id >= above:
        raise ValueError(f"the next id is {above}")
    if item.data.size != size:
        raise ValueError(f"its data has {item.data.size} bytes, and {size} were written")
    if item.data.form in (Form.TEXT, Form.JSON):
        item.data.wrapped()


# ---- what can be saved ----------------------------------------------------------------------


def rescue(db: sqlite3.Connection, write: Callable[[str], object]) -> int:
    """Write all that can be read of what waits, and of dead letters, as JSON lines. What waits
    becomes dead letters.

    Returns:
        how many.
    """
    journal_id, last = _head(db)
    saved = 0
    for select, tables, build in (
        (rows.ENTRY, rows.ENTRIES, _as_letter),
        (rows.LETTER, rows.LETTERS, rows.letter_of),
    ):
        # Each by itself: where one page is lost, the others are not.
        for id_ in range(1, last + 1):
            try:
                found = db.execute(f"SELECT {select} FROM {tables} WHERE e.id = ?", (id_,))
                for row in found.fetchall():
                    write(to_line(build(row), journal_id) + "\n")
                    saved += 1
            except (sqlite3.Error, ValueError, TypeError):
                continue
    return saved


def _head(db: sqlite3.Connection) -> tuple[str, int]:
    """The journal's id, or another one, and the last id that an entry may have."""
    try:
        [(journal_id, next_id)] = db.execute("SELECT journal_id, next_id FROM about")
        return journal_id, next_id - 1
    except (sqlite3.Error, ValueError):
        return secrets.token_hex(8), _LOOK_UP_TO


def _as_letter(row: Sequence[Any]) -> DeadLetter:
    entry = rows.entry_of(row)
    return DeadLetter(entry, "it was saved from a damaged journal", entry.accepted_at)
