"""Calls that take too long are cut off. Runs on the system actor's event loop."""

from __future__ import annotations

import asyncio

from actors.messages import Failure, FailureCode, Outcome
from actors.resilience.timeouts import Timeouts
from actors.system_actor.calls import Call, T, Work


class TimeLimit:
    """Cancels what takes too long; the guard next to the call."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        limit: float | None = getattr(self._timeouts, call.operation)
        if limit is None:
            return await go_on()
        try:
            async with asyncio.timeout(limit) as timer:
                return await go_on()
        except TimeoutError:
            if not timer.expired():
                raise  # the connector's own
        text = f"{call.operation} took longer than its time limit ({limit:g} s), and was cut off"
        return call.request.failure(FailureCode.TIMEOUT, text, Outcome.UNKNOWN)
