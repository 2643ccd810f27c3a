"""What can be wrong with a journal, in words, and what to do about it."""

from __future__ import annotations

import sqlite3
from typing import Final

CHECK: Final = "stop its supervisor and run 'extsys outbox check'"


class JournalError(Exception):
    """A journal cannot be opened, or read; the text says which, why, and what to do."""


class NoJournalError(JournalError):
    """There is none."""


class DamagedJournalError(JournalError):
    """It is not what was written."""


class HeldJournalError(JournalError):
    """A runtime has it."""


class WriteRefusedError(JournalError):
    """Nothing of a write is on the disk, and the journal is as it was before."""


class BrokenJournalError(JournalError):
    """It cannot be used any more until it was closed and opened again. Whether the last write is
    in it shows then."""


_REFUSED: Final = {
    sqlite3.SQLITE_FULL: "no space is left for it on the file system; make room there",
    sqlite3.SQLITE_BUSY: "another program has locked it; end that, and try again",
    sqlite3.SQLITE_READONLY: "it, or its file system, is read-only; make it writable",
    sqlite3.SQLITE_NOMEM: "no memory is left; free some, and try again",
    sqlite3.SQLITE_TOOBIG: "the data is longer than SQLite can store; send it in parts",
    sqlite3.SQLITE_CANTOPEN: "its files cannot be opened or made; see to the directory's rights, "
    "and to how many files may be open",
    sqlite3.SQLITE_IOERR: "its disk fails to read or write; see to the disk and the system's log",
}
"""By the primary code of an error (https://www.sqlite.org/rescode.html)."""
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it says that the file is not what it was."""
    return _primary(error) in _DAMAGED


def refuses_for_certain(error: sqlite3.Error) -> bool:
    """Whether a commit that failed with it left nothing on the disk: it was never written whole.
    Any other error, such as one of fsync(2), leaves open whether it is there after a crash."""
    full = _primary(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
    return full or _code(error) == sqlite3.SQLITE_IOERR_WRITE


def failed(path: str, error: sqlite3.Error) -> JournalError:
    """The error of whoever opens or reads a journal."""
    kind = DamagedJournalError if is_damage(error) else JournalError
    return kind(in_words(path, error))


def in_words(path: str, error: sqlite3.Error) -> str:
    """What happened to the journal at a path, and what to do."""
    said = f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
    if is_damage(error):
        return f"the journal {path} is damaged ({said}); {CHECK}"
    what = _REFUSED.get(_primary(error), f"SQLite failed; {CHECK}")
    return f"the journal {path}: {what} ({said})"


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", -1)  # some are of the module, and have none


def _primary(error: sqlite3.Error) -> int:
    return _code(error) & 0xFF
