"""Calls wait for their turn under a rate limit, or are refused. Runs on the system actor's event
loop; those of other systems that share the limit are in other processes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, TypeVar

from actors import loggers
from actors.errors import describe
from actors.messages import Failure, FailureCode
from actors.resilience.rate_limit import Overflow, RateLimit, Turn
from actors.system_actor.calls import Call, Operation, Work
from actors.wire.level_file import LevelFile, Step

T = TypeVar("T")
R = TypeVar("R")

_LIMITED: Final = frozenset({Operation.SEND, Operation.QUERY, Operation.COMMAND})
"""What goes to a system because somebody asked for it. Its connection, and a look at its health,
do not wait: it would seem to be down."""
_SOON: Final = 0.0002
"""Seconds after which another process has mostly let go of the file,"""
_LATER: Final = 0.05
"""and between two tries at most, where it does not: it is stopped, or killed soon."""


class RateLimiter:
    """The guard; between it and the call there is nothing that waits."""

    def __init__(self, limit: RateLimit, path: str | None, name: str) -> None:
        """
        Args:
            path: of the file that the limit is kept in; None keeps it in this process.
            name: of the system.
        """
        self._limit = limit
        self._file = LevelFile(path, limit, _now)
        self._name = name
        self._in_turn = asyncio.Lock()
        """A system stands in line once, however many of its calls wait: who shares the limit
        gets as much of it as others. First come, first served."""
        self._is_alone = False

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        if call.operation in _LIMITED and not self._goes_at_once(call.weight):
            wait = await self._wait_for_turn(call)
            if wait:
                return self._refusal(call, wait)
        return await go_on()

    def _goes_at_once(self, weight: int) -> bool:
        """Let a call go, if nobody waits and it may. Most calls have nothing else to do here."""
        if self._in_turn.locked():
            return False
        try:
            wait = self._file.change(lambda level, now: self._limit.ask(level, now, weight))
        except BlockingIOError:
            return False
        if self._file.trouble is not None or self._is_alone:
            self._tell_trouble()
        return not wait

    async def _wait_for_turn(self, call: Call) -> float:
        """Wait until a call may go.

        Returns:
            0.0; or the seconds after which it might, if it is not to wait for that.
        """
        weight = call.weight
        if self._limit.overflow is Overflow.REFUSE:
            return await self._change(lambda level, now: self._limit.ask(level, now, weight))
        async with self._in_turn:
            wait = await self._change(lambda level, now: self._limit.ask(level, now, weight))
            patience = call.request.timeout
            if not wait or (patience is not None and wait > patience):
                return wait
            turn = await self._change(lambda level, now: self._limit.take_turn(level, now, weight))
            await self._go_in_turn(turn)
        return 0.0

    async def _go_in_turn(self, turn: Turn) -> None:
        wait = turn.due - _now()
        try:
            while wait > 0:
                await asyncio.sleep(wait)
                wait = await self._change(lambda level, now: self._limit.go(level, now, turn))
        except asyncio.CancelledError:
            self._give_back(turn)
            raise

    def _give_back(self, turn: Turn) -> None:
        try:
            self._file.change(lambda level, now: (self._limit.give_back(level, now, turn), None))
        except BlockingIOError:
            pass  # then it is lost

    async def _change(self, step: Step[R]) -> R:
        pause = _SOON
        while True:
            try:
                result = self._file.change(step)
            except BlockingIOError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LATER)
            else:
                self._tell_trouble()
                return result

    def _tell_trouble(self) -> None:
        """Say once that its limit is not held across restarts, and not shared."""
        trouble = self._file.trouble
        if trouble is not None and not self._is_alone:
            text = "%s: its rate limit is this process's alone, as its file cannot be used: %s"
            logging.getLogger(loggers.SYSTEM_ACTOR).warning(text, self._name, describe(trouble))
        self._is_alone = trouble is not None

    def _refusal(self, call: Call, wait: float) -> Failure:
        text = f"one too many for its rate limit ({self._limit}); try again in {wait:.3g} s"
        return call.request.failure(FailureCode.RATE_LIMITED, text, retry_after=wait)


def _now() -> float:
    return asyncio.get_running_loop().time()  # CLOCK_MONOTONIC, as of all loops
