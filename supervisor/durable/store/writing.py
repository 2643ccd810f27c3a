"""What the operations of a write do to the tables of a journal. The transaction is the caller's."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from supervisor.durable.entry import (
    DeadLetter,
    Entry,
    FailedAttempt,
    Form,
    ReceivedItem,
    StoredData,
)
from supervisor.durable.plain import as_json
from supervisor.durable.store.rows import history_text, history_with, shortened
from supervisor.durable.store.schema import BUCKET
from supervisor.messages.journal import (
    Accept,
    Acknowledged,
    AttemptFailed,
    BeginAttempt,
    Bury,
    Delivered,
    Discard,
    JournalLimits,
    KeepReceived,
    Operation,
    Revive,
    TakeBackAttempt,
    TakeIn,
    Taken,
)

_RATES_FOR: Final = 600
"""Seconds for which rates are kept."""
_FORGET_AT_ONCE: Final = 1000
"""Dead letters, in one transaction: nobody is to wait for it long."""


@attrs.define
class About:
    """What a journal says about itself: its one row of ``about``."""

    journal_id: str
    next_id: int
    next_received_id: int
    last_write: int

    @classmethod
    def read(cls, db: sqlite3.Connection) -> About:
        names = ", ".join(each.name for each in attrs.fields(cls))
        [row] = db.execute(f"SELECT {names} FROM about")
        return cls(*row)


class Writer:
    """The operations of one write, within its transaction. A new one for each."""

    def __init__(self, db: sqlite3.Connection, about: About) -> None:
        """
        Args:
            about: as it was before; changed as it is to be after it.
        """
        self._db = db
        self._about = about
        self._systems: dict[str, int] = {}
        self._accepted: Counter[tuple[int, int]] = Counter()
        self._delivered: Counter[tuple[int, int]] = Counter()
        """How many, by system and bucket of time."""
        self._known: set[str] | None = None
        """The idempotency ids of all entries and dead letters; None until they are needed."""

    def apply(self, number: int, operations: Sequence[Operation]) -> None:
        """
        Raises:
            ValueError: an id was used before, or something cannot be written as it is.
            sqlite3.Error: SQLite fails.
        """
        for operation in operations:
            self._apply(operation)
        self._count()
        about = self._about
        about.last_write = number
        self._db.execute(
            "UPDATE about SET next_id = ?, next_received_id = ?, last_write = ?",
            (about.next_id, about.next_received_id, number),
        )

    def _apply(self, operation: Operation) -> None:
        match operation:
            case Accept():
                self._accept(operation.entry)
            case BeginAttempt():
                self._each(
                    "INSERT INTO attempts (id, attempts, under_way) SELECT id, 1, 1 FROM entries "
                    "WHERE id = ? ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1, "
                    "under_way = 1",
                    operation.ids,
                )
            case TakeBackAttempt():
                self._each(
                    "UPDATE attempts SET attempts = max(0, attempts - under_way), under_way = 0 "
                    "WHERE id = ?",
                    operation.ids,
                )
            case AttemptFailed():
                self._failed(operation)
            case Delivered():
                self._deliver(operation)
            case Bury():
                self._bury(operation)
            case TakeIn():
                self._take_in(operation.letter)
            case Revive():
                self._revive(operation.ids)
            case Discard():
                self._forget_entries(operation.ids)
                self._each("DELETE FROM dead_letters WHERE id = ?", operation.ids)
            case KeepReceived():
                self._keep(operation.item)
            case Taken():
                self._each("UPDATE received SET taken = taken + 1 WHERE id = ?", operation.ids)
            case Acknowledged():
                self._each("DELETE FROM received WHERE id = ?", operation.ids)

    # ---- what is to be delivered ----------------------------------------------------------

    def _accept(self, entry: Entry) -> None:
        if entry.id < self._about.next_id:
            raise ValueError(f"entry {entry.id}: the next id is {self._about.next_id}")
        self._about.next_id = entry.id + 1
        system, data = self._system(entry.system_name), _as_it_is(entry.data)
        self._db.execute(
            "INSERT INTO entries (id, system, form, data, size, accepted_at, origin) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                entry.id,
                system,
                data.form.value,
                data.encoded,
                data.size,
                entry.accepted_at,
                entry.origin,
            ),
        )
        if entry.attempts or entry.crashes or entry.history:
            self._db.execute(
                "INSERT INTO attempts (id, attempts, crashes, history) VALUES (?, ?, ?, ?)",
                (entry.id, entry.attempts, entry.crashes, history_text(entry.history)),
            )
        self._accepted[system, int(entry.accepted_at) // BUCKET] += 1

    def _failed(self, failed: AttemptFailed) -> None:
        row = self._db.execute(
            "SELECT coalesce(a.history, '[]') FROM entries e LEFT JOIN attempts a ON a.id = e.id "
            "WHERE e.id = ?",
            (failed.id,),
        ).fetchone()
        if row is None:
            return
        attempt = FailedAttempt(failed.at, failed.why, failed.crashed)
        self._db.execute(
            "INSERT INTO attempts (id, crashes, history) VALUES (?, ?, ?) ON CONFLICT (id) "
            "DO UPDATE SET crashes = crashes + excluded.crashes, under_way = 0, "
            "history = excluded.history",
            (failed.id, int(failed.crashed), history_with(row[0], attempt)),
        )

    def _deliver(self, delivered: Delivered) -> None:
        bucket = int(delivered.at) // BUCKET
        for id_ in delivered.ids:
            row = self._db.execute("SELECT system FROM entries WHERE id = ?", (id_,)).fetchone()
            if row is not None:
                self._delivered[row[0], bucket] += 1
        self._forget_entries(delivered.ids)

    def _bury(self, bury: Bury) -> None:
        self._db.execute(
            "INSERT INTO dead_letters (id, system, form, data, size, accepted_at, origin, "
            "attempts, crashes, history, why, buried_at) "
            "SELECT e.id, e.system, e.form, e.data, e.size, e.accepted_at, e.origin, "
            "coalesce(a.attempts, 0), coalesce(a.crashes, 0), coalesce(a.history, '[]'), ?, ? "
            "FROM entries e LEFT JOIN attempts a ON a.id = e.id WHERE e.id = ?",
            (shortened(bury.why), bury.at, bury.id),
        )
        self._forget_entries((bury.id,))

    def _take_in(self, letter: DeadLetter) -> None:
        if self._known is None:
            self._known = delivery_ids(self._db)
        entry = letter.entry
        known = entry.delivery_id(self._about.journal_id)
        if known in self._known:
            self._about.next_id = max(self._about.next_id, entry.id + 1)
            return
        self._known.add(known)
        self._accept(entry)
        self._bury(Bury(entry.id, letter.why, letter.buried_at))

    def _revive(self, ids: tuple[int, ...]) -> None:
        self._each("UPDATE attempts SET attempts = 0, crashes = 0 WHERE id = ?", ids)
        columns = "id, system, form, data, size, accepted_at, origin"
        self._each(
            f"INSERT INTO entries ({columns}) SELECT {columns} FROM dead_letters WHERE id = ?", ids
        )
        self._each(
            "INSERT INTO attempts (id, history) SELECT id, history FROM dead_letters WHERE id = ?",
            ids,
        )
        self._each("DELETE FROM dead_letters WHERE id = ?", ids)

    def _forget_entries(self, ids: tuple[int, ...]) -> None:
        self._each("DELETE FROM entries WHERE id = ?", ids)
        self._each("DELETE FROM attempts WHERE id = ?", ids)

    # ---- what was received ----------------------------------------------------------------

    def _keep(self, item: ReceivedItem) -> None:
        if item.id < self._about.next_received_id:
            raise ValueError(f"item {item.id}: the next id is {self._about.next_received_id}")
        self._about.next_received_id = item.id + 1
        data = _as_it_is(item.data)
        self._db.execute(
            "INSERT INTO received (id, system, form, data, size, received_at, taken) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                item.id,
                self._system(item.system_name),
                data.form.value,
                data.encoded,
                data.size,
                item.received_at,
                item.taken,
            ),
        )

    # ---- both -----------------------------------------------------------------------------

    def _each(self, statement: str, ids: Iterable[int]) -> None:
        self._db.executemany(statement, ((id_,) for id_ in ids))

    def _system(self, name: str) -> int:
        number = self._systems.get(name)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO systems (name) VALUES (?)", (name,))
            [(number,)] = self._db.execute("SELECT id FROM systems WHERE name = ?", (name,))
            self._systems[name] = int(number)
        return int(number)

    def _count(self) -> None:
        for column, counts in (("accepted", self._accepted), ("delivered", self._delivered)):
            self._db.executemany(
                f"INSERT INTO rates (system, at, {column}) VALUES (?, ?, ?) "
                f"ON CONFLICT (system, at) DO UPDATE SET {column} = {column} + excluded.{column}",
                [(*key, count) for key, count in counts.items()],
            )


def delivery_ids(db: sqlite3.Connection) -> set[str]:
    """The idempotency ids of all entries and dead letters."""
    journal_id = About.read(db).journal_id
    return {
        origin or f"{journal_id}-{id_}"
        for table in ("entries", "dead_letters")
        for id_, origin in db.execute(f"SELECT id, origin FROM {table}")
    }


def forget_old(db: sqlite3.Connection, limits: JournalLimits, now: float) -> int:
    """Forget the dead letters that are too old, or too many, and rates nobody asks for.

    Returns:
        how many dead letters. Some may be left for the next time.
    """
    db.execute("DELETE FROM rates WHERE at < ?", ((now - _RATES_FOR) // BUCKET,))
    [(count,)] = db.execute("SELECT count(*) FROM dead_letters")
    forgotten: int = max(0, count - limits.max_dead_letters)
    if limits.dead_letters_for is not None:
        [(old,)] = db.execute(
            "SELECT count(*) FROM dead_letters WHERE buried_at < ?",
            (now - limits.dead_letters_for,),
        )
        forgotten = max(forgotten, old)
    forgotten = min(forgotten, _FORGET_AT_ONCE)
    db.execute(
        "DELETE FROM dead_letters WHERE id IN "
        "(SELECT id FROM dead_letters ORDER BY buried_at, id LIMIT ?)",
        (forgotten,),
    )
    return forgotten


def size_of(operations: Sequence[Operation]) -> int:
    """Bytes of data that they bring."""
    sizes: list[int] = []
    for operation in operations:
        if isinstance(operation, TakeIn):
            sizes.append(operation.letter.entry.data.size)
        elif isinstance(operation, Accept):
            sizes.append(operation.entry.data.size)
        elif isinstance(operation, KeepReceived):
            sizes.append(operation.item.data.size)
    return sum(sizes)


def brings_something(operations: Sequence[Operation]) -> bool:
    return any(isinstance(each, Accept | TakeIn | KeepReceived) for each in operations)


def _as_it_is(data: StoredData) -> StoredData:
    if data.form is Form.PICKLE:
        plain = as_json(data.encoded)
        if plain is not None:
            return StoredData(Form.JSON, plain)
    return data
