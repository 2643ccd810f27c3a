"""Sends and questions wait for the connection of a system that is meant to have one. Runs on the
system actor's event loop.

It is for what is in the system's process when the connection is lost: what is asked later waits
with the supervisor, where it outlives this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from actors.interface import ExternalSystemInterface
from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    Request,
    SystemConnected,
)
from actors.system_actor.calls import Call, Operation, T, Work
from actors.system_actor.lane import Job, Lane

_LOOK_EVERY: Final = 0.5
"""Seconds between two looks for a connection that was made by no order to connect."""


class DownGuard:
    """The outermost: what waits here is under no other limit yet."""

    def __init__(self, system: ExternalSystemInterface) -> None:
        self._system = system
        self._is_meant = False
        """Whether it is meant to be connected, as far as this process has been told."""
        self._news = asyncio.Event()
        self._waiting = 0
        self.on_wait: Callable[[], None] = lambda: None
        """Called when something begins to wait: what would connect the system may be behind it."""

    @property
    def makes_wait(self) -> bool:
        """Whether something waits for the connection."""
        return self._waiting > 0

    def give_up(self) -> None:
        """It is about to be disconnected: nothing waits for a connection any more."""
        self._is_meant = False
        self._news.set()

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        match call.operation:
            case Operation.CONNECT:
                return await self._connect(call, go_on)
            case Operation.DISCONNECT:
                return await self._disconnect(go_on)
            case Operation.SEND | Operation.QUERY:
                return await self._when_up(go_on)
        return await go_on()

    async def _connect(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        if isinstance(call.request, ConnectSystem) and call.request.keep_trying:
            self._is_meant = True
        result = await go_on()
        if isinstance(result, SystemConnected):
            self._is_meant = True
        self._news.set()
        return result

    async def _disconnect(self, go_on: Work[T | Failure]) -> T | Failure:
        self.give_up()
        try:
            return await go_on()
        finally:
            self.give_up()  # a connect that it had to wait for may have worked

    async def _when_up(self, go_on: Work[T | Failure]) -> T | Failure:
        while True:
            if self._is_down:
                await self._until_up()
            result = await go_on()
            if not (self._is_meant and self._was_for_want_of_it(result)):
                return result
            await asyncio.sleep(0)  # the connection was lost just then
            if self._system._extsys_failed is not None:
                return result

    @property
    def _is_down(self) -> bool:
        """And is to come up again, whatever anybody does."""
        is_coming = self._is_meant and self._system._extsys_failed is None
        return is_coming and not self._system.is_connected

    def _was_for_want_of_it(self, result: object) -> bool:
        """Whether nothing was done for want of a connection; of all items that go together."""
        if isinstance(result, tuple):
            return bool(result) and all(map(self._was_for_want_of_it, result))
        if not isinstance(result, Failure) or result.outcome is not Outcome.NOT_SENT:
            return False
        # The connector may have been the first to notice.
        noticed = result.code is FailureCode.CONNECTOR_ERROR and not self._system.is_connected
        return noticed or result.code is FailureCode.NOT_CONNECTED

    async def _until_up(self) -> None:
        self._waiting += 1
        try:
            self.on_wait()
            while self._is_down:
                self._news.clear()
                try:
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            self._waiting -= 1


class PastTheLane:
    """Orders to connect do not wait in a lane in which something waits for the connection."""

    def __init__(
        self,
        down: DownGuard | None,
        lane: Lane,
        carry_out: Callable[[Job, ConnectSystem], None],
    ) -> None:
        """
        Args:
            down: None where nothing waits for a connection.
            carry_out: has an order to connect carried out beside the lane.
        """
        self._down = down
        self._lane = lane
        self._carry_out = carry_out
        if down is not None:
            down.on_wait = self._begin_to_wait

    def goes(self) -> bool:
        """Whether an order to connect that comes now goes past: not if one to disconnect is to
        be carried out before it."""
        if self._down is None or not self._down.makes_wait:
            return False
        return not any(isinstance(request, DisconnectSystem) for request in self._lane)

    def look_at(self, request: Request) -> None:
        """This enters the lane."""
        if isinstance(request, DisconnectSystem):
            self.wait_no_more()

    def wait_no_more(self) -> None:
        """What waits for the connection fails."""
        if self._down is not None:
            self._down.give_up()

    def _begin_to_wait(self) -> None:
        # Behind an order to disconnect there is none of them: with that nothing waits any more.
        for job in self._lane.take(ConnectSystem):
            assert isinstance(job.request, ConnectSystem)
            self._carry_out(job, job.request)
