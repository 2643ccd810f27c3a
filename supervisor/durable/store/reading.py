"""What is asked of a journal: its entries, dead letters, received items, and how many there are."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from supervisor.durable.entry import DeadLetter, Entry, OutboxDepth, ReceivedItem
from supervisor.durable.store import rows
from supervisor.durable.store.check import check
from supervisor.durable.store.errors import CHECK, DamagedJournalError, failed
from supervisor.durable.store.schema import BUCKET
from supervisor.durable.store.writing import About
from supervisor.messages.journal import LOAD_BYTES, LOAD_ITEMS

T = TypeVar("T")

_RATES_OVER: Final = 60
"""Seconds."""


class JournalReader:
    """An open journal, for reading."""

    def __init__(
        self, path: str, db: sqlite3.Connection, clock: Callable[[], float] = time.time
    ) -> None:
        """
        Args:
            db: in autocommit mode; its tables are of this version.
            clock: the wall clock, in seconds.

        Raises:
            JournalError: it cannot be read.
        """
        self.path = path
        self._db = db
        self._clock = clock
        with self._reading():
            self.about = About.read(db)

    def close(self) -> None:
        self._db.close()

    def load(
        self,
        system_name: str,
        after: int = 0,
        limit: int = LOAD_ITEMS,
        max_bytes: int = LOAD_BYTES,
    ) -> tuple[tuple[Entry, ...], bool]:
        """The entries of a system that wait, in order, and whether there are more; as
        :class:`supervisor.messages.journal.Load` asks for them.

        Raises:
            JournalError: they cannot be read.
        """
        statement = (
            f"SELECT {rows.ENTRY} FROM {rows.ENTRIES} WHERE s.name = ? AND e.id > ? ORDER BY e.id"
        )
        return self._page(statement, (system_name, after), limit, max_bytes, rows.entry_of)

    def load_dead_letters(
        self,
        system_name: str | None = None,
        ids: Sequence[int] | None = None,
        after: int = 0,
        limit: int = LOAD_ITEMS,
        max_bytes: int = LOAD_BYTES,
    ) -> tuple[tuple[DeadLetter, ...], bool]:
        """Dead letters in order of their ids, and whether there are more; as
        :class:`supervisor.messages.journal.LoadDeadLetters` asks for them.

        Raises:
            JournalError: they cannot be read.
        """
        where = "e.id > ?"
        if system_name is not None:
            where = f"s.name = ? AND {where}"
        if ids is not None:
            where += f" AND e.id IN ({', '.join(str(int(each)) for each in ids)})"
        statement = f"SELECT {rows.LETTER} FROM {rows.LETTERS} WHERE {where} ORDER BY e.id"
        given = (after,) if system_name is None else (system_name, after)
        return self._page(statement, given, limit, max_bytes, rows.letter_of)

    def load_received(
        self,
        system_name: str,
        after: int = 0,
        limit: int = LOAD_ITEMS,
        max_bytes: int = LOAD_BYTES,
    ) -> tuple[tuple[ReceivedItem, ...], bool]:
        """The items of a system that are not acknowledged, in order, and whether there are more.

        Raises:
            JournalError: they cannot be read.
        """
        statement = (
            f"SELECT {rows.RECEIVED} FROM {rows.RECEIVED_ITEMS} "
            "WHERE s.name = ? AND e.id > ? ORDER BY e.id"
        )
        return self._page(statement, (system_name, after), limit, max_bytes, rows.item_of)

    def depths(self) -> tuple[OutboxDepth, ...]:
        """What there is for each system, by name; of those for which there is something, or was
        within a minute.

        Raises:
            JournalError: it cannot be read.
        """
        now = self._clock()
        with self._reading(), self._at_one_moment():
            names = dict(self._db.execute("SELECT id, name FROM systems"))
            waiting = self._sums("entries")
            dead = self._sums("dead_letters")
            received = self._sums("received")
            oldest = {
                system: self._oldest(first) for system, (_, _, first) in waiting.items() if first
            }
            rates = {
                system: (accepted, delivered)
                for system, accepted, delivered in self._db.execute(
                    "SELECT system, sum(accepted), sum(delivered) FROM rates "
                    "WHERE at > ? AND at <= ? GROUP BY system",
                    ((now - _RATES_OVER) // BUCKET, now // BUCKET),
                )
            }
        none = (0, 0, 0)
        return tuple(
            OutboxDepth(
                system_name=names[system],
                waiting=waiting.get(system, none)[0],
                waiting_bytes=waiting.get(system, none)[1],
                oldest_at=oldest.get(system),
                dead=dead.get(system, none)[0],
                received=received.get(system, none)[0],
                received_bytes=received.get(system, none)[1],
                accepted_per_second=rates.get(system, none)[0] / _RATES_OVER,
                delivered_per_second=rates.get(system, none)[1] / _RATES_OVER,
            )
            for system in sorted(names, key=names.__getitem__)
            if system in waiting.keys() | dead.keys() | received.keys() | rates.keys()
        )

    def find_dead_letters(
        self, system_name: str | None = None, ids: Sequence[int] | None = None
    ) -> tuple[tuple[int, str, int], ...]:
        """Id, system and size of each dead letter; as
        :class:`supervisor.messages.journal.FindDeadLetters` asks for them.

        Raises:
            JournalError: they cannot be read.
        """
        wanted = None if ids is None else frozenset(ids)
        statement = f"SELECT e.id, s.name, e.size FROM {rows.LETTERS} ORDER BY e.id"
        with self._reading():
            return tuple(
                (id_, name, size)
                for id_, name, size in self._db.execute(statement)
                if system_name in (None, name) and (wanted is None or id_ in wanted)
            )

    def faults(self) -> list[str]:
        """What is wrong with it, as :func:`supervisor.durable.store.check.check` finds it."""
        return check(self._db)

    # ---- details ---------------------------------------------------------------------------

    def _sums(self, table: str) -> dict[int, tuple[int, int, int]]:
        """By system: how many, their bytes, the first id."""
        found = self._db.execute(
            f"SELECT system, count(*), sum(size), min(id) FROM {table} GROUP BY system"
        )
        return {system: (count, size, first) for system, count, size, first in found}

    def _oldest(self, id_: int) -> float:
        [(at,)] = self._db.execute("SELECT accepted_at FROM entries WHERE id = ?", (id_,))
        return float(at)

    def _page(
        self,
        statement: str,
        given: tuple[Any, ...],
        limit: int,
        max_bytes: int,
        build: Callable[[Sequence[Any]], T],
    ) -> tuple[tuple[T, ...], bool]:
        page: list[T] = []
        size = 0
        with self._reading():
            cursor = self._db.execute(statement, given)
            try:
                for row in cursor:
                    size += len(row[3])
                    if page and (len(page) >= limit or size > max_bytes):
                        return tuple(page), True
                    page.append(build(row))
            finally:
                cursor.close()
        return tuple(page), False

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise failed(self.path, error) from error
        except (ValueError, TypeError) as error:
            text = f"the journal {self.path} is damaged: what it holds is nothing that is written "
            raise DamagedJournalError(f"{text}there ({error}); {CHECK}") from error

    @contextmanager
    def _at_one_moment(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
