"""What stands around the calls of a connector, by the policy of its system.

Runs on the system actor's event loop. A system without a policy has no guards, and its calls are
made as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial

from actors.interface import ExternalSystemInterface
from actors.messages import Failure, Outcome, Request
from actors.resilience.policy import Policy
from actors.resilience.state import NO_STATE, PolicyState
from actors.system_actor.breaking import Breaking
from actors.system_actor.bulkheading import BulkheadGuard
from actors.system_actor.calls import AT_ONCE, Call, Guard, T, Turn, Work, failures_in, operation_of
from actors.system_actor.down_waiting import DownGuard
from actors.system_actor.policy_news import News
from actors.system_actor.rate_limiting import RateLimiter
from actors.system_actor.retrying import Retrying
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
        self._inwards = tuple(reversed(guards))
        """From the call outwards."""
        self.down = down
        self.most_at_once = most_at_once
        self._calls: dict[int, Call] = {}
        """Those under way, by the identity of their requests."""

    @classmethod
    def of(
        cls,
        policy: Policy,
        system: ExternalSystemInterface,
        level_path: str | None = None,
        is_connected: Callable[[], bool] | None = None,
        past: PolicyState = NO_STATE,
        news: News | None = None,
    ) -> Guards | None:
        """Those that a policy asks for; None if it asks for none.

        Args:
            level_path: of the file of its rate limit; None keeps that in this process.
            is_connected: whether the system is; None asks the one connector that it has.
            past: what those of the incarnation before knew.
            news: told what the supervisor must know; None if there is none.
        """
        is_connected = is_connected or (lambda: system.is_connected)
        news = news or News(lambda: None)
        guards: list[Guard] = []
        most_at_once = down = None
        if policy.waits_when_down and policy.pool is None:  # which has several connections
            down = DownGuard(system)
            guards.append(down)
        if policy.retry is not None:
            guards.append(Retrying(policy.retry, news))
        if policy.circuit_breaker is not None:
            guards.append(Breaking(policy.circuit_breaker, past.circuit, news))
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
        go_on: Work[T | Failure] = partial(self._make, call, work)
        for guard in self._inwards:
            go_on = partial(guard.around, call, go_on)
        key = id(call.request)
        self._calls[key] = call
        try:
            return await go_on()
        finally:
            del self._calls[key]

    def outcome_of(self, request: Request, of_attempt: Outcome) -> Outcome:
        """What is known of a request, should it be cut off now.

        Args:
            of_attempt: the same of the call of the connector, if one is being made for it.
        """
        call = self._calls.get(id(request))
        if call is None:
            return of_attempt
        if call.may_be_done:
            return Outcome.UNKNOWN
        return of_attempt if call.is_made else Outcome.NOT_SENT

    async def _make(self, call: Call, work: Work[T | Failure]) -> T | Failure:
        call.is_made = True
        try:
            result = await work()
        except BaseException:
            call.may_be_done = True
            raise
        finally:
            call.is_made = False
        if any(each.outcome is Outcome.UNKNOWN for each in failures_in(result)):
            call.may_be_done = True
        return result


def with_innermost(guards: Guards | None, guard: Guard) -> Guards:
    """The same, and one more next to the call."""
    if guards is None:
        return Guards([guard])
    inner = copy(guards)  # what they hold is known to whoever has either
    inner._inwards = (guard, *guards._inwards)
    return inner


async def guarded(
    guards: Guards | None,
    request: Request,
    work: Work[T | Failure],
    weight: int = 1,
    turn: Turn = AT_ONCE,
    *,
    beside: bool = False,
) -> T | Failure:
    """Make the call that a request is for, with what stands around it."""
    if guards is None:
        return await work()
    return await guards.run(Call(operation_of(request), request, weight, beside, turn), work)
