"""Where a journal is, who has it, and reading it while nobody has: nothing is made for that."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from actors.unix_base.kernel.held_directory import HeldDirectory, HeldError
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from supervisor.durable.store.check import rescue
from supervisor.durable.store.errors import (
    DamagedJournalError,
    HeldJournalError,
    JournalError,
    NoJournalError,
    failed,
)
from supervisor.durable.store.reading import JournalReader
from supervisor.durable.store.schema import VERSION, migrate, require_ours
from supervisor.durable.store.store import Store, quoted, require_sqlite
from supervisor.messages.journal import JournalLimits

FILE: Final = "journal.db"
_PATIENCE: Final = 5.0
"""Seconds for whoever has the directory and is about to let go: a killed supervisor's journal,
or somebody who reads."""
_LOOK_EVERY: Final = 0.02
_READ_FOR: Final = 1.0
"""Seconds in which to find out whether a runtime has it."""


def default_state_directory() -> Path:
    """Where a standalone runtime keeps what outlives it unless told otherwise: the first of
    $STATE_DIRECTORY, which systemd sets; or ``extsys`` in $XDG_STATE_HOME or ~/.local/state."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    return home / "extsys"


class HeldJournal:
    """A journal that this process has for itself, until :meth:`close` or its end."""

    def __init__(
        self,
        directory: str,
        limits: JournalLimits | None = None,
        clock: Callable[[], float] = time.time,
        *,
        make: bool = True,
        patience: float = _PATIENCE,
    ) -> None:
        """
        Args:
            directory: made if there is none, as is the journal in it.
            make: False if neither is to be made.
            patience: seconds to wait for whoever has the directory.

        Raises:
            NoJournalError: there is none, and none is to be made.
            HeldJournalError: another process has it.
            JournalError: it cannot be opened or made.
        """
        directory = os.path.abspath(directory)
        if not make and not os.path.lexists(os.path.join(directory, FILE)):
            raise NoJournalError(_no_journal(directory))
        self._held = _hold(directory, patience)
        try:
            _make_file(self._held.directory)
            self.store = Store(os.path.join(directory, FILE), limits, clock)
        except BaseException:
            self._held.close()
            raise

    def let_askers_go(self) -> None:
        """To be called now and then: those who asked who has the directory stand in a queue."""
        self._held.let_askers_go()

    def close(self) -> None:
        self.store.close()
        self._held.close()


@contextmanager
def journal_to_read(
    directory: str, clock: Callable[[], float] = time.time
) -> Iterator[JournalReader]:
    """A journal as it is on the disk, whether a runtime has it or not. Nothing is made or changed,
    also where the last one was killed. Meanwhile no runtime can take it.

    Raises:
        NoJournalError: there is none.
        JournalError: it cannot be read.
    """
    with connection_to_read(directory) as (path, db):
        try:
            version = require_ours(db, path)
            if version == 0:
                raise NoJournalError(_no_journal(os.path.dirname(path)))
            if version < VERSION:  # a runtime will bring it to this version; for now a copy is
                copy = sqlite3.connect(":memory:", isolation_level=None)
                try:
                    db.backup(copy)
                    migrate(copy, path)
                    yield JournalReader(path, copy, clock)
                finally:
                    copy.close()
                return
        except sqlite3.Error as error:
            raise failed(path, error) from error
        yield JournalReader(path, db, clock)


@contextmanager
def connection_to_read(directory: str) -> Iterator[tuple[str, sqlite3.Connection]]:
    """The path of a journal's file, and a connection that reads it and does nothing else.

    Raises:
        NoJournalError: there is none.
        JournalError: it cannot be opened.
    """
    directory = os.path.abspath(directory)
    path = os.path.join(directory, FILE)
    try:
        opened = PrivateDirectory(directory)
    except FileNotFoundError:
        raise NoJournalError(_no_journal(directory)) from None
    except NotPrivateError as error:
        raise JournalError(_not_private(error)) from error
    with opened:
        if opened.status(FILE) is None:
            raise NoJournalError(_no_journal(directory))
        require_sqlite(path)
        db = _connect_to_read(path, is_held=not _share(opened))
        try:
            yield path, db
        finally:
            db.close()


