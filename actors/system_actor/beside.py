"""What is carried out beside the engine's lane: commands, checks of health, and questions of a
system that has many under way. Each runs for itself, and holds nothing up.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Set

from actors.messages import Reply, Request
from actors.system_actor.receiving import Guard, Work
from actors.system_actor.reports import Origin


class Beside:
    def __init__(
        self, guard: Guard, on_done: Callable[[], None], on_end: Callable[[], None]
    ) -> None:
        """
        Args:
            guard: runs a coroutine, and takes an exception that escapes as a crash.
            on_done: called when one is done, before it is answered.
            on_end: called when nothing runs any more for one, answered or not.
        """
        self._guard = guard
        self._on_done = on_done
        self._on_end = on_end
        self._tasks: dict[Origin, asyncio.Task[None]] = {}
        self._requests: dict[Origin, Request] = {}
        """Those that wait for an answer."""

    def __contains__(self, origin: Origin) -> bool:
        """Whether something runs for it."""
        return origin in self._tasks

    def __iter__(self) -> Iterator[Request]:
        """What runs, and has not been answered."""
        return iter(self._requests.values())

    def run(self, origin: Origin, request: Request, work: Work[Reply]) -> None:
        """Begin a request."""
        task = asyncio.create_task(self._run(origin, work))
        self._tasks[origin] = task
        self._requests[origin] = request
        task.add_done_callback(lambda _: self._ended(origin))

    def forget(self, origins: Set[Origin]) -> None:
        """Nobody waits for these any more: what runs for them is cancelled."""
        for origin in origins & self._requests.keys():
            del self._requests[origin]
            self._tasks[origin].cancel()

    def stop(self, answer: Callable[[Request], Reply]) -> None:
        """Answer all, and cancel what runs for them."""
        for origin, request in self._requests.items():
            origin.reply(answer(request))
            self._tasks[origin].cancel()
        self._requests.clear()

    def cancel(self) -> None:
        """After a crash: all but the one that this is called in."""
        for task in set(self._tasks.values()) - {asyncio.current_task()}:
            task.cancel()

    async def _run(self, origin: Origin, work: Work[Reply]) -> None:
        await self._guard(lambda: self._answer(origin, work))

    async def _answer(self, origin: Origin, work: Work[Reply]) -> None:
        reply = await work()
        self._on_done()
        if self._requests.pop(origin, None) is not None:
            origin.reply(reply)

    def _ended(self, origin: Origin) -> None:
        self._tasks.pop(origin, None)
        self._on_end()
