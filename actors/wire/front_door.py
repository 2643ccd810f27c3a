"""Where clients on this machine reach an actor: a Unix socket.

Belongs to one thread, the supervisor's only one, or that of a system actor's event loop.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import selectors
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import attrs

from actors import loggers
from actors.unix_base.kernel.buffers import new_room
from actors.unix_base.kernel.credentials import peer_pid, stranger
from actors.unix_base.kernel.socket_files import listen_at, remove_socket_file, socket_file_at
from actors.wire.frames import (
    MAX_FRAME,
    FrameDecoder,
    WireError,
    WireVersionError,
    encode_frame,
)
from actors.wire.unsent import Unsent

_BACKLOG: Final = 128
_MAX_UNSENT: Final = 256 << 20
"""Bytes that a client may leave unread, behind the frame that it reads; when more is to be said,
it is hung up on."""
_MAX_UNSENT_IN_ALL: Final = 1 << 30
"""The same for all clients together; the one that leaves most is hung up on."""
_HALF_FRAMES: Final = 4
"""Of how many of the longest frames the parts that have come are kept. Who has sent nothing of
his for the longest time is hung up on."""


Farewell = Callable[[WireVersionError], bytes | None]


class Selector(Protocol):
    """Waits for sockets; :class:`selectors.BaseSelector` is one."""

    def register(self, sock: socket.socket, events: int, data: Any, /) -> Any: ...

    def modify(self, sock: socket.socket, events: int, data: Any, /) -> Any: ...

    def unregister(self, sock: socket.socket, /) -> Any: ...

    def close(self) -> None: ...


@attrs.frozen(eq=False)
class DoorClient:
    """One connection; equal to itself only."""

    number: int


@attrs.frozen
class Arrived:
    client: DoorClient
    message: Any


@attrs.frozen
class Left:
    client: DoorClient


@attrs.define(eq=False)
class _Connection:
    client: DoorClient
    sock: socket.socket
    reader: FrameDecoder
    outgoing: list[Any] = attrs.field(factory=list)
    unsent: Unsent = attrs.field(factory=Unsent)
    writable_wanted: bool = False
    goes_first: bool = False
    """Of the process that forked this one, and starts it again: it is to know what was
    answered, should this process be killed then."""


class FrontDoor:
    def __init__(
        self,
        path: str,
        selector: Selector,
        farewell: Farewell | None = None,
        max_frame: int | None = None,
    ) -> None:
        """Listen on a socket file at ``path``, in a directory that only this user may enter.

        What a killed process left there is replaced: whoever starts this one holds the
        directory.

        Args:
            selector: of this door alone. What it finds ready is for :meth:`ready`.
            farewell: the bytes that end a conversation with a client of another version, if
                that client understands any; others are shown a frame of this version.
            max_frame: bytes of a frame above which it is not read, and its client hung up on;
                None is the longest that is sent at all.

        Raises:
            OSError: the path is too long, or not writable, or something else is there.
        """
        self._path = path
        self._farewell = farewell or (lambda _: None)
        self._selector = selector
        self._max_frame = max_frame or MAX_FRAME
        self._max_unsent = max(_MAX_UNSENT, 2 * (max_frame or 0))
        self._half: OrderedDict[DoorClient, _Connection] = OrderedDict()
        """Those of whose frame a part has come; who said something last is last."""
        self._connections: dict[DoorClient, _Connection] = {}
        self._told: list[_Connection] = []
        """Those with something outgoing."""
        self._numbers = itertools.count(1)
        self._left: list[Left] = []
        self._last_words: Any = None
        """What everybody is told who comes from now on."""
        self._room = new_room()
        self._listener = listen_at(path, _BACKLOG, take_over=True)
        self._file = socket_file_at(path)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._accepting = True
        # A child forked while it holds our sockets would keep them open after our end.
        os.register_at_fork(after_in_child=self._close_in_child)

    def ready(self, connection: Any, events: int) -> list[Arrived | Left]:
        """Do what is possible without waiting.

        Args:
            connection: what the selector was given for the socket that is ready.
            events: what for, as selectors say it.

        Returns:
            what came.
        """
        came: list[Arrived | Left] = []
        if connection is None:
            self._accept()
        else:
            if events & selectors.EVENT_READ:
                self._read(connection, came)
            if events & selectors.EVENT_WRITE and connection.client in self._connections:
                self._write(connection)
        came += self.left()
        return came

    def left(self) -> list[Left]:
        """Who was hung up on since this was last asked."""
        left, self._left = self._left, []
        return left

    def read_all(self) -> Iterator[Arrived | Left]:
        """What all clients have said by now."""
        for connection in list(self._connections.values()):
            yield from self.ready(connection, selectors.EVENT_READ)

    def tell(self, client: DoorClient, message: Any) -> None:
        """Add to what goes to a client at the next :meth:`flush`."""
        connection = self._connections.get(client)
        if connection is not None:
            if not connection.outgoing:
                self._told.append(connection)
            connection.outgoing.append(message)

    def flush(self) -> None:
        """Send what was told, as far as clients take it; to the parent process first."""
        told, self._told = self._told, []
        if len(told) > 1:
            told.sort(key=lambda each: not each.goes_first)
        for connection in told:
            if connection.client not in self._connections:
                continue  # hung up on meanwhile
            messages, connection.outgoing = connection.outgoing, []
            try:
                for text in connection.unsent.add(messages):
                    _log().error("%s", text)
            except WireError as error:
                _log().error("hanging up on a client that cannot be told: %s", error)
                self._hang_up(connection)
                continue
            if not connection.writable_wanted:
                self._write(connection)
            if connection.unsent.waiting:
                self._see_to_unread(connection)

    def unread(self, client: object) -> int:
        """Bytes that a client was told and leaves unread, behind the frame that it reads; none of
        one that is no client of this door."""
        connection = self._connections.get(client) if isinstance(client, DoorClient) else None
        return 0 if connection is None else connection.unsent.waiting

    def _see_to_unread(self, connection: _Connection) -> None:
        if connection.unsent.waiting <= self._max_unsent:
            waiting = [each.unsent.waiting for each in self._connections.values()]
            if sum(waiting) <= _MAX_UNSENT_IN_ALL:
                return
            connection = max(self._connections.values(), key=lambda each: each.unsent.waiting)
        text = "a client left %d bytes unread; hanging up"
        _log().warning(text, connection.unsent.waiting)
        self._hang_up(connection)

    def hang_up(self, client: DoorClient, why: str) -> None:
        """End the conversation with a client that says what makes no sense."""
        connection = self._connections.get(client)
        if connection is not None:
            _log().warning("hanging up on a client: %s", why)
            self._hang_up(connection)

    def tell_for_good(self, message: Any) -> None:
        """Tell all clients, and everybody who comes later: there will be nothing else to tell.
        Whoever was about to come would miss it for ever."""
        self._last_words = message
        for client in self._connections:
            self.tell(client, message)

    def look(self) -> None:
        """Listen at a new socket file if the last one was removed; to be called now and then.
        Connections are as they were. What somebody else put in its place is left alone.

        Raises:
            OSError: it cannot be made.
        """
        if socket_file_at(self._path) == self._file:
            return
        anew = listen_at(self._path, _BACKLOG)
        while self._accepting and self._accept():
            pass  # who was quicker than the removal
        if self._accepting:
            self._selector.unregister(self._listener)
        self._listener.close()
        self._listener, self._file = anew, socket_file_at(self._path)
        if self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ, None)

    def close(self) -> None:
        """Hang up on all, and remove the socket file."""
        for connection in list(self._connections.values()):
            self._hang_up(connection)
        self._selector.close()
        self._listener.close()
        if self._file is not None and socket_file_at(self._path) == self._file:
            remove_socket_file(self._path)

    # ---- connections ---------------------------------------------------------------------

    def _accept(self) -> bool:
        """Take who waits longest; False if nobody does, or nobody can be taken."""
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # The listener would stay readable for ever; wait until somebody leaves.
                _log().error("no descriptor left for a new client: %s", error)
                self._selector.unregister(self._listener)
                self._accepting = False
            return False
        uid = stranger(sock)
        if uid is not None:
            _log().warning("refused a client of user id %d", uid)
            sock.close()
            return True
        sock.setblocking(False)
        client = DoorClient(next(self._numbers))
        connection = _Connection(client, sock, FrameDecoder(self._room, self._max_frame))
        connection.goes_first = peer_pid(sock) == os.getppid()
        self._connections[connection.client] = connection
        self._selector.register(sock, selectors.EVENT_READ, connection)
        if self._last_words is not None:
            self.tell(client, self._last_words)
        return True

    def _read(self, connection: _Connection, came: list[Arrived | Left]) -> None:
        try:
            count = connection.sock.recv_into(connection.reader.room)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._hang_up(connection)
            return
        try:
            for message in connection.reader.received(count):
                came.append(Arrived(connection.client, message))
        except WireError as error:
            _log().warning("hanging up on a client: %s", error)
            if isinstance(error, WireVersionError):
                self._show_version(connection, error)
            self._hang_up(connection)
            return
        self._note_half(connection)

    def _note_half(self, connection: _Connection) -> None:
        """Bound what has come of frames that are not whole yet."""
        if connection.reader.pending:
            self._half[connection.client] = connection
            self._half.move_to_end(connection.client)
            size = sum(each.reader.pending for each in self._half.values())
            if size > _HALF_FRAMES * self._max_frame:
                stalest = next(iter(self._half.values()))
                _log().warning("%d bytes wait for the rest of their frames; hanging up", size)
                self._hang_up(stalest)
        elif self._half:
            self._half.pop(connection.client, None)

    def _show_version(self, connection: _Connection, error: WireVersionError) -> None:
        """Say anything from which the client knows which version this is."""
        try:
            connection.sock.send(self._farewell(error) or encode_frame([]))
        except OSError:
            pass  # it does not listen, or has left

    def _write(self, connection: _Connection) -> None:
        try:
            connection.unsent.write(connection.sock)
        except OSError:
            self._hang_up(connection)
            return
        wanted = bool(connection.unsent)
        if wanted != connection.writable_wanted:
            connection.writable_wanted = wanted
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
            self._selector.modify(connection.sock, events, connection)

    def _hang_up(self, connection: _Connection) -> None:
        if self._connections.pop(connection.client, None) is None:
            return
        self._half.pop(connection.client, None)
        self._selector.unregister(connection.sock)
        connection.sock.close()
        self._left.append(Left(connection.client))
        if not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ, None)
            self._accepting = True

    def _close_in_child(self) -> None:
        # Closing, and not unregistering: what the selector watches is shared with the parent.
        self._selector.close()
        self._listener.close()
        for connection in self._connections.values():
            connection.sock.close()


class WatchedDoor(FrontDoor):
    """Of an actor that Thespian tells of a descriptor to read. A selector's own is readable
    when any of its sockets is ready for anything, and so stands for all clients, in both
    directions."""

    def __init__(
        self, path: str, farewell: Farewell | None = None, max_frame: int | None = None
    ) -> None:
        """As of any door."""
        self._own = selectors.DefaultSelector()
        super().__init__(path, self._own, farewell, max_frame)

    def fileno(self) -> int:
        """The descriptor to watch for reading."""
        return self._own.fileno()

    def serve(self) -> Iterator[Arrived | Left]:
        """Do what is possible without waiting; yields what came."""
        for key, events in self._own.select(timeout=0):
            yield from self.ready(key.data, events)
        yield from self.left()


def _log() -> logging.Logger:
    return logging.getLogger(loggers.FRONT_DOOR)
