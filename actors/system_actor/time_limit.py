"""Calls that take too long are cut off. Runs on the system actor's event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from actors.messages import Failure, FailureCode, Outcome
from actors.resilience.timeouts import Timeouts
from actors.system_actor.calls import Call, Operation, T, Work


class TimeLimit:
    """Cancels what takes too long; the guard next to the call."""

    def __init__(self, timeouts: Timeouts) -> None:
        limits = {each: getattr(timeouts, each) for each in Operation}
        self._watches = {each: _Watch(limit) for each, limit in limits.items() if limit is not None}

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        watch = self._watches.get(call.operation)
        if watch is None:
            return await go_on()
        timed = watch.begin()
        try:
            return await go_on()
        except asyncio.CancelledError:
            if not watch.is_the_cause(timed):
                raise
        finally:
            watch.end(timed)
        text = f"took longer than its time limit ({watch.limit:g} s), and was cut off"
        return call.request.failure(
            FailureCode.TIMEOUT, f"{call.operation} {text}", Outcome.UNKNOWN
        )


@attrs.define(eq=False)
class _Timed:
    """One call under way."""

    task: asyncio.Task[Any]
    due: float
    cancels: int
    """Of its task that others have asked for before."""
    expired: bool = False


class _Watch:
    """All calls that have the same limit, and so end in the order of their begin.

    A timer for each would cost more than most calls take: one is set for the oldest, and is left
    when that ends in time.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[_Timed, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> _Timed:
        task = asyncio.current_task()
        assert task is not None
        timed = _Timed(task, self._loop.time() + self.limit, task.cancelling())
        self._under_way[timed] = None
        if self._timer is None:
            self._timer = self._loop.call_at(timed.due, self._look)
        return timed

    def end(self, timed: _Timed) -> None:
        del self._under_way[timed]
        if timed.expired:
            timed.task.uncancel()  # also when the connector swallowed it

    def is_the_cause(self, timed: _Timed) -> bool:
        """Whether nobody but this watch had the task cancelled."""
        return timed.expired and timed.task.cancelling() <= timed.cancels + 1

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for timed in self._under_way:
            if timed.due > now:
                self._timer = self._loop.call_at(timed.due, self._look)
                return
            if not timed.expired:
                timed.expired = True
                timed.task.cancel()
