"""What a system actor has of its direct clients, noted where its supervisor sees it at once.

A small file that both map or read: the actor need not be asked, so it tells as much of an
actor that hangs, or that was killed in the middle of what it did.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from typing import Final

from actors.messages import (
    CallCommand,
    CheckHealth,
    QueryData,
    ReceiveData,
    ReceiveMany,
    Request,
    SendData,
    SendMany,
)
from actors.messages.tallied import NOTHING, Tallied

_KINDS: Final = (
    SendData,
    SendMany,
    CallCommand,
    CheckHealth,
    ReceiveData,
    ReceiveMany,
    QueryData,
)
_CODES: Final = {kind: code for code, kind in enumerate(_KINDS, 1)}
_SENT, _RECEIVED, _WAITING, _BUSY, _CONNECTED = range(5)
_WORD: Final = 8
"""Bytes; a number of this size is never seen half written."""
_SIZE: Final = 5 * _WORD


def tally_path(door_path: str) -> str:
    """Where the tally is of the actor with this door."""
    return f"{door_path}.tally"


class Tally:
    """The writing side."""

    def __init__(self, path: str) -> None:
        """Make the file.

        Raises:
            OSError: it cannot be made, or there is no room for it.
        """
        self._path = path
        self._make(bytes(_SIZE))
        self.waiting = 0

    def _make(self, noted: bytes) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._path, flags, 0o600)
        try:
            # Written, and not only made longer: a full disk is an error here, and not a
            # SIGBUS at the first note.
            if os.write(fd, noted) < _SIZE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")

    def look(self) -> None:
        """Make the file again if it was removed.

        Raises:
            OSError: as when it was first made; what is noted meanwhile is kept.
        """
        if not os.path.lexists(self._path):
            words, old = self._words, self._map
            self._make(bytes(words))
            words.release()
            old.close()

    def count_sent(self, items: int) -> None:
        self._words[_SENT] += items

    def count_received(self, items: int) -> None:
        self._words[_RECEIVED] = max(0, self._words[_RECEIVED] + items)

    def count_waiting(self, items: int) -> None:
        self.waiting += items
        self._words[_WAITING] = self.waiting

    def note_busy(self, request: Request | None) -> None:
        """Note the oldest request that is open."""
        self._words[_BUSY] = 0 if request is None else _CODES.get(type(request), 0)

    def note_connected(self, is_connected: bool) -> None:
        self._words[_CONNECTED] = is_connected

    def close(self) -> None:
        self._words.release()
        self._map.close()


def read_tally(path: str) -> Tallied:
    """What is noted at ``path``; nothing, if nobody notes anything there."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return NOTHING
    if len(data) != _SIZE:
        return NOTHING  # it is just being made
    words = memoryview(data).cast("Q")
    code = words[_BUSY]
    busy = _KINDS[code - 1] if 0 < code <= len(_KINDS) else None
    return Tallied(words[_SENT], words[_RECEIVED], words[_WAITING], busy, bool(words[_CONNECTED]))
