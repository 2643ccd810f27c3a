"""The limit of asyncio: the same hop between two event loops, without anything else.

No manager can be quicker: whoever asks it waits for a future on an event loop, and a
connector's coroutine runs in a task on another. All there is on the way of an item is pickle,
a length, and a socket that each of the loops waits for.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
import time
from typing import Any, Final, TypeVar, cast

from actors.unix_base.kernel.buffers import new_room
from benchmarks.bare import ITEM_SIZE, WARM_UPS
from benchmarks.limit import start
from benchmarks.stream import Stream

_LENGTH: Final = struct.Struct("!I")
_ITEM: Final = bytes(ITEM_SIZE)


P = TypeVar("P", bound="_Peer")


class Loops:
    """Asks from a loop of its own process, which forks one with the other."""

    def __init__(self) -> None:
        stream, _ = start(_serve)
        self._runner = asyncio.Runner()
        self._asker = self._runner.run(_connect(stream, _Asker))

    def direct(self, count: int) -> float:
        """Seconds for so many items, there and back, one at a time."""
        return self._runner.run(self._direct(count))

    async def _direct(self, count: int) -> float:
        for _ in range(WARM_UPS):
            await self._asker.ask(_ITEM)
        began = time.perf_counter()
        for _ in range(count):
            await self._asker.ask(_ITEM)
        return time.perf_counter() - began


class _Peer(asyncio.BufferedProtocol):
    """One end. Messages are small, and one at a time: each comes in one piece."""

    def __init__(self) -> None:
        self._room = new_room()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        asyncio.get_running_loop().stop()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.hear(pickle.loads(self._room[_LENGTH.size : nbytes]))

    def say(self, message: Any) -> None:
        assert self._transport is not None
        body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._transport.write(_LENGTH.pack(len(body)) + body)

    def hear(self, message: Any) -> None:
        raise NotImplementedError


class _Asker(_Peer):
    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def ask(self, item: bytes) -> Any:
        self._number += 1
        future = self._waiting[self._number] = self._loop.create_future()
        self.say((self._number, item))
        return await future

    def hear(self, message: tuple[int, Any]) -> None:
        number, answer = message
        self._waiting.pop(number).set_result(answer)


class _Echo(_Peer):
    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()

    def hear(self, message: tuple[int, Any]) -> None:
        self._loop.create_task(self._answer(*message))

    async def _answer(self, number: int, item: Any) -> None:
        self.say((number, item))


async def _connect(stream: Stream, kind: type[P]) -> P:
    sock = socket.socket(fileno=stream.detach())
    _, peer = await asyncio.get_running_loop().create_unix_connection(kind, sock=sock)
    return peer


def _serve(asker: Stream) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_connect(asker, _Echo))
    loop.run_forever()
