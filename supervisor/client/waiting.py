"""What is asked while there is no supervisor, until there is one again, or never will be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from actors.messages import RECEIVING_KINDS, Failure, FailureCode, Request
from supervisor.messages import Subscribe, SupervisorRequest

RECOVERY_PATIENCE = 20.0
"""Seconds that a supervisor of one's own may take to come back."""
_RESTARTING: Final = "the supervisor is being restarted, which takes too long"

OnPart = Callable[[Any], None]
AskStream = Callable[[Request | Subscribe, OnPart], None]


class WaitingRequests:
    """Of one session, which begins without a supervisor."""

    def __init__(self, ask_stream: AskStream) -> None:
        """
        Args:
            ask_stream: asks what need not wait any more.
        """
        self._ask_stream = ask_stream
        self._over = asyncio.Event()
        self._held: dict[int, tuple[Request | Subscribe, OnPart, asyncio.TimerHandle]] = {}
        """What is not awaited by a task: with what hears the answer, and what ends the wait.
        By request id, in order."""

    @property
    def is_needed(self) -> bool:
        """Whether requests have to wait."""
        return not self._over.is_set()

    def begin(self) -> None:
        """From now on they have to."""
        self._over.clear()

    def end(self) -> None:
        """Let go on what waited, also when there is nothing to wait for any more."""
        self._over.set()
        held, self._held = self._held, {}
        for request, on_part, timer in held.values():
            timer.cancel()
            self._ask_stream(request, on_part)

    async def wait_for(self, seconds: float) -> bool:
        """Wait until nobody has to, for so long at most; whether that was enough."""
        try:
            async with asyncio.timeout(seconds):
                return await self._over.wait()
        except TimeoutError:
            return False

    async def wait(self, request: Request | SupervisorRequest) -> Failure | None:
        """Wait with a request as long as it may; its failure, if that was not enough."""
        return None if await self.wait_for(_patience(request)) else _too_late(request)

    def hold(self, request: Request | Subscribe, on_part: OnPart) -> None:
        """Keep a request, and ask it at the end."""
        timer = asyncio.get_running_loop().call_later(
            _patience(request), self._drop, request.request_id
        )
        self._held[request.request_id] = (request, on_part, timer)

    def cancel(self, request_id: int) -> bool:
        """Nobody waits for the answer any more; whether it was held."""
        held = self._held.pop(request_id, None)
        if held is None:
            return False
        held[2].cancel()
        return True

    def _drop(self, request_id: int) -> None:
        request, on_part, _ = self._held.pop(request_id)
        on_part(_too_late(request))


def _too_late(request: Request | SupervisorRequest) -> Failure:
    return request.failure(FailureCode.UNAVAILABLE, _RESTARTING)


def _patience(request: Request | SupervisorRequest) -> float:
    """Seconds that a request may wait for a supervisor to be restarted."""
    times = [RECOVERY_PATIENCE, request.timeout]
    if isinstance(request, RECEIVING_KINDS):
        times.append(request.wait)
    return min(time for time in times if time is not None)
