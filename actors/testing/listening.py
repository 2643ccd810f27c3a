"""A port of this machine that can refuse connections for a while, and stays whose it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

HOST: Final = "127.0.0.1"
BUFFER: Final = 64 * 1024
"""Bytes that the operating system is asked to buffer at each socket: little, so that whoever
sends soon feels that nothing passes."""
_BACKLOG: Final = 128


def set_buffers(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


class Port:
    """Takes a free one, and refuses connections until :meth:`listen`.

    Args:
        accepted: called with each connected socket, on the event loop that runs now.
    """

    def __init__(self, accepted: Callable[[socket.socket], None]) -> None:
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._socket = _bound(0)

    @property
    def number(self) -> int:
        return int(self._socket.getsockname()[1])

    def listen(self) -> None:
        self._socket.listen(_BACKLOG)
        self._loop.add_reader(self._socket, self.take)

    def refuse(self) -> None:
        number = self.number
        self.close()
        # It is bound, so that nobody takes the port, and does not listen: that refuses.
        self._socket = _bound(number)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def take(self) -> None:
        """Have the connections that wait be accepted, if any do."""
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return  # none does, or it does not listen
            client.setblocking(False)
            self._accepted(client)


def _bound(number: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        set_buffers(sock)  # those of a connection are its listener's
        sock.bind((HOST, number))
    except BaseException:
        sock.close()
        raise
    return sock
