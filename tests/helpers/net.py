"""What tests of connectors share: a scripted peer, a capped run, and a look for leftovers."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from actors.connectors.tcp.system import TcpSystem

CAP = 20.0
"""Seconds after which a test gives up; no test needs a fraction of it."""

BIG = 32 * 1024 * 1024
"""More bytes than the kernel buffers of one connection take."""


def system_at(port: int, **details: object) -> TcpSystem:
    return TcpSystem("dut", {"host": "127.0.0.1", "port": port, **details})


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run an async test; afterwards no task and no socket may be left of it."""

    async def guarded() -> Any:
        async with asyncio.timeout(CAP):
            result = await main()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    before = open_sockets()
    with asyncio.Runner() as runner:
        runner.get_loop()
        inside = open_sockets()
        result = runner.run(guarded())
        assert open_sockets() <= inside
    assert open_sockets() == before
    return result


def open_sockets() -> set[str]:
    """The sockets of this process."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.startswith("socket:"):
                found.add(target)
    return found


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until ``condition``, which nothing announces, is true."""
    async with asyncio.timeout(CAP):
        while not condition():
            await asyncio.sleep(0.001)


def make_deaf(sock: socket.socket) -> None:
    """Have the kernel drop whatever comes for a socket from now on, so that its other end gets
    no answer: like a machine that has lost its power."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # return 0 bytes
    filter_ = struct.pack("HP", 1, ctypes.addressof(program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


_SO_ATTACH_FILTER = 26


class Peer:
    """The other end of one connection, which does exactly what a test says."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._socket: socket.socket | None = None

    async def accept(self) -> None:
        self.close_connection()
        self._socket, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        self._socket.setblocking(False)

    async def send(self, data: bytes) -> None:
        assert self._socket is not None
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self, size: int) -> bytes:
        """``size`` bytes, or less when the other end closed."""
        assert self._socket is not None
        received = b""
        while len(received) < size:
            data = await asyncio.get_running_loop().sock_recv(self._socket, size - len(received))
            if not data:
                break
            received += data
        return received

    def reset(self) -> None:
        assert self._socket is not None
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection()

    def be_deaf(self) -> None:
        """Answer nothing any more, and let nobody know."""
        assert self._socket is not None
        make_deaf(self._socket)

    def close_connection(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        self.close_connection()
        self._listener.close()


@contextlib.asynccontextmanager
async def connected(**details: Any) -> AsyncIterator[tuple[Peer, TcpSystem]]:
    """A peer, and a system connected to it."""
    with contextlib.closing(Peer()) as peer:
        system = TcpSystem("dut", {"host": "127.0.0.1", "port": peer.port, **details})
        assert await system.connect() is True
        await peer.accept()
        try:
            yield peer, system
        finally:
            assert await system.disconnect() is True
            assert system.is_connected is False


def leave_dead_socket(path: str) -> None:
    """Leave the file of a socket at which nobody listens any more."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
