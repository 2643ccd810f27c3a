"""Keeps the order of what is received, past receives that are cancelled.

An item may be on its way to a receive when that is cancelled. It goes back to its system, and a
receive that is asked meanwhile would get the item behind it first. So receives wait until a
:class:`~actors.messages.Fence` that was sent behind the cancellation has come back: by then
whatever was on its way is known here, and said to be given back.

Everything here runs on the host's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from actors.messages import RECEIVING_KINDS, Fence, Reply, Request
from supervisor.client.fencing import FENCE_PATIENCE
from supervisor.client.session import Session
from supervisor.messages import SupervisorRequest

Ask = Callable[[Request | SupervisorRequest], Awaitable[Reply]]


class ReceivingOrder:
    """Of one manager."""

    def __init__(self, session: Session, ask: Ask) -> None:
        """
        Args:
            session: by which the fences go.
            ask: sends a request on its way, and takes it back if it is cancelled.
        """
        self._session = session
        self._ask = ask
        self._fences: dict[str, asyncio.Task[None]] = {}
        """Under way, by the name of the system."""

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Send a request and wait for its reply. Being cancelled takes the request back."""
        if not isinstance(request, RECEIVING_KINDS) or not isinstance(request.system_name, str):
            return await self._ask(request)
        name = request.system_name
        while (fence := self._fences.get(name)) is not None:
            await asyncio.wait([fence])
        try:
            return await self._ask(request)
        except asyncio.CancelledError:
            self._cancelled(name)
            raise

    def _cancelled(self, name: str) -> None:
        if self._session.over is None:
            fence = asyncio.create_task(self._put_up(name), name=f"fence to {name}")
            self._fences[name] = fence  # it proves what an earlier one does
            fence.add_done_callback(partial(self._passed, name))

    async def _put_up(self, name: str) -> None:
        try:
            # A supervisor that hangs does not tell that its time is over.
            async with asyncio.timeout(FENCE_PATIENCE):
                await self._session.ask(Fence(name, timeout=FENCE_PATIENCE))
        except TimeoutError:
            pass

    def _passed(self, name: str, fence: asyncio.Task[None]) -> None:
        if self._fences.get(name) is fence:
            del self._fences[name]
        if not fence.cancelled():
            fence.exception()  # a bug, perhaps, but no receive waits for ever

    def close(self) -> None:
        """Nothing is received any more."""
        for fence in self._fences.values():
            fence.cancel()
