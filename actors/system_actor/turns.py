"""The times that calls in the lane have, and their waits before they are made again.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from actors.messages import ConnectSystem, QueryData, Request
from actors.system_actor.calls import Turn
from actors.system_actor.dropping import DropLink
from actors.system_actor.lane import Job, Lane
from actors.system_actor.liveness import SendPing
from actors.system_actor.renewing import Renew

_SHARE_OF_TIME: Final = 0.95
"""Of its time, that a request has in here; the rest is for the way to whoever asked."""


class Turns:
    """Of one lane."""

    def __init__(
        self,
        lane: Lane,
        is_connected: Callable[[], bool],
        put_urgent: Callable[[], None],
        request_timeout: float,
    ) -> None:
        """
        Args:
            put_urgent: puts into the lane what is to be done about the connection before all else.
            request_timeout: seconds that a request has which names none.
        """
        self._lane = lane
        self._is_connected = is_connected
        self._put_urgent = put_urgent
        self._request_timeout = request_timeout

    def of(self, job: Job) -> Turn:
        """Of a call that holds up those behind it in the lane."""
        return Turn(partial(self._rest, job), job.entered, self._patience(job.request))

    def beside(self, job: Job) -> Turn:
        """Of a call that leaves the lane to others."""
        return Turn(asyncio.sleep, job.entered, self._patience(job.request))

    def _patience(self, request: Request) -> float:
        patience = request.timeout
        if patience is None:
            wait = request.wait if isinstance(request, QueryData) else None
            patience = self._request_timeout + (wait or 0.0)
        return _SHARE_OF_TIME * patience

    async def _rest(self, job: Job, seconds: float) -> None:
        """Wait for so long, or until there is a connection again."""
        was_connected = self._is_connected()

        def is_over() -> bool:
            nonlocal was_connected
            came_back = self._is_connected() and not was_connected
            was_connected = self._is_connected()
            return came_back

        self._put_urgent()
        await self._lane.rest(job, seconds, is_over, _mends)


def _mends(request: Request) -> bool:
    """Whether it is about the connection, and so does not wait for a call to be made again."""
    return isinstance(request, ConnectSystem | Renew | DropLink | SendPing)
