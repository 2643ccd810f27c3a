"""An event loop with the face of a selector, for what is written for selectors."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable
from typing import Any


class LoopSelector:
    """Has the running loop wait for sockets, among all else that it waits for: that is one
    call of the system less for each event than a selector of their own, which the loop would
    have to wait for."""

    def __init__(self, on_ready: Callable[[Any, int], None]) -> None:
        """
        Args:
            on_ready: called by the loop with the data registered for a socket, and what it is
                ready for.
        """
        self._loop = asyncio.get_running_loop()
        self._on_ready = on_ready

    def register(self, sock: socket.socket, events: int, data: Any) -> None:
        if events & selectors.EVENT_READ:
            self._loop.add_reader(sock, self._on_ready, data, selectors.EVENT_READ)
        if events & selectors.EVENT_WRITE:
            self._loop.add_writer(sock, self._on_ready, data, selectors.EVENT_WRITE)

    def modify(self, sock: socket.socket, events: int, data: Any) -> None:
        self.unregister(sock)
        self.register(sock, events, data)

    def unregister(self, sock: socket.socket) -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def close(self) -> None:
        """Nothing to do: what is registered ends with its socket's own unregistration."""
