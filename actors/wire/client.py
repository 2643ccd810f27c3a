"""A client's end of a connection to a door, on an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

from actors.unix_base.kernel.credentials import peer_pid, refuse_stranger
from actors.wire.frames import FrameDecoder, WireError, encode_frame


class DoorConnection(asyncio.BufferedProtocol):
    """Reads what the actor behind a door says, up to its last words.

    Made by :meth:`connect`. All methods run on the event loop that did that.
    """

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._has_heard = False
        """Whether anything came of it, perhaps no message yet."""

    @classmethod
    async def connect(cls, path: str, make: Callable[[], Self]) -> Self:
        """Connect to the socket file at ``path``.

        Raises:
            OSError: nobody listens there, or the socket is another user's.
        """
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_unix_connection(make, path)
        try:
            refuse_stranger(transport.get_extra_info("socket"), path)
        except OSError:
            transport.abort()
            raise
        return connection

    # ---- for subclasses to say ---------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether anything that comes is still to be heard."""
        raise NotImplementedError

    def _hear(self, message: Any) -> None:
        """The actor said something."""
        raise NotImplementedError

    def _end(self, error: Exception | None) -> None:
        """Nothing more is heard of the actor.

        Args:
            error: None where it hung up; a :class:`WireError` of what it said, which is then
                not listened to any more; or how the connection was lost.
        """
        raise NotImplementedError

    # ---- out ---------------------------------------------------------------------------------

    def say(self, messages: Sequence[Any]) -> None:
        """Send messages, as one frame.

        Raises:
            Exception: one cannot be pickled, or the frame is too long; nothing is sent.
        """
        assert self._transport is not None
        self._transport.write(encode_frame(messages))

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def peer_pid(self) -> int | None:
        """The process at the other end, where the system tells, until the connection ends."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        return None if sock is None or sock.fileno() < 0 else peer_pid(sock)

    # ---- in ----------------------------------------------------------------------------------

    def drain(self) -> None:
        """Take what has been said by now: of an actor that has ended, its last words."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        try:
            while self.is_open and (count := os.readv(sock.fileno(), [self._decoder.room])):
                self.buffer_updated(count)
        except OSError:
            pass

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of uvloop it is one in all but its class.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._decoder.room

    def buffer_updated(self, nbytes: int) -> None:
        if not self.is_open:
            return
        self._has_heard = True
        try:
            for message in self._decoder.received(nbytes):
                self._hear(message)
        except WireError as error:
            self._end(error)
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None and self.is_open:
            self.drain()  # a write found the end before what was said last was read
        self._end(error)
