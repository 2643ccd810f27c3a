"""So many calls run beside the lane at a time. Runs on the system actor's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from actors.messages import Failure, FailureCode
from actors.resilience.bulkhead import Bulkhead, Compartment
from actors.system_actor.calls import Call, Operation, T, Work

_COUNTED: Final = frozenset({Operation.QUERY, Operation.COMMAND})
"""What tells of a system's health is not held up by what ails it."""
_SOON: Final = 0.01
"""Seconds; trying again sooner is of no use."""


class BulkheadGuard:
    """Has calls wait for a place, or refuses them."""

    def __init__(
        self, bulkhead: Bulkhead, is_connected: Callable[[], bool], *, several: bool = False
    ) -> None:
        """
        Args:
            several: whether there are several connections, so that questions of which each goes
                in its own connection's lane are under way at a time.
        """
        self._several = several
        self._bulkhead = bulkhead
        self._is_connected = is_connected
        self._compartment = Compartment(bulkhead)
        self._let_in: dict[object, asyncio.Future[None]] = {}

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        if call.operation not in _COUNTED or not (call.beside or self._several):
            return await go_on()
        loop = asyncio.get_running_loop()
        if self._compartment.is_full:
            return self._refusal(call, loop.time())
        who = object()
        try:
            if not self._compartment.enter(who, loop.time()):
                self._let_in[who] = loop.create_future()
                await self._let_in[who]
            return await go_on()
        finally:
            self._let_in.pop(who, None)
            for each in self._compartment.leave(who, loop.time()):
                waiter = self._let_in[each]
                if not waiter.done():  # else it is about to leave itself
                    waiter.set_result(None)

    def _refusal(self, call: Call, now: float) -> Failure:
        waited, again = self._compartment.waited(now), self._compartment.next_place(now)
        again = max(_SOON, again)
        line = f"{self._compartment.waiting} in line"
        if waited:
            line += f", the first for {waited:.3g} s"
        text = (
            f"{'connected' if self._is_connected() else 'not connected'}, and busy with "
            f"{self._bulkhead.concurrent} calls at once, {line} (bulkhead); "
            f"try again in about {again:.2g} s"
        )
        return call.request.failure(FailureCode.OVERLOADED, text, retry_after=again)
