"""Pickled messages over a stream socket, each after its length; everything blocks."""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")
_CHUNK: Final = 1 << 16


class Stream:
    """One end of a connection."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._read = bytearray()
        """What was received of messages not taken yet."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def detach(self) -> int:
        """Its descriptor, which is the caller's from now on."""
        return self._socket.detach()

    def close(self) -> None:
        self._socket.close()

    def send(self, *messages: Any) -> None:
        """Send messages; small ones together."""
        parts: list[bytes] = []
        for message in messages:
            pickled = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
            if len(pickled) > _CHUNK:
                # Joining would copy it once more.
                self._socket.sendall(b"".join([*parts, _LENGTH.pack(len(pickled))]))
                self._socket.sendall(pickled)
                parts = []
            else:
                parts += [_LENGTH.pack(len(pickled)), pickled]
        if parts:
            self._socket.sendall(b"".join(parts))

    def receive(self) -> list[Any]:
        """Wait for a message, and take those with it that have arrived as well.

        Raises:
            EOFError: the other end is closed.
        """
        messages: list[Any] = []
        while not messages:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise EOFError
            self._read += chunk
            messages = self._take()
        return messages

    def _take(self) -> list[Any]:
        messages = []
        start = 0
        while len(self._read) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._read, start)
            begin, end = start + _LENGTH.size, start + _LENGTH.size + length
            if end > len(self._read) and length > _CHUNK:
                messages.append(pickle.loads(self._receive_rest(begin, length)))
                return messages
            if end > len(self._read):
                break
            messages.append(pickle.loads(memoryview(self._read)[begin:end]))
            start = end
        del self._read[:start]
        return messages

    def _receive_rest(self, begin: int, length: int) -> bytearray:
        """The big message at the end of what was read, straight to where it stays."""
        message = bytearray(length)
        have = len(self._read) - begin
        message[:have] = self._read[begin:]
        self._read.clear()
        view = memoryview(message)
        while have < length:
            more = self._socket.recv_into(view[have:])
            if not more:
                raise EOFError
            have += more
        return message
