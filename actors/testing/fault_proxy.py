"""A TCP proxy that goes wrong when a test tells it to: it stands between a client and a real
server.

In an ``async def`` test it runs on the test's own event loop::

    async with FaultProxy(server.port) as proxy:
        system = TcpSystem("plc", {"host": proxy.host, "port": proxy.port})
        ...
        proxy.black_hole()

and in any other in a thread of its own, with the same methods::

    with FaultProxy(server.port) as proxy:
        ...
        proxy.reset()

It listens on loopback only. Nothing is left of it: no thread, no task, no socket.
"""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from types import TracebackType
from typing import Final, Literal, Self, TypeVar

import attrs

from actors.testing.listening import HOST, Port
from actors.testing.own_thread import OwnThread
from actors.testing.proxied import Proxied, Way
from actors.testing.shaping import Conditions, Shaper

Direction = Literal["both", "to_server", "to_client"]
"""Which way a fault is in effect."""

T = TypeVar("T")

_WAYS: Final[dict[Direction, tuple[Way, ...]]] = {
    "both": ("to_server", "to_client"),
    "to_server": ("to_server",),
    "to_client": ("to_client",),
}
_CAP: Final = 10.0
"""Seconds that a call from another thread may take: far more than any does."""


class FaultProxy:
    """Passes on what a client and a server say to each other, and what a test wants to go wrong.

    There are *conditions*, which stay until they are changed, for connections that stand and
    for new ones: :meth:`latency`, :meth:`bandwidth`, :meth:`black_hole`, :meth:`truncate` and
    :meth:`refuse`; :meth:`heal` ends all of them. And there are *events*, which happen to all
    connections that stand: :meth:`reset`, :meth:`hang_up` and :meth:`half_close`.

    All methods but :meth:`start`, :meth:`stop` and :meth:`until` are plain ones and may be
    called in any thread. What they ask for has begun when they return, and is done within the
    next turns of the proxy's event loop.

    A server that cannot be connected to shows as a connection that is reset at once.

    Args:
        port: of the server.
        host: of the server.
        random: of the jitter; a seeded one, if not given, so that runs are alike.

    Attributes:
        host: the address it listens on.
        target: host and port of the server; may be set, for the connections to come.
        accepted: how many connections there have been.
        bytes_to_server: how many bytes it has passed on to the server.
        bytes_to_client: how many bytes it has passed on to clients.
    """

    host: Final = HOST

    def __init__(self, port: int, host: str = "127.0.0.1", *, random: Random | None = None) -> None:
        self.target = (host, port)
        self.accepted = 0
        self.bytes_to_server = 0
        self.bytes_to_client = 0
        self._random = Random(1) if random is None else random
        self._conditions: dict[Way, Conditions] = {way: Conditions() for way in _WAYS["both"]}
        self._allowed: dict[Way, int | None] = dict.fromkeys(_WAYS["both"])
        self._cut_by_reset = False
        self._refuses = False
        self._port: Port | None = None
        self._connections: dict[Proxied, dict[Way, Shaper]] = {}
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._thread: OwnThread | None = None

    @property
    def port(self) -> int:
        """The port it listens on, the same from its start to its stop.

        Raises:
            RuntimeError: it does not run.
        """
        if self._port is None:
            raise RuntimeError("the fault proxy does not run: use 'async with' or 'with'")
        return self._port.number

    @property
    def connections(self) -> int:
        """How many connections stand."""
        return len(self._connections)

    # ---- conditions -------------------------------------------------------------------

    def latency(self, seconds: float, jitter: float = 0.0, direction: Direction = "both") -> None:
        """Have everything be so many seconds on its way, and up to ``jitter`` seconds longer.

        The order stays. It costs no throughput.
        """
        _check("latency", seconds)
        _check("jitter", jitter)
        self._change(direction, lambda old: attrs.evolve(old, latency=seconds, jitter=jitter))

    def bandwidth(self, bytes_per_second: float | None, direction: Direction = "both") -> None:
        """Pass on so many bytes in a second, on each connection; None for no limit."""
        if bytes_per_second is not None:
            _check("bandwidth", bytes_per_second)
            if not bytes_per_second:
                raise ValueError("a bandwidth of 0 passes nothing: use black_hole()")
        self._change(direction, lambda old: attrs.evolve(old, bandwidth=bytes_per_second))

    def black_hole(self, direction: Direction = "both", *, on: bool = True) -> None:
        """Pass nothing, and let nobody know: connections stay, and new ones are accepted.

        It is like a program that hangs: the operating system acknowledges what is sent, until
        its buffers are full. An end does not pass either. What was sent meanwhile passes once
        it is over (``on=False``). While nothing passes to the server, the server is not told of
        new connections.
        """
        self._change(direction, lambda old: attrs.evolve(old, is_held=on))

    def truncate(
        self, after: int | None, direction: Direction = "to_client", *, reset: bool = False
    ) -> None:
        """End each connection when ``after`` more bytes have passed on it.

        Bytes count from now on, on a new connection from its first.

        Args:
            after: None for never.
            direction: in which bytes are counted.
            reset: end it with an RST, in place of a FIN.

        Raises:
            ValueError: ``after`` is no whole number of bytes.
        """
        if after is not None and (type(after) is not int or after < 0):
            raise ValueError(f"truncate: {after!r} is no number of bytes, 0 or more")
        ways = _ways(direction)

        def change() -> None:
            self._cut_by_reset = reset
            for connection, shapers in self._connections.items():
                connection.cut_by_reset = reset
                for way in ways:
                    shapers[way].allowed = after
            self._allowed.update(dict.fromkeys(ways, after))
            self._look()

        self._do(change)

    def refuse(self) -> None:
        """Refuse new connections, as a machine does on which the server does not run. Those
        that stand are left alone."""

        def change() -> None:
            if self._port is not None and not self._refuses:
                self._port.refuse()
            self._refuses = True

        self._do(change)

    def accept(self) -> None:
        """Accept connections again, at the same port."""

        def change() -> None:
            if self._port is not None and self._refuses:
                self._port.listen()
            self._refuses = False

        self._do(change)

    def heal(self) -> None:
        """End all conditions: what comes passes, at once and whole."""
        self.truncate(None, "both")
        self._change("both", lambda _: Conditions())
        self.accept()

    # ---- events -----------------------------------------------------------------------

    def reset(self) -> None:
        """Break all connections with an RST to both ends."""
        self._do(lambda: self._end_all(by_reset=True))

    def hang_up(self) -> None:
        """Close all connections in order, at both ends. What is on its way is dropped."""
        self._do(lambda: self._end_all(by_reset=False))

    def half_close(self, direction: Direction = "to_client") -> None:
        """Close one direction of all connections, behind what is on its way; the other goes on.

        ``to_client`` has clients read an end, as if the server had shut down its sending
        half. What comes in that direction later is dropped.
        """
        ways = _ways(direction)

        def half_close() -> None:
            for connection in self._standing():
                for way in ways:
                    connection.half_close(way)

        self._do(half_close)

    # ---- waiting ----------------------------------------------------------------------

    async def until(self, condition: Callable[[], bool], timeout: float = _CAP) -> None:
        """Wait until ``condition()``, which may look at anything of this proxy, is true.

        It is looked at after each connection, each end and each piece of data.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds; says what the proxy has seen.
            RuntimeError: the proxy runs on another event loop: use :meth:`wait_until`.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("the fault proxy runs on another event loop: use wait_until()")
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {timeout:g} s; {self}") from None

    def wait_until(self, condition: Callable[[], bool], timeout: float = _CAP) -> None:
        """The same for a test without an event loop; ``condition`` is called in the thread of
        the proxy."""
        loop = self._loop
        if loop is None or threading.get_ident() == self._loop_thread:
            raise RuntimeError("wait_until() is for a proxy in its own thread: use until()")
        asyncio.run_coroutine_threadsafe(self.until(condition, timeout), loop).result()

    def __str__(self) -> str:
        return (
            f"fault proxy to {self.target[0]}:{self.target[1]}: "
            f"{self.accepted} connections accepted, {self.connections} stand, "
            f"{self.bytes_to_server} bytes passed to the server, "
            f"{self.bytes_to_client} to clients"
        )

    # ---- its life ---------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, on a free port of 127.0.0.1, on the event loop that runs.

        Raises:
            RuntimeError: it runs already.
        """
        if self._loop is not None:
            raise RuntimeError("the fault proxy runs already")
        self._port = Port(self._accepted)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        if not self._refuses:
            self._port.listen()

    async def stop(self) -> None:
        """Close all connections, and stop listening; every socket is closed after it."""
        port, self._port = self._port, None
        if port is None:
            return
        port.close()
        connections = list(self._connections)
        self._end_all(by_reset=False)
        for connection in connections:
            await connection.ended()
        self._loop = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("the fault proxy runs already")
        thread = OwnThread(self, str(self))
        thread.begin()
        self._thread = thread
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()

    # ---- on its event loop ------------------------------------------------------------

    def _do(self, function: Callable[[], T]) -> T:
        """Call it where the connections are, in whatever thread this is."""
        loop = self._loop
        if loop is None or threading.get_ident() == self._loop_thread:
            return function()
        done: Future[T] = Future()

        def call() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        loop.call_soon_threadsafe(call)
        return done.result(_CAP)

    def _change(self, direction: Direction, changed: Callable[[Conditions], Conditions]) -> None:
        ways = _ways(direction)

        def change() -> None:
            for way in ways:
                self._conditions[way] = changed(self._conditions[way])
                for shapers in self._connections.values():
                    shapers[way].conditions = self._conditions[way]
            self._look()

        self._do(change)

    def _look(self) -> None:
        for connection in self._connections:
            connection.look()

    def _accepted(self, client: socket.socket) -> None:
        shapers: dict[Way, Shaper] = {}
        for way, conditions in self._conditions.items():
            shapers[way] = Shaper(conditions, Random(self._random.getrandbits(64)))
            shapers[way].allowed = self._allowed[way]
        connection = Proxied(client, self.target, shapers, self._count, self._ended)
        connection.cut_by_reset = self._cut_by_reset
        self._connections[connection] = shapers
        self.accepted += 1
        self._changed.set()

    def _count(self, way: Way, count: int) -> None:
        if way == "to_server":
            self.bytes_to_server += count
        else:
            self.bytes_to_client += count
        self._changed.set()

    def _ended(self, connection: Proxied) -> None:
        del self._connections[connection]
        self._changed.set()

    def _end_all(self, *, by_reset: bool) -> None:
        for connection in self._standing():
            connection.end(by_reset=by_reset)

    def _standing(self) -> list[Proxied]:
        """All connections, also those that only the operating system has accepted."""
        if self._port is not None:
            self._port.take()
        return list(self._connections)


def _ways(direction: Direction) -> tuple[Way, ...]:
    if direction not in _WAYS:
        raise ValueError(f"{direction!r} is no direction: {', '.join(_WAYS)}")
    return _WAYS[direction]


def _check(what: str, value: float) -> None:
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{what}: {value!r} is no number, 0 or more")
