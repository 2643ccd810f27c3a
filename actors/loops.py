"""Where a system actor's coroutines run: in a second thread, or in its messages' own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from actors.loop_thread import LoopThread, Mailslot


class Loop(Protocol):
    """All methods are called in the message thread."""

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Have ``function(*args)`` called on the event loop, in the order of the calls."""

    def finish(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        """Run this on the event loop, and wait for its end, for so long at most."""

    def fileno(self) -> int | None:
        """What to watch for :meth:`take`; None if nothing ever waits there."""

    def take(self) -> list[Any]:
        """What was said on the event loop, for the message thread to send."""


class ThreadLoop:
    """An event loop in a thread of its own: on bases whose transport knows of none."""

    def __init__(self, on_escape: Callable[[BaseException], None]) -> None:
        self._mailslot = Mailslot()
        self._thread = LoopThread(on_escape)
        self.call = self._thread.call
        self.say = self._mailslot.put
        self.fileno = self._mailslot.fileno
        self.take = self._mailslot.take

    def finish(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        done = threading.Event()
        tasks = set()

        async def run() -> None:
            await work()
            done.set()

        self.call(lambda: tasks.add(asyncio.ensure_future(run())))
        done.wait(seconds)


class SharedLoop:
    """The loop that the transport runs while it waits for messages."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[Any], None]) -> None:
        """
        Args:
            send: called with what is said, in the same thread.
        """
        self._loop = loop
        asyncio.set_event_loop(loop)
        self.say = send

    def call(self, function: Callable[..., object], *args: Any) -> None:
        if self._loop.is_running():
            function(*args)
        else:
            self._loop.call_soon(function, *args)

    def finish(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        async def run() -> None:
            try:
                await asyncio.wait_for(work(), seconds)
            except TimeoutError:
                pass

        self._loop.run_until_complete(run())

    def fileno(self) -> None:
        return None

    def take(self) -> list[Any]:
        return []
