"""What stands around the calls of a connector, by the policy of its system.

Runs on the system actor's event loop. A system without a policy has no guards, and its calls are
made as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

from actors.interface import ExternalSystemInterface
from actors.messages import Failure, Outcome, Request
from actors.resilience.policy import Policy
from actors.system_actor.bulkheading import BulkheadGuard
from actors.system_actor.calls import Call, Guard, T, Work, operation_of
from actors.system_actor.down_waiting import DownGuard
from actors.system_actor.rate_limiting import RateLimiter
from actors.system_actor.time_limit import TimeLimit


class Guards:
    """All of one system, the outermost first."""

    def __init__(
        self,
        guards: Sequence[Guard],
        most_at_once: int | None = None,
        down: DownGuard | None = None,
    ) -> None:
        """
        Args:
            most_at_once: items that one call may have; None if any number may go.
            down: the one that has calls wait for a connection, if there is one.
        """
        self._guards = tuple(guards)
        self.down = down
        self.most_at_once = most_at_once
        self._held: set[int] = set()
        """Requests, by ``id``, whose calls a guard has not let through yet."""

    @classmethod
    def of(
        cls,
        policy: Policy,
        system: ExternalSystemInterface,
        level_path: str | None = None,
        is_connected: Callable[[], bool] | None = None,
    ) -> Guards | None:
        """Those that a policy asks for; None if it asks for none.

        Args:
            level_path: of the file of its rate limit; None keeps that in this process.
            is_connected: whether the system is; None asks the one connector that it has.
        """
        is_connected = is_connected or (lambda: system.is_connected)
        guards: list[Guard] = []
        most_at_once = down = None
        if policy.waits_when_down and policy.pool is None:  # which has several connections
            down = DownGuard(system)
            guards.append(down)
        if policy.bulkhead is not None:
            several = policy.pool is not None
            guards.append(BulkheadGuard(policy.bulkhead, is_connected, several=several))
        if policy.rate_limit is not None:
            guards.append(RateLimiter(policy.rate_limit, level_path, system.system_name))
            most_at_once = policy.rate_limit.burst
        if policy.timeouts is not None:
            guards.append(TimeLimit(policy.timeouts))
        return cls(guards, most_at_once, down) if guards else None

    async def run(self, call: Call, work: Work[T | Failure]) -> T | Failure:
        """The result of a call, or why it failed or was not made."""
        request = id(call.request)
        self._held.add(request)
        try:
            return await self._run(0, call, work)
        finally:
            self._held.discard(request)

    def holds(self, request: Request) -> bool:
        """Whether one of them holds back its call: of what is cut off now nothing was done."""
        return id(request) in self._held

    async def _run(self, depth: int, call: Call, work: Work[T | Failure]) -> T | Failure:
        if depth == len(self._guards):
            return await self._begin(id(call.request), work)
        return await self._guards[depth].around(call, lambda: self._run(depth + 1, call, work))

    async def _begin(self, request: int, work: Work[T | Failure]) -> T | Failure:
        was_held = request in self._held
        self._held.discard(request)
        result = await work()
        if was_held and isinstance(result, Failure) and result.outcome is Outcome.NOT_SENT:
            self._held.add(request)  # a guard may try again
        return result


def with_innermost(guards: Guards | None, guard: Guard) -> Guards:
    """The same, and one more next to the call."""
    if guards is None:
        return Guards([guard])
    inner = copy(guards)  # what they hold is known to whoever has either
    inner._guards = (*guards._guards, guard)
    return inner


async def guarded(
    guards: Guards | None,
    request: Request,
    work: Work[T | Failure],
    weight: int = 1,
    *,
    beside: bool = False,
) -> T | Failure:
    """Make the call that a request is for, with what stands around it."""
    if guards is None:
        return await work()
    return await guards.run(Call(operation_of(request), request, weight, beside), work)
