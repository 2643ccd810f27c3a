"""Sends and questions that are tried again.

Runs on the system actor's event loop, in the engine's lane: what was asked for after a call waits
until it has succeeded or is given up, so that the order stays.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Final, cast

import attrs

from actors.messages import Failure, FailureCode, Outcome
from actors.resilience.retry import Retry, RetryPolicy
from actors.system_actor.calls import Call, Operation, T, Work, failures_in
from actors.system_actor.policy_news import News

_OPERATIONS: Final = (Operation.SEND, Operation.QUERY)
_REPEATABLE: Final = (
    *(FailureCode.CONNECTOR_ERROR, FailureCode.NOT_CONNECTED),
    *(FailureCode.TIMEOUT, FailureCode.RATE_LIMITED),
)
"""What may be otherwise the next time. An item that was refused, a request that makes no sense or
a circuit that is open is not."""


class Retrying:
    """Of one system."""

    def __init__(self, policy: RetryPolicy, news: News) -> None:
        self._policy = policy
        self._news = news
        self._random = Random()
        self._waited_in_vain = False
        """Whether somebody waited for the connection, and it did not come back."""

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        if call.operation not in _OPERATIONS:
            return await go_on()
        result = await go_on()
        failures = failures_in(result)
        if not failures:
            self._waited_in_vain = False
            return result
        retry = Retry(self._policy, self._random, call.turn.deadline)
        while (wait := self._wait_after(failures, retry)) is not None:
            await call.turn.rest(wait)
            self._news.retried()
            result = await go_on()
            failures = failures_in(result)
        return cast(T | Failure, _told(result, failures, retry))

    def _wait_after(self, failures: tuple[Failure, ...], retry: Retry) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        not_connected = any(each.code is FailureCode.NOT_CONNECTED for each in failures)
        if not not_connected:
            self._waited_in_vain = False
        if not failures or not all(each.code in _REPEATABLE for each in failures):
            return None
        if self._waited_in_vain:
            return None  # all that wait in line would wait one after the other
        wait = retry.wait_after(
            asyncio.get_running_loop().time(),
            not_done=all(each.outcome is Outcome.NOT_SENT for each in failures),
            least=max(each.retry_after or 0.0 for each in failures),
        )
        self._waited_in_vain = wait is None and not_connected
        return wait


def _told(result: Any, failures: tuple[Failure, ...], retry: Retry) -> Any:
    """What came of all attempts: a failure tells how many there were, and what is known of
    them."""
    if retry.attempts == 1 or not failures:
        return result
    outcome = Outcome.UNKNOWN if retry.may_be_done else Outcome.NOT_SENT
    told = tuple(
        [
            attrs.evolve(each, outcome=outcome, text=f"{each.text} (attempt {retry.attempts})")
            for each in failures
        ]
    )
    return told if isinstance(result, tuple) else told[0]
