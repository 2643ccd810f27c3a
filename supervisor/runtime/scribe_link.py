"""A scribe's connection to its supervisor, whichever that is at present."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, Final

from actors.wire.frames import FrameDecoder, WireError
from actors.wire.unsent import Unsent

_MOST: Final = 8 * 1024 * 1024
"""Bytes that a supervisor may leave unread; what is more is not said to it."""


class ScribeLink:
    """Never waits."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.sock: socket.socket | None = None
        """None while there is none."""
        self._reader = FrameDecoder()
        self._unsent = Unsent()

    @property
    def wants_to_write(self) -> bool:
        return bool(self._unsent)

    @property
    def is_full(self) -> bool:
        """Whether the supervisor has so much to read that it is to be told no more."""
        return self._unsent.size > _MOST

    def open(self) -> bool:
        """Try to reach it; whether it is there."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self._path)
        except OSError:
            sock.close()
            return False
        self.sock = sock
        self._reader = FrameDecoder()
        self._unsent = Unsent()
        return True

    def say(self, *messages: Any) -> None:
        """Have it told; nothing, if it is not there."""
        if self.sock is not None:
            self._unsent.add(list(messages))
            self.write()

    def write(self) -> None:
        """Send what it takes now."""
        if self.sock is None:
            return
        try:
            self._unsent.write(self.sock)
        except OSError:
            self._unsent = Unsent()  # the end shows when it is read

    def read(self) -> Iterator[Any]:
        """What it has said; at its end the link is closed."""
        assert self.sock is not None
        try:
            count = self.sock.recv_into(self._reader.room)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        try:
            if count:
                yield from self._reader.received(count)
                return
        except WireError:
            pass
        self.close()

    def close(self) -> None:
        """Say nothing more."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None
