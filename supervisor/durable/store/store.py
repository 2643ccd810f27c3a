"""The journal's file, for the one process that writes it: SQLite, with the write-ahead log.

What was committed with ``synchronous=FULL`` is on the disk, and there after any crash. All times
are the wall clock's. What each call raises is told with it; afterwards the journal is as it was
before, but for :class:`BrokenJournalError`.
"""

from __future__ import annotations

import copy
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Final

from supervisor.durable.store.errors import (
    BrokenJournalError,
    DamagedJournalError,
    JournalError,
    WriteRefusedError,
    failed,
    in_words,
    is_damage,
    refuses_for_certain,
)
from supervisor.durable.store.reading import JournalReader
from supervisor.durable.store.schema import STEPS, migrate, require_ours
from supervisor.durable.store.writing import Writer, brings_something, forget_old, size_of
from supervisor.messages.journal import Bury, JournalLimits, Operation

_LOCKED_FOR: Final = 5.0
"""Seconds for which another program's lock is waited for."""
_FORGET_EVERY: Final = 60.0
_RESERVE: Final = 16 << 20
"""Bytes of the file system that nothing is accepted into."""
_FREE_PAGES: Final = 2500
"""Of 4 KiB: so many are left in the file for what comes next."""
_SHRINK_BY: Final = 25_000
_MAGIC: Final = b"SQLite format 3\0"
_SETTINGS: Final = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # counts for a new file only
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",  # where fsync(2) alone does not reach the disk: macOS
    "PRAGMA checkpoint_fullfsync = ON",
)


class Store(JournalReader):
    """An open journal. Whoever opens it holds its directory."""

    def __init__(
        self,
        path: str,
        limits: JournalLimits | None = None,
        clock: Callable[[], float] = time.time,
        steps: Sequence[str] = STEPS,
    ) -> None:
        """Open a journal, and bring its tables to this version; make it, if the file is empty.

        Args:
            path: of a file that exists, so that its mode is not ours to choose.
            clock: the wall clock, in seconds.

        Raises:
            JournalError: it is none, of a newer version, damaged, or cannot be opened or made.
        """
        self._limits = JournalLimits() if limits is None else limits
        self._forgot_at = 0.0
        require_sqlite(path)
        try:
            db = sqlite3.connect(
                f"file:{quoted(path)}?mode=rw", timeout=_LOCKED_FOR, uri=True, isolation_level=None
            )
        except sqlite3.Error as error:
            raise failed(path, error) from error
        try:
            require_ours(db, path, len(steps))
            for setting in _SETTINGS:
                db.execute(setting).fetchall()
            migrate(db, path, steps)
            super().__init__(path, db, clock)
            self._shrink()
            self._places = self._identities()
        except (sqlite3.Error, OSError) as error:
            db.close()
            if isinstance(error, sqlite3.Error):
                raise failed(path, error) from error
            raise JournalError(f"the journal {path} cannot be opened: {error}") from error
        except BaseException:
            db.close()
            raise

    def write(self, number: int, operations: Sequence[Operation]) -> int:
        """Do all of it, in order, in one transaction that is on the disk when this returns; as
        :class:`supervisor.messages.journal.Write` asks for it.

        Returns:
            how many dead letters were forgotten, as they were too many or too old.

        Raises:
            WriteRefusedError: nothing of it is on the disk.
            BrokenJournalError: that is not known, or the journal is of no use any more. Close it.
        """
        if number <= self.about.last_write:
            return 0  # it was done, and the answer was lost
        self._require_in_place()
        about = copy.copy(self.about)
        try:
            self._require_room(operations)
            self._db.execute("BEGIN IMMEDIATE")
            Writer(self._db, about).apply(number, operations)
            forgotten = self._forget(operations)
        except sqlite3.Error as error:
            self._roll_back()
            text = in_words(self.path, error)
            if is_damage(error):
                raise BrokenJournalError(text) from error
            raise WriteRefusedError(text) from error
        except (ValueError, OverflowError) as error:
            self._roll_back()
            text = f"the journal {self.path} cannot hold what it was given: {error}"
            raise WriteRefusedError(text) from error
        except BaseException:
            self._roll_back()
            raise
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            text = in_words(self.path, error)
            if not refuses_for_certain(error):
                raise BrokenJournalError(text) from error
            self._roll_back()
            raise WriteRefusedError(text) from error
        self.about = about
        return forgotten

    # ---- details ---------------------------------------------------------------------------

    def _require_room(self, operations: Sequence[Operation]) -> None:
        """What makes room is written whatever the limit says."""
        if not brings_something(operations):
            return
        # What becomes of messages is to be written, too, or they would never make room.
        disk = os.statvfs(os.path.dirname(self.path))
        free = disk.f_bavail * disk.f_frsize
        if free < _RESERVE + size_of(operations):
            raise WriteRefusedError(
                f"the journal {self.path}: no space is left for it on the file system, which has "
                f"{free:,} bytes free, and is to have {_RESERVE:,} for what becomes of messages; "
                "make room there"
            )
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        if pages * self._pragma("page_size") + size_of(operations) > self._limits.max_bytes:
            raise WriteRefusedError(
                f"the journal {self.path} has reached its limit of {self._limits.max_bytes:,} "
                "bytes: wait until some of it was delivered, or discard dead letters"
            )

    def _forget(self, operations: Sequence[Operation]) -> int:
        now = self._clock()
        buries = any(isinstance(each, Bury) for each in operations)
        if not buries and abs(now - self._forgot_at) < _FORGET_EVERY:
            return 0
        self._forgot_at = now
        return forget_old(self._db, self._limits, now)

    def _roll_back(self) -> None:
        """
        Raises:
            BrokenJournalError: even that fails.
        """
        try:
            if self._db.in_transaction:  # some errors have rolled back already
                self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise BrokenJournalError(in_words(self.path, error)) from error

    def _pragma(self, name: str) -> int:
        [(value,)] = self._db.execute(f"PRAGMA {name}")
        return int(value)

    def _shrink(self) -> None:
        """Give back what the file has too much. What is free in it is used first, so this can
        wait until there is time: while it is being opened."""
        free = self._pragma("freelist_count")
        if free > _FREE_PAGES and 2 * free > self._pragma("page_count"):
            self._db.execute(f"PRAGMA incremental_vacuum({_SHRINK_BY})").fetchall()

    def _identities(self) -> list[tuple[int, int]]:
        statuses = map(os.stat, (self.path, f"{self.path}-wal"))
        return [(each.st_dev, each.st_ino) for each in statuses]

    def _require_in_place(self) -> None:
        """SQLite goes on to write into files that were removed: nothing would be kept."""
        try:
            if self._identities() == self._places:
                return
            what = "another file is in the place"
        except FileNotFoundError as error:
            what = f"{error.filename} was removed"
        except OSError as error:
            what = str(error)
        raise BrokenJournalError(f"the journal {self.path}: {what}; what it held may be lost")


def require_sqlite(path: str) -> None:
    """
    Raises:
        JournalError: there is no file, or it holds something else than a database.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be opened: {error.strerror}") from error
    if head not in (b"", _MAGIC):
        raise DamagedJournalError(
            f"{path} is no journal, or one whose begin was overwritten; move it away, or choose "
            "another state directory"
        )


def quoted(path: str) -> str:
    """A path within a URI of SQLite's."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
