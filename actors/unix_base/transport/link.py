"""One connection to one other process, and what is owed on it in both directions.

Messages go out at once as far as the other end takes them; the rest waits here. Each is kept
until the other end said that it dealt with it: what it had not when it ended is known.
"""

from __future__ import annotations

import errno
import pickle
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from thespian.actors import ActorAddress
from thespian.system.transport import SendStatus

from actors.unix_base.kernel.errors import NO_ROOM
from actors.unix_base.transport import frames
from actors.unix_base.transport.frames import (
    HEADER,
    HEADER_BYTES,
    MESSAGE,
    FrameReader,
    FramingError,
    only_frame,
)

VERSION: Final = 1
_JOIN: Final = 1 << 14
"""Bytes of a message below which copying it behind its header is cheaper than not to."""
_GATHER: Final = 64
"""Buffers in one call; all systems allow that many."""
_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN})


class Intent(Protocol):
    """Thespian's TransmitIntent is one."""

    def tx_done(self, status: SendStatus.BASE) -> None: ...

    def changeMessage(self, message: Any) -> None: ...


Posted = tuple[Any, bytes, Intent | None]
"""A message on its way, until the other end has dealt with it: the object, which its sender may
have changed since; as it was pickled; and who is to hear what became of it."""


_header = HEADER.pack


class LinkLost(Exception):
    """The other end is gone, or talks nonsense."""


