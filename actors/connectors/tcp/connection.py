"""One TCP connection as seen by its event loop: what came, what is lost, what is written.

A :class:`TcpConnection` is told of the end of the connection also when nobody receives, so there
is no reading task that could be left behind. What comes goes to a :class:`FrameQueue`; when
that is full the connection stops reading, and TCP makes the system wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, cast

from actors.connectors.framing.stream import Decoder
from actors.connectors.tls import class_for, explain
from actors.errors import ConnectorError, NotSentError
from actors.unix_base.kernel.buffers import new_room

QUEUE_SIZE: Final = 256 * 1024
"""Bytes of whole frames that wait for a receiver before the connection stops reading."""

MOST_KEPT: Final = 16 * 1024 * 1024
"""Bytes of whole frames that wait for a receiver, together with what had come already when the
other end closed a connection that had stopped reading."""

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at whether a connection that has stopped reading has ended: the event
loop is not told."""

FRAME_OVERHEAD: Final = 64
"""Counted on top of each frame: a flood of empty ones is bounded too."""

CLOSE_TIMEOUT: Final = 1.0
"""Seconds for a closing connection to write what it still has."""

_TCP_ESTABLISHED: Final = 1


class FrameQueue:
    """Whole frames that nobody has taken yet. Plain data: it pickles."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_full(self) -> bool:
        return self._size >= QUEUE_SIZE

    @property
    def is_overfull(self) -> bool:
        return self._size >= MOST_KEPT

    @property
    def has_room(self) -> bool:
        """Less than half full: resuming later than pausing saves switching on each frame."""
        return self._size < QUEUE_SIZE // 2

    def put(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._frames.append(frame)
            self._size += len(frame) + FRAME_OVERHEAD

    def first(self) -> bytes:
        """The next frame to take, which stays."""
        return self._frames[0]

    def take(self) -> bytes:
        frame = self._frames.popleft()
        self._size -= len(frame) + FRAME_OVERHEAD
        return frame

    def clear(self) -> int:
        """Drop all; how many there were."""
        count = len(self._frames)
        self._frames.clear()
        self._size = 0
        return count


class TcpConnection(asyncio.BufferedProtocol):
    """One connection, from the moment it stands until its socket is closed.

    Every method runs on the event loop that made the connection.

    Args:
        address: ``host:port``, for errors.
        decoder: of this connection alone.
        queue: where frames go.
        on_lost: called once, when the connection is lost; not after :meth:`close`.
        idle: seconds without anything that end an item, and so does the end of the connection;
            None when nothing but the framing ends one.

    Attributes:
        lost: why the connection is lost; None while it stands, and after :meth:`close`.
        lost_as: the class of error that this is.
        closed: set when the socket is closed.
    """

    def __init__(
        self,
        address: str,
        decoder: Decoder,
        queue: FrameQueue,
        on_lost: Callable[[TcpConnection], None],
        idle: float | None = None,
    ) -> None:
        self.lost: str | None = None
        self.lost_as: type[ConnectorError] = ConnectorError
        self.closed = asyncio.Event()
        self._address = address
        self._decoder = decoder
        self._queue = queue
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._is_closing = False
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()
        self._cut_short = False
        self._is_ending = False
        """The other end has closed, and what had come before is being read."""
        self._look: asyncio.TimerHandle | None = None
        self._room = new_room()
        self._idle = idle
        self._silence: asyncio.TimerHandle | None = None
        """Runs while part of an item has come that silence may end."""

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._is_closing and self.lost is None

    # ---- called by the owner ----------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Hand ``data`` to the operating system; returns when it has all of it.

        When cancelled, ``data`` is still written, unless the connection is lost.

        Raises:
            NotSentError: the connection was lost before.
            ConnectorError: it was lost; part of ``data`` may have arrived.
        """
        transport = self._transport
        if transport is None or not self.is_open:
            raise NotSentError(f"{self._why_lost()}; nothing was sent")
        # TLS swallows what is written after the other side's end, without a word.
        if not self.is_alive():
            self._read_to_the_end()
            await self.closed.wait()
            raise NotSentError(f"{self._why_lost()}; nothing was sent")
        transport.write(data)
        if transport.is_closing():
            # It ended by that; the reason comes when the socket closes.
            await self.closed.wait()
        else:
            await self._written.wait()
        if self.lost is not None or self._cut_short:
            raise self.lost_as(self._why_lost())

    async def arrived(self) -> None:
        """Wait until the queue has a frame, or the connection is lost or closed."""
        while not self._queue and self.is_open:
            self._arrived.clear()
            await self._arrived.wait()

    def resume(self) -> None:
        """Read on, if the queue has room again. Call it after taking frames."""
        if self._transport is not None and self.is_open and self._queue.has_room:
            self._transport.resume_reading()

    def is_alive(self) -> bool:
        """Whether the connection works as far as the operating system knows.

        It knows of an end that the connection does not, when the connection has stopped reading.
        """
        if self._transport is None or not self.is_open or self._transport.is_closing():
            return False
        sock = self._transport.get_extra_info("socket")
        if sock is None or sys.platform != "linux":
            return True
        try:
            state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except OSError:
            return False
        return bool(state[0] == _TCP_ESTABLISHED)

    def lose(self, why: str, kind: type[ConnectorError] = ConnectorError) -> None:
        """Drop the connection at once, because of ``why``. The first reason stays."""
        if self.is_open:
            self.lost, self.lost_as = why, kind
            self._on_lost(self)
        self._cancel_silence()
        self._arrived.set()
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Write what is still to be written, for a second at most, and close the socket."""
        self._is_closing = True
        self._cancel_silence()
        self._arrived.set()
        transport = self._transport
        if transport is None:
            return
        transport.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.closed.wait()
        except TimeoutError:
            transport.abort()
            await self.closed.wait()
        except asyncio.CancelledError:
            transport.abort()
            raise

    def _pause(self) -> None:
        """Read no more until there is room, but look whether it ends meanwhile."""
        if self._transport is not None and not self._is_ending:
            self._transport.pause_reading()
            if self._look is None:
                self._look = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look_at_end)

    def _look_at_end(self) -> None:
        self._look = None
        if self._transport is None or not self.is_open or self._transport.is_reading():
            return
        if self.is_alive():
            self._pause()
        else:
            self._read_to_the_end()

    def _read_to_the_end(self) -> None:
        """The other end has closed: nothing comes any more but what has, which the operating
        system holds, and then the reason."""
        self._is_ending = True
        if self._transport is not None:
            self._transport.resume_reading()

    def _why_lost(self) -> str:
        return self.lost or f"disconnected from {self._address} while data was being sent"

    # ---- called by the event loop -----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of uvloop it is one in all but its class.
        transport = self._transport = cast(asyncio.Transport, transport)
        # With no buffer of ours, "written" means that the operating system has it. TLS has
        # one more below, of which it does not tell: there a stall shows some 64 KiB later.
        # And TLS pauses from its limit on, not above it: a limit of 0 would never resume.
        is_tls = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=int(is_tls), low=0)
        if self._queue.is_full:
            self._pause()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        if not self.is_open:
            return
        with contextlib.suppress(ConnectorError):  # the decoder says it, also after frames
            self._queue.put(self._decoder.feed(bytes(self._room[:nbytes])))
        if self._decoder.error is not None:
            self.lose(f"{self._address} sent what cannot be read: {self._decoder.error}")
            return
        self._await_silence()
        if self._queue:
            self._arrived.set()
        if self._is_ending and self._queue.is_overfull:
            self.lose(
                f"{self._address} closed the connection; nobody received what it had sent, and "
                f"the rest is dropped: {MOST_KEPT // 1024:,} KiB are kept"
            )
        elif self._queue.is_full:
            self._pause()

    def eof_received(self) -> None:
        self._end_item()
        self.lose(self._ended())

    def connection_lost(self, error: Exception | None) -> None:
        kind: type[ConnectorError] = ConnectorError
        if isinstance(error, ssl.SSLError):
            why, kind = f"{self._address}: {explain(error)}", class_for(error)
        elif isinstance(error, TimeoutError):
            why = f"{self._address} was silent for longer than peer_timeout"
        elif isinstance(error, OSError):
            said = (error.strerror or str(error)).lower()
            why = f"{self._address}: {said}"
        else:
            self._end_item()
            why = self._ended()
        self.lose(why, kind)
        self._transport = None
        if self._look is not None:
            self._look.cancel()
        self._cut_short = not self._written.is_set()
        self._written.set()
        self.closed.set()

    def pause_writing(self) -> None:
        self._written.clear()

    def resume_writing(self) -> None:
        self._written.set()

    # ---- items that silence ends ------------------------------------------------------

    def _await_silence(self) -> None:
        self._cancel_silence()
        if self._idle is not None and self._decoder.pending:
            self._silence = asyncio.get_running_loop().call_later(self._idle, self._hear_silence)

    def _hear_silence(self) -> None:
        if self._queue.is_full:  # more may have come, and was not read
            self._await_silence()
            return
        self._silence = None
        self._end_item()

    def _end_item(self) -> None:
        if self._idle is not None and self.is_open:
            self._queue.put(self._decoder.end_by_silence())
            self._arrived.set()

    def _cancel_silence(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _ended(self) -> str:
        part = self._decoder.pending
        middle = f" in the middle of an item, after {part} bytes of it" if part else ""
        return f"{self._address} closed the connection{middle}"
