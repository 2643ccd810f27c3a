"""The limit: the same hops between the same number of processes, without any actors.

A router process and leaf processes, connected by Unix stream sockets. All there is on the
way of an item is what cannot be left out: pickle, a length, and blocking calls.
"""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

from actors.processes.lifeline import die_with_parent
from benchmarks.bare import ITEM_SIZE, WARM_UPS
from benchmarks.stream import Stream

_ITEM: Final = bytes(ITEM_SIZE)


class Limit:
    """Has the methods of :class:`~benchmarks.bare.BareSystem`; its process is the client."""

    def __init__(self) -> None:
        self._leaf, _ = _start_leaf()
        self._router: Stream | None = None
        self._pids: list[int] = []
        """Of the router's leaves, and then of the router."""
        self._leaves = 0
        self._turn = 0

    def grow(self, leaves: int, seconds: float) -> int:
        """Have a router with so many leaves; a router that there was is ended."""
        end = time.monotonic() + seconds
        self._end_router()
        streams: list[Stream] = []
        while len(streams) < leaves and time.monotonic() < end:
            stream, pid = _start_leaf()
            streams.append(stream)
            self._pids.append(pid)
        self._leaves = len(streams)
        self._router, pid = start(lambda client: _route(client, streams))
        self._pids.append(pid)
        for stream in streams:
            stream.close()
        self.spread(self._leaves)
        return self._leaves

    def direct(self, count: int, size: int = ITEM_SIZE) -> float:
        item = bytes(size)
        _warm_up(self._leaf, _ITEM)
        began = time.perf_counter()
        for _ in range(count):
            _ask(self._leaf, item)
        return time.perf_counter() - began

    def routed(self, count: int, size: int = ITEM_SIZE) -> float:
        message = (0, bytes(size))
        _warm_up(self._router, (0, _ITEM))
        began = time.perf_counter()
        for _ in range(count):
            _ask(self._router, message)
        return time.perf_counter() - began

    def spread(self, count: int) -> float:
        _warm_up(self._router, (0, _ITEM))
        began = time.perf_counter()
        for _ in range(count):
            self._turn = (self._turn + 1) % self._leaves
            _ask(self._router, (self._turn, _ITEM))
        return time.perf_counter() - began

    def pipelined(self, count: int, outstanding: int) -> float:
        assert self._router is not None
        message = (0, _ITEM)
        told = answered = 0
        _warm_up(self._router, message)
        began = time.perf_counter()
        while answered < count:
            more = min(count - told, outstanding - (told - answered))
            self._router.send(*[message] * more)
            told += more
            answered += len(self._router.receive())
        return time.perf_counter() - began

    def create(self, count: int) -> float:
        seconds = 0.0
        for _ in range(count):
            began = time.perf_counter()
            leaf, pid = _start_leaf()
            _ask(leaf, b"x")
            seconds += time.perf_counter() - began
            leaf.close()
            os.waitpid(pid, 0)
        return seconds

    def _end_router(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._pids.clear()
        if self._router is not None:
            self._router.close()


def _warm_up(stream: Stream | None, message: Any) -> None:
    for _ in range(WARM_UPS):
        _ask(stream, message)


def _ask(stream: Stream | None, message: Any) -> None:
    assert stream is not None
    stream.send(message)
    stream.receive()


def _route(client: Stream, leaves: list[Stream]) -> None:
    """Pass on all that has come, for one leaf, and then as many answers: with one item on
    its way this is the shortest way, and with many they travel together."""
    while True:
        numbers, items = zip(*client.receive(), strict=True)
        (number,) = set(numbers)
        leaves[number].send(*items)
        answers: list[Any] = []
        while len(answers) < len(items):
            answers += leaves[number].receive()
        client.send(*answers)


def _echo(asker: Stream) -> None:
    while True:
        asker.send(*asker.receive())


def _start_leaf() -> tuple[Stream, int]:
    return start(_echo)


def start(work: Callable[[Stream], None]) -> tuple[Stream, int]:
    """Fork a process that works for the other end of a stream.

    Returns:
        this end, and the process's id.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        die_with_parent(parent)
        _work_and_exit(work, Stream(its))
    its.close()
    return Stream(ours), pid


def _work_and_exit(work: Callable[[Stream], None], stream: Stream) -> NoReturn:
    """Never back into what was forked, which would go on where its parent is."""
    try:
        work(stream)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        pass
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(0)
