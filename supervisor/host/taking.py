"""The manager's call for data that is kept until its reader is done with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import attrs

from actors.messages import Failure, Reply, Request
from actors.payload import unwrap
from supervisor.host.dialog import Dialog
from supervisor.messages import SupervisorRequest
from supervisor.messages.inbox import DataSettled, DataTaken, NothingTaken, SettleData, TakeData

_AT_ONCE: Final = 5.0
"""Seconds of one question; it is asked again."""


@attrs.frozen
class TakenItem:
    """What came from a system, for one reader."""

    data: Any = attrs.field(repr=False)
    id: int
    """Of no other item of this journal: it comes again under the same one."""
    taken: int
    """How often it was taken before: more than 0 if its reader failed or ended, and may have done
    with it what is to be done."""
    received_at: float
    """Seconds of the wall clock."""


class _Asks(Protocol):
    _dialog: Dialog

    async def _ask_for(
        self, request: Request | SupervisorRequest, wanted: type[Reply]
    ) -> Any:  # the reply, or None
        ...

    def _give_up(self, reply: Reply, value: None) -> None: ...


class Takes:
    """Mixed into :class:`~supervisor.ExternalSystemManager`."""

    @asynccontextmanager
    async def take(
        self: _Asks, name: str, timeout: float | None = None
    ) -> AsyncIterator[TakenItem | None]:
        """The next item of a system with an inbox, for as long as the block lasts.

        It is acknowledged at the end of the block, and on the disk until then: if the block
        raises, or its process ends, the item comes again, to any reader.

        Args:
            timeout: seconds to wait for one; None waits for as long as it takes.

        Yields:
            it, or None if none came, or none can.
        """
        taken = await _take(self, name, timeout)
        if taken is None:
            yield None
            return
        done = False
        try:
            data = unwrap(taken.data)
            yield TakenItem(data, taken.item_id, taken.taken, taken.received_at)
            done = True
        finally:
            settle = SettleData(name, taken.item_id, done)
            await asyncio.shield(self._ask_for(settle, DataSettled))


async def _take(manager: _Asks, name: str, timeout: float | None) -> DataTaken | None:
    loop = asyncio.get_running_loop()
    due = None if timeout is None else loop.time() + timeout
    while True:
        wait = _AT_ONCE if due is None else max(0.0, min(_AT_ONCE, due - loop.time()))
        asking = asyncio.ensure_future(manager._dialog.ask(TakeData(name, wait)))
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            # What comes now is for somebody else.
            asking.add_done_callback(lambda asked: _give_back(manager, name, asked))
            raise
        if isinstance(reply, DataTaken):
            return reply
        if isinstance(reply, Failure):
            manager._give_up(reply, None)
            return None
        assert isinstance(reply, NothingTaken)
        if due is not None and loop.time() >= due:
            return None


_giving_back: set[asyncio.Future[Any]] = set()


def _give_back(manager: _Asks, name: str, asked: asyncio.Future[Reply]) -> None:
    if asked.cancelled() or asked.exception() is not None:
        return
    reply = asked.result()
    if isinstance(reply, DataTaken):
        work = asyncio.ensure_future(manager._dialog.ask(SettleData(name, reply.item_id, False)))
        _giving_back.add(work)
        work.add_done_callback(_giving_back.discard)
