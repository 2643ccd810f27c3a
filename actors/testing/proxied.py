"""One connection through a fault proxy: two sockets, and what goes from each to the other.

Everything here runs on the proxy's event loop.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, Literal

from actors.testing.listening import set_buffers
from actors.testing.shaping import End, Shaper

_AT_ONCE: Final = 64 * 1024
_NO_LINGER: Final = struct.pack("ii", 1, 0)

Way = Literal["to_server", "to_client"]
Count = Callable[[Way, int], None]


def close_with_reset(sock: socket.socket) -> None:
    """Close it with an RST, whatever is still to be sent."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    sock.close()


def close_in_order(sock: socket.socket) -> None:
    """Close it with a FIN: the kernel sends an RST instead where something came and was not
    read."""
    try:
        while sock.recv(_AT_ONCE):
            pass
    except OSError:
        pass
    sock.close()


class _Flow:
    """One direction of a connection."""

    def __init__(self, way: Way, shaper: Shaper) -> None:
        self.way: Way = way
        self.shaper = shaper
        self._changed = asyncio.Event()
        self._is_ending = False
        """Whether an end is on its way: what comes after it is dropped."""

    def look(self) -> None:
        """The conditions have changed."""
        self._changed.set()

    def end(self, end: End) -> None:
        """End it behind all that has come, if its end is not on its way already."""
        if not self._is_ending:
            self._is_ending = True
            self._put(end)

    async def may_pass(self) -> None:
        """Wait until it is not held."""
        while self.shaper.conditions.is_held:
            await self._change(None)

    async def read(self, source: socket.socket) -> bool:
        """Take what comes, until its source ends.

        Returns:
            whether its source broke off after an end was on its way, and so nobody is told.
        """
        loop = asyncio.get_running_loop()
        while True:
            while not (self.shaper.has_room or self._is_ending):
                await self._change(None)
            try:
                data = await loop.sock_recv(source, _AT_ONCE)
            except OSError:
                untold = self._is_ending
                self.end(End.RESET)
                return untold
            if not data:
                self.end(End.CLOSED)
                return False
            if not self._is_ending:
                self._put(data)

    async def write(self, target: socket.socket, count: Count) -> End | None:
        """Pass on what may pass, but for a reset.

        Returns:
            how it ended; None when it was cut, after as much as was allowed.

        Raises:
            OSError: its target is gone.
        """
        loop = asyncio.get_running_loop()
        while not self.shaper.is_cut:
            what = self.shaper.take(loop.time())
            if isinstance(what, bytes):
                self._changed.set()  # for the reader: there is room
                await loop.sock_sendall(target, what)
                count(self.way, len(what))
                # Of a target that has closed nothing is read any more, and on this machine its
                # reset has come by now.
                if error := target.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(error, "reset")
            elif isinstance(what, End):
                if what is End.CLOSED:
                    target.shutdown(socket.SHUT_WR)
                return what
            else:
                await self._change(what)
        return None

    def _put(self, what: bytes | End) -> None:
        self.shaper.put(asyncio.get_running_loop().time(), what)
        self._changed.set()

    async def _change(self, seconds: float | None) -> None:
        """Wait for a change, so many seconds at most."""
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass


class Proxied:
    """One connection.

    Args:
        client: a connected socket, which is this object's from now on.
        target: host and port to connect to, once anything may pass to the server.
        shapers: of both ways.
        count: told of bytes that were passed on.
        on_end: called once both sockets are closed.

    Attributes:
        cut_by_reset: how it ends when as much has passed as was allowed.
    """

    def __init__(
        self,
        client: socket.socket,
        target: tuple[str, int],
        shapers: dict[Way, Shaper],
        count: Count,
        on_end: Callable[[Proxied], None],
    ) -> None:
        self.cut_by_reset = False
        self._client = client
        self._server: socket.socket | None = None
        self._target = target
        self._flows = {way: _Flow(way, shaper) for way, shaper in shapers.items()}
        self._count = count
        self._by_reset = False
        self._task = asyncio.create_task(self._run(), name=f"connection to {target}")
        # A task that is cancelled before its first turn does not get to a "finally".
        self._task.add_done_callback(lambda _: self._close(on_end))

    def look(self) -> None:
        """The conditions have changed."""
        for flow in self._flows.values():
            flow.look()

    def half_close(self, way: Way) -> None:
        """Close one way behind what is on it; the other goes on."""
        self._flows[way].end(End.CLOSED)

    def end(self, *, by_reset: bool) -> None:
        """Close both sockets at once, with an RST or a FIN; what is on its way is dropped."""
        self._by_reset = self._by_reset or by_reset
        self._task.cancel()

    async def ended(self) -> None:
        """Wait until both sockets are closed."""
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        there, back = self._flows["to_server"], self._flows["to_client"]
        await there.may_pass()
        try:
            server = await self._connect()
        except OSError:
            self._by_reset = True
            return
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(self._read(there, self._client)),
                group.create_task(self._read(back, server)),
            ]
            writers = [
                group.create_task(self._write(there, server, back)),
                group.create_task(self._write(back, self._client, there)),
            ]
            await asyncio.wait(writers)
            for reader in readers:
                reader.cancel()

    async def _connect(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        host, port = self._target
        try:
            found = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except socket.gaierror:
            # A name, which asyncio looks up in a thread that stays as long as the loop.
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        server = self._server = socket.socket(family, kind, protocol)
        server.setblocking(False)
        set_buffers(server)
        await loop.sock_connect(server, address)
        return server

    async def _read(self, flow: _Flow, source: socket.socket) -> None:
        if await flow.read(source):
            self.end(by_reset=True)

    async def _write(self, flow: _Flow, target: socket.socket, back: _Flow) -> None:
        try:
            end = await flow.write(target, self._count)
        except OSError:
            # The target is gone, and the source hears of it as of all that comes from there; by
            # the closing itself where that way has ended.
            back.end(End.RESET)
            self._by_reset = True
        else:
            if end is not End.CLOSED:
                self.end(by_reset=self.cut_by_reset if end is None else True)

    def _close(self, on_end: Callable[[Proxied], None]) -> None:
        for sock in (self._client, self._server):
            if sock is not None:
                close_with_reset(sock) if self._by_reset else close_in_order(sock)
        on_end(self)
