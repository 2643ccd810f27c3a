"""A manager's connection to one incarnation of a system, without its supervisor between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from actors.messages import Answered, Deliver
from actors.unix_base.kernel.credentials import refuse_stranger
from actors.wire.frames import FrameDecoder, WireError, encode_frame

KNOCKS: Final = 1
"""Deliveries with nothing in them that a link begins with."""
_KNOCK_PATIENCE: Final = 5.0
"""Seconds that a system may take to answer them; one that hangs is no better than none."""


class Link(asyncio.BufferedProtocol):
    """Made by :meth:`open`. All methods run on the event loop that opened it."""

    def __init__(self, system_name: str, incarnation: int) -> None:
        self._system_name = system_name
        self._incarnation = incarnation
        self._reader = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._answers: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_answer: Callable[[Answered], None] = lambda _: None
        self.on_lost: Callable[[], None] = lambda: None
        self.is_open = True
        self.says_connected = False
        """What the system said last of its connection."""

    @classmethod
    async def open(cls, path: str, system_name: str, incarnation: int) -> Link:
        """Connect to a system's door, and wait until it answers.

        Raises:
            OSError: nobody is there, it is somebody else, or it does not answer.
        """
        loop = asyncio.get_running_loop()
        transport, link = await loop.create_unix_connection(
            lambda: cls(system_name, incarnation), path
        )
        try:
            refuse_stranger(transport.get_extra_info("socket"), path)
            link.say([Deliver(KNOCKS, ())])
            async with asyncio.timeout(_KNOCK_PATIENCE):
                await link._answers
        except BaseException:
            link.abort()
            raise
        return link

    def say(self, messages: Sequence[Any]) -> None:
        """Send messages, as one frame.

        Raises:
            Exception: one cannot be pickled, or the frame is too long; nothing is sent.
        """
        assert self._transport is not None
        self._transport.write(encode_frame(messages))

    def drain(self) -> None:
        """Take what the system has said by now: of one that has ended, its last words."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        try:
            while self.is_open and (count := os.readv(sock.fileno(), [self._reader.room])):
                self.buffer_updated(count)
        except OSError:
            pass

    def abort(self) -> None:
        """Close at once; nothing more is heard of it."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # ---- in --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of uvloop it is one in all but its class.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._reader.room

    def buffer_updated(self, nbytes: int) -> None:
        if not self.is_open:
            return
        try:
            for message in self._reader.received(nbytes):
                if isinstance(message, Answered):
                    self._hear(message)
        except WireError:
            self._lose()
            self.abort()

    def _hear(self, said: Answered) -> None:
        if (said.system_name, said.incarnation) != (self._system_name, self._incarnation):
            return
        if not self._answers.done():
            self._answers.set_result(None)
        self.on_answer(said)

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None and self.is_open:
            self.drain()  # a write found the end before what was said last was read
        self._lose()

    def _lose(self) -> None:
        if not self._answers.done():
            self._answers.set_exception(ConnectionError("it hung up"))
            self._answers.exception()  # nobody may wait for it any more
        if self.is_open:
            self.is_open = False
            self.on_lost()
