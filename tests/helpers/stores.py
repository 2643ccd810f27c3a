"""Journals for tests: what is put into one, and one that is opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.payload import wrap
from supervisor.durable.entry import Entry, ReceivedItem, StoredData
from supervisor.durable.store.store import Store
from supervisor.messages.journal import Accept, JournalLimits, KeepReceived

NOW = 1_800_000_000.0


def an_entry(id_: int, name: str = "plc", data: Any = b"on", at: float = NOW) -> Entry:
    return Entry(id_, name, StoredData.of(wrap(data)), at)


def accept(*ids: int, name: str = "plc", data: Any = b"on", at: float = NOW) -> tuple[Accept, ...]:
    return tuple(Accept(an_entry(id_, name, data, at)) for id_ in ids)


def keep(*ids: int, name: str = "plc", data: Any = b"on", at: float = NOW) -> list[KeepReceived]:
    data = StoredData.of(wrap(data))
    return [KeepReceived(ReceivedItem(id_, name, data, at)) for id_ in ids]


class Clock:
    """One that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@contextmanager
def opened(
    directory: Path, limits: JournalLimits | None = None, clock: Clock | None = None
) -> Iterator[Store]:
    store = open_store(directory, limits, clock)
    try:
        yield store
    finally:
        store.close()


def open_store(
    directory: Path, limits: JournalLimits | None = None, clock: Clock | None = None
) -> Store:
    path = directory / "journal.db"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return Store(str(path), limits, clock or Clock())


def in_memory() -> Path:
    """A new directory, in memory where there is such a file system: many tests of what a journal
    does need no disk."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    if where is not None and os.statvfs(where).f_bavail * os.statvfs(where).f_frsize < 32 << 20:
        where = None  # a container's may be small, and a journal wants to have room
    return Path(tempfile.mkdtemp(prefix="xt-", dir=where))


def waiting(store: Any, name: str = "plc") -> list[int]:
    """The ids of what waits for a system."""
    return [entry.id for entry in store.load(name)[0]]


def contents(store: Any) -> tuple[Any, ...]:
    """All that it holds, to be compared."""
    names = [each.system_name for each in store.depths()]
    return (
        store.about,
        {name: (store.load(name), store.load_received(name)) for name in names},
        store.load_dead_letters(),
    )


def dead(store: Any) -> list[int]:
    return [letter.entry.id for letter in store.load_dead_letters()[0]]
