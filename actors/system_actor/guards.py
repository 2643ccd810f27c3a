"""What stands around the calls of a connector, by the policy of its system.

Runs on the system actor's event loop. A system without a policy has no guards, and its calls are
made as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.messages import Failure, FailureCode, Outcome, Request
from actors.resilience.policy import Policy
from actors.resilience.timeouts import Timeouts
from actors.system_actor.calls import Call, Guard, T, Work, operation_of


class Guards:
    """All of one system, the outermost first."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = tuple(guards)

    @classmethod
    def of(cls, policy: Policy) -> Guards | None:
        """Those that a policy asks for; None if it asks for none."""
        guards: list[Guard] = []
        if policy.timeouts is not None:
            guards.append(TimeLimit(policy.timeouts))
        return cls(guards) if guards else None

    async def run(self, call: Call, work: Work[T | Failure]) -> T | Failure:
        """The result of a call, or why it failed or was not made."""
        return await self._run(0, call, work)

    async def _run(self, depth: int, call: Call, work: Work[T | Failure]) -> T | Failure:
        if depth == len(self._guards):
            return await work()
        return await self._guards[depth].around(call, lambda: self._run(depth + 1, call, work))


async def guarded(
    guards: Guards | None, request: Request, work: Work[T | Failure], weight: int = 1
) -> T | Failure:
    """Make the call that a request is for, with what stands around it."""
    if guards is None:
        return await work()
    return await guards.run(Call(operation_of(request), request, weight), work)


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
