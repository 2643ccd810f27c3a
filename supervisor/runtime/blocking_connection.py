"""How a runtime's own processes hear the supervisor: as clients like any other.

What a supervisor said before it was killed is still there to be read.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

from actors.wire.frames import FrameDecoder, WireError, encode_frame
from supervisor.messages import SupervisorClosing


class BlockingConnection:
    """A connection without an event loop."""

    def __init__(self, path: str) -> None:
        """
        Raises:
            OSError: nobody listens at ``path``.
        """
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._sock.connect(path)
        except OSError:
            self._sock.close()
            raise
        self._reader = FrameDecoder()
        self.at_end = False
        self.closing: SupervisorClosing | None = None
        """Set once the supervisor said that it ends in order."""

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, *messages: Any) -> None:
        try:
            self._sock.sendall(encode_frame(messages))
        except OSError:
            self.at_end = True

    def read(self) -> Iterator[Any]:
        """What has come; waits for something."""
        try:
            count = self._sock.recv_into(self._reader.room)
        except OSError:
            count = 0
        if not count:
            self.at_end = True
            return
        try:
            for message in self._reader.received(count):
                if isinstance(message, SupervisorClosing):
                    self.closing = message
                yield message
        except WireError:
            self.at_end = True

    def hang_up(self, seconds: float) -> None:
        """Wait, for so long at most, until the supervisor has hung up as well: after that it
        has told all clients what it had to tell them."""
        deadline = time.monotonic() + seconds
        try:
            self._sock.shutdown(socket.SHUT_WR)
            while not self.at_end and (left := deadline - time.monotonic()) > 0:
                self._sock.settimeout(left)
                for _ in self.read():
                    pass
        except OSError:
            pass

    def close(self) -> None:
        self._sock.close()