@attrs.frozen
class CheckReport:
    """What was found in a journal."""

    path: str
    faults: tuple[str, ...]
    """One sentence each; empty if it is sound."""
    is_damaged: bool
    """Whether it is not what it was; else it is another's, or of a newer version, perhaps."""
    held: int = 0
    """Entries, dead letters and received items."""


def check_journal(directory: str) -> CheckReport:
    """Read all of a journal.

    Raises:
        NoJournalError: there is none.
    """
    path = os.path.join(os.path.abspath(directory), FILE)
    try:
        with journal_to_read(directory) as reader:
            if faults := tuple(reader.faults()):
                return CheckReport(path, faults, is_damaged=True)
            held = sum(each.waiting + each.dead + each.received for each in reader.depths())
            return CheckReport(path, (), is_damaged=False, held=held)
    except NoJournalError:
        raise
    except JournalError as error:
        return CheckReport(path, (str(error),), isinstance(error, DamagedJournalError))


def rescue_journal(directory: str, write: Callable[[str], object]) -> int:
    """Write what can be read of a damaged journal; how many messages.

    Raises:
        NoJournalError: there is none.
        JournalError: nothing of it can be read.
    """
    with connection_to_read(directory) as (_, db):
        return rescue(db, write)


def _connect_to_read(path: str, is_held: bool) -> sqlite3.Connection:
    # Beside the process that writes it, SQLite's own locks keep both apart. While there is none,
    # the lock of the directory does, and SQLite is to make no files: for what a killed process
    # left in the log, it is given a file system without locks, in exclusive mode, which needs no
    # shared memory; without a log, the file is as good as one that never changes.
    name = f"file:{quoted(path)}?mode=ro"
    has_log = os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal") > 0
    if not is_held:
        name += "&vfs=unix-none" if has_log else "&immutable=1"
    try:
        db = sqlite3.connect(name, uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise failed(path, error) from error
    try:
        if not is_held:
            db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    except sqlite3.Error as error:
        db.close()
        raise failed(path, error) from error
    return db


def _share(directory: PrivateDirectory) -> bool:
    """Have nobody take the directory until it is closed; whether nobody has it."""
    deadline = time.monotonic() + _READ_FOR
    while True:
        try:
            fcntl.flock(directory.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            # Another reader of whether it is locked is done at once.
            if time.monotonic() >= deadline or not directory.is_at_its_path:
                return False
        time.sleep(_LOOK_EVERY)


def _hold(directory: str, patience: float) -> HeldDirectory:
    deadline = time.monotonic() + patience
    while True:
        try:
            return HeldDirectory(directory, lambda: PrivateDirectory(directory, make=True))
        except HeldError as error:
            if time.monotonic() >= deadline:
                who = "another process" if error.pid is None else f"process {error.pid}"
                raise HeldJournalError(
                    f"{who} has the journal in {directory}: a supervisor runs with it, or somebody "
                    "reads it; stop that supervisor, or choose another state directory"
                ) from None
        except NotPrivateError as error:
            raise JournalError(_not_private(error)) from error
        time.sleep(_LOOK_EVERY)


def _make_file(directory: PrivateDirectory) -> None:
    path = f"{directory.path}/{FILE}"
    try:
        try:
            fd = directory.open(FILE, os.O_RDWR)
        except FileNotFoundError:
            fd = directory.open(FILE, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            os.fsync(directory.fd)
            _sync_directory(os.path.dirname(directory.path))
        try:
            status = os.fstat(fd)
            if status.st_uid != os.geteuid():
                raise JournalError(
                    f"the journal {path} belongs to user id {status.st_uid}; run as that user, or "
                    "choose another state directory"
                )
            os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
    except OSError as error:
        why = error.strerror or error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "no space is left on its file system; make room there"
        raise JournalError(f"the journal {path} cannot be opened or made: {why}") from error


def _sync_directory(path: str) -> None:
    """Have a name that was made in a directory be there after a crash of the machine."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # it may be one that this user may pass through, but not read
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _no_journal(directory: str) -> str:
    return (
        f"there is no journal in {directory}: no supervisor has had a durable system with that "
        "state directory"
    )


def _not_private(error: NotPrivateError) -> str:
    remedy = "choose another state directory"
    if error.can_be_closed:
        remedy += f", or, if it is for extsys alone, run 'chmod 700 {error.path}'"
    return f"{error}; {remedy}"