class Link:
    def __init__(self, name: str | None, address: ActorAddress | None) -> None:
        """
        Args:
            name: of the other process; None until it said so itself.
            address: the same for actors.
        """
        self.name = name
        self.address = address
        self.sock: socket.socket | None = None
        """None while it is being connected."""
        self.posted: deque[Posted] = deque()
        """What the other end has not dealt with, oldest first."""
        self.backlog: deque[memoryview] = deque()
        """What the kernel has not taken."""
        self.backlog_bytes = 0
        self.acknowledged = 0
        """Messages that the other end has dealt with."""
        self.dealt_with = 0
        """Messages of the other end that were dealt with here,"""
        self.told = 0
        """how many of them it was told of,"""
        self.told_before = 0
        """and of how many when it was last looked at."""
        self.is_stuck = False
        """Whether it is waited for that the kernel takes more."""
        self.lacks_memory = False
        """Whether the system had no memory for it when it was last sent or received on."""
        self.has_more = True
        """Whether something more may have come when it was last received on."""
        self.dials = 0
        """How often it could not be connected, in a row."""
        self._reader = FrameReader()

    # ---- out -------------------------------------------------------------------------------

    def open(self, sock: socket.socket, hello: str | None) -> None:
        """Take a connected socket.

        Args:
            hello: our own name, if we connected.

        Raises:
            LinkLost: the other end is gone already.
        """
        self.sock = sock
        if hello is not None:
            body = pickle.dumps((VERSION, hello))
            first = frames.header(frames.HELLO, len(body), 0) + body
            self.backlog.appendleft(memoryview(first))
            self.backlog_bytes += len(first)
            self.write()

    def post(self, posted: Posted) -> bool:
        """Send a message, now or when the other end takes it.

        Returns:
            whether all of it is sent.

        Raises:
            LinkLost: the other end is gone; the message is among the posted.
        """
        self.posted.append(posted)
        return self._say(MESSAGE, posted[1])

    def acknowledge(self) -> None:
        """Tell the other end what was dealt with, if it does not know.

        Raises:
            LinkLost: it is gone.
        """
        if self.told != self.dealt_with and self.sock is not None:
            self._say(frames.ACKNOWLEDGE, b"")

    def refuse(self, why: str) -> None:
        """Tell the other end that its next message could not be read; this deals with it.

        Raises:
            LinkLost: it is gone.
        """
        self._say(frames.REFUSE, why.encode(errors="backslashreplace"))
        self.dealt_with += 1
        self.told += 1

    def _say(self, kind: int, body: bytes) -> bool:
        size, dealt_with = len(body), self.dealt_with
        self.told = dealt_with
        header = _header(size, dealt_with, kind)
        sock = self.sock
        if sock is None or self.backlog:
            self._keep(header, body)
            return False
        try:
            sent = sock.send(header + body) if size < _JOIN else sock.sendmsg((header, body))
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._bear(error)
            sent = 0
        if sent == HEADER_BYTES + size:
            return True
        self._keep(header, body)
        self._drop(sent)
        return False

    def _keep(self, header: bytes, body: bytes) -> None:
        if len(body) < _JOIN:
            self.backlog.append(memoryview(header + body))
        else:
            self.backlog.extend((memoryview(header), memoryview(body)))
        self.backlog_bytes += len(header) + len(body)

    def write(self) -> None:
        """Send what waits, as far as the other end takes it.

        Raises:
            LinkLost: it is gone.
        """
        assert self.sock is not None
        backlog = self.backlog
        while backlog:
            buffers = [backlog[i] for i in range(min(len(backlog), _GATHER))]
            try:
                sent = self.sock.sendmsg(buffers)
            except BlockingIOError:
                return
            except OSError as error:
                self._bear(error)
                return
            self._drop(sent)

    def _drop(self, sent: int) -> None:
        """Of what waits, so many bytes are gone."""
        self.backlog_bytes -= sent
        backlog = self.backlog
        while sent:
            first = backlog[0]
            if sent < len(first):
                backlog[0] = first[sent:]
                return
            sent -= len(first)
            backlog.popleft()

    # ---- in --------------------------------------------------------------------------------

    def read(self, scratch: memoryview) -> Iterable[frames.Frame]:
        """What came, as far as it is whole; one call of recv.

        Raises:
            LinkLost: the other end closed, or broke off, or sends no frames.
        """
        assert self.sock is not None
        reader = self._reader
        is_between_frames = reader.is_between_frames
        room = scratch if is_between_frames else reader.room(scratch)
        self.has_more = False
        try:
            count = self.sock.recv_into(room)
        except BlockingIOError:
            return ()
        except OSError as error:
            self._bear(error)
            return ()
        self.has_more = True
        if count == 0:
            cut = "" if is_between_frames else " in the middle of a message"
            raise LinkLost(f"it ended{cut}")
        if is_between_frames:
            frame = only_frame(room, count)
            if frame is not None:
                return (frame,)
        return self._cut(room[:count])

    def _cut(self, piece: memoryview) -> Iterator[frames.Frame]:
        try:
            yield from self._reader.received(piece)
        except FramingError as error:
            raise LinkLost(str(error)) from error

    def settle(self, count: int) -> list[Posted]:
        """What the other end has dealt with since it last said so.

        Raises:
            LinkLost: it claims to have dealt with what was never sent.
        """
        posted = self.posted
        new = count - self.acknowledged
        if not 0 <= new <= len(posted):
            raise LinkLost(f"it dealt with {count} messages, of {len(posted)} open ones")
        self.acknowledged = count
        if new == 1:  # every day
            return [posted.popleft()]
        return [posted.popleft() for _ in range(new)]

    def refused(self) -> Posted:
        """The message that the other end just refused.

        Raises:
            LinkLost: there is none.
        """
        if not self.posted:
            raise LinkLost("it refused a message that was never sent")
        self.acknowledged += 1
        return self.posted.popleft()

    def _bear(self, error: OSError) -> None:
        """
        Raises:
            LinkLost: the error is about the other end, and not about this machine.
        """
        if error.errno not in NO_ROOM:
            raise _lost(error) from error
        self.lacks_memory = True

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()


def _lost(error: OSError) -> LinkLost:
    if error.errno in _GONE:
        return LinkLost("it ended")
    return LinkLost(f"{error.strerror} (errno {error.errno})")
