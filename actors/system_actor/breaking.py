"""The circuit breaker around the calls of a connector.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from actors.messages import Failure, FailureCode, Outcome
from actors.resilience.circuit_breaker import (
    Circuit,
    CircuitBreaker,
    CircuitBreakerPolicy,
    Permit,
)
from actors.system_actor.calls import Call, Operation, T, Work, failures_in
from actors.system_actor.policy_news import News

_OPERATIONS: Final = (Operation.SEND, Operation.QUERY, Operation.COMMAND)
"""What it stands around. A connect has its own waits, and a check of health is how somebody finds
out what is the matter."""
_FAILURES: Final = (FailureCode.CONNECTOR_ERROR, FailureCode.TIMEOUT)
"""What says something about the system. All else was never made, or is the asker's fault."""


class Breaking:
    """Of one system."""

    def __init__(self, policy: CircuitBreakerPolicy, past: Circuit | None, news: News) -> None:
        """
        Args:
            past: what the one of the incarnation before knew.
        """
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._breaker = CircuitBreaker(
            policy, Random(), past, self._loop.time(), news.circuit_changed
        )
        news.keep("circuit", lambda: self._breaker.circuit)
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._set_timer()

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        if call.operation not in _OPERATIONS:
            return await go_on()
        permit = self._breaker.begin(self._loop.time())
        if permit is None:
            self._set_timer()
            return self._refusal(call)
        try:
            result = await (self._probe(call, permit, go_on) if permit.is_probe else go_on())
        except asyncio.CancelledError:
            self._breaker.dropped(permit, self._loop.time())
            self._news.changed_a_little()
            self._set_timer()
            raise
        self._judge(permit, result)
        self._set_timer()
        return result

    async def _probe(self, call: Call, permit: Permit, go_on: Work[T | Failure]) -> T | Failure:
        self._set_timer()
        self._news.changed()  # should it be the end of this process, the next one knows of it
        try:
            async with asyncio.timeout_at(permit.deadline) as timer:
                return await go_on()
        except TimeoutError:
            if not timer.expired():
                raise  # the connector's own
        limit = self._breaker.policy.probe_timeout
        text = (
            f"{call.operation} took longer than {limit:g} s (the probe_timeout of its circuit "
            "breaker), and was cut off"
        )
        return call.request.failure(FailureCode.TIMEOUT, text, Outcome.UNKNOWN)

    def _judge(self, permit: Permit, result: object) -> None:
        failures = failures_in(result)
        failure = next((each for each in failures if each.code in _FAILURES), None)
        now = self._loop.time()
        if not failures:
            self._breaker.succeeded(permit, now)
        elif failure is None:
            self._breaker.dropped(permit, now)
        else:
            self._breaker.failed(permit, now, failure.text.removeprefix(f"{failure.system_name}: "))
        if failures:
            self._news.changed_a_little()

    def _refusal(self, call: Call) -> Failure:
        now = self._loop.time()
        text, wait = self._breaker.refusal(now), self._breaker.retry_after(now)
        return call.request.failure(FailureCode.CIRCUIT_OPEN, text, Outcome.NOT_SENT, wait)

    def _set_timer(self) -> None:
        """See that what time does to it is seen and told without a call."""
        due = self._breaker.next_due()
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = None if due is None else self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._due = self._timer = None
        self._breaker.look(self._loop.time())
        self._set_timer()
