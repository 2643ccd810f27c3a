"""The manager's streams: what happens to systems, and what comes from them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from actors import loggers
from actors.payload import PayloadError, unwrap
from supervisor.host.dialog import Dialog
from supervisor.host.streams import DataStream, EventStream, LineStream

_log = logging.getLogger(loggers.MANAGER)

S = TypeVar("S", DataStream, LineStream)


class _Talks(Protocol):
    _dialog: Dialog

    async def _is_ready(self) -> bool: ...


@asynccontextmanager
async def subscribed(dialog: Dialog, stream: S) -> AsyncIterator[S]:
    """Let a stream have what it is for, while this lasts."""
    dialog.streams.add(stream)
    try:
        await dialog.subscribe()
        yield stream
    finally:
        dialog.streams.remove(stream)
        await dialog.subscribe()


class Follower:
    """Mixed into :class:`~supervisor.ExternalSystemManager`."""

    def events(self: _Talks, since: int | None = None) -> EventStream:
        """What happens to systems and groups, from now on, until the manager closes.

        Args:
            since: the sequence number of the last event that the caller has had; those
                after it come first. If they are not all kept any more, the first ``anext``
                raises :class:`~supervisor.EventsLostError`.
        """
        self._dialog.session.check_process()
        if since is None:
            return self._dialog.streams.events()
        return self._dialog.streams.events(self._dialog.catch_up, since)

    async def data_from(self: _Talks, *names: str) -> AsyncIterator[tuple[str, Any]]:
        """``(name, item)`` for each item that comes from these systems, or from all.

        While this is iterated the systems are received from all the time.

        Raises:
            FellBehindError: items come faster than they are taken, for too long.
        """
        if not await self._is_ready():
            return
        async with subscribed(self._dialog, DataStream(names)) as stream:
            while (event := await stream.take()) is not None:
                for data in event.items:
                    try:
                        item = unwrap(data)
                    except PayloadError as error:
                        _log.warning("%s: an item is lost: %s", event.system_name, error)
                        continue
                    yield event.system_name, item
