"""What an engine has to say, gathered so that it goes out in few messages.

Lives on the event loop. Whatever is added during one turn of the loop leaves as one
:class:`~actors.messages.Report`, through the ``deliver`` function given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from actors.messages import PolicyNews, Reason, Reply, Report
from actors.messages.limits import DELIVERY_BYTES, in_parts
from actors.payload import payload_size
from actors.resilience.cache import CacheState
from actors.resilience.pool_actions import PoolState

_LONGEST_PLACE: Final = 200
"""Characters."""


class Sink(Protocol):
    """Where answers go: to the supervisor, or to direct clients."""

    def reply(self, ref: int, reply: Reply) -> None:
        """Something came of the request that has this number there."""


class Origin(NamedTuple):
    """Where a request came from, so that its answers go there."""

    sink: Sink
    ref: int
    """What it is called there."""

    def reply(self, reply: Reply) -> None:
        self.sink.reply(self.ref, reply)


class Reporting(Protocol):
    """What an engine says beside answers: of the system as a whole, or of one connection of it."""

    take_loss: Callable[[bool], Reason | None]
    """Set by the engine; as in :class:`Reports`."""

    def tap(self, item: Any) -> None: ...

    def drop(self, items: int) -> None: ...

    def schedule(self) -> None: ...

    def flush(self) -> None: ...


class Beside(Protocol):
    """Who else says at the end of a turn what is new: direct clients' sink."""

    def supervisors_reply(self, ref: int, reply: Reply) -> None:
        """The supervisor is about to be told this."""

    def flush(self, is_connected: bool) -> None:
        """Say now what is new."""


class Reports:
    """To the supervisor, whose sink this is."""

    def __init__(
        self,
        system_name: str,
        incarnation: int,
        is_connected: Callable[[], bool],
        deliver: Callable[[Any], None],
    ) -> None:
        self._system_name = system_name
        self._incarnation = incarnation
        self._is_connected = is_connected
        self._deliver = deliver
        self._replies: list[tuple[int, Reply]] = []
        self._tapped: list[Any] = []
        self._tapped_bytes = 0
        self._dropped = 0
        self._taken = 0
        self._said_taken = 0
        self._said_connected = False
        self._said_where: str | None = None
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.beside: Beside | None = None
        self.take_loss: Callable[[bool], Reason | None] = lambda is_connected: None
        """Why a connection was lost that was there; told whether there is one now."""
        self.take_policies: Callable[[], PolicyNews | None] = lambda: None
        """What the policies of the system have to tell."""
        self.pool_state: Callable[[], PoolState | None] = lambda: None
        """What its pool has now, if it has one."""
        self.connected_to: Callable[[], object] = lambda: None
        """Where the connection that there is goes to."""
        self.cache_state: Callable[[], CacheState | None] = lambda: None
        """What its cache has now, if it has one."""
        self.on_loss: Callable[[], None] = lambda: None
        """Called whenever it is not connected, or was not since the last time."""
        self._said_states: tuple[PoolState | None, CacheState | None] = (None, None)
        self._tells_states = False

    def look(self) -> None:
        """Have what may have changed without a word be said. To be called now and then: a pool
        that is busy changes all the time, and so does a cache."""
        self._tells_states = (self.pool_state(), self.cache_state()) != self._said_states
        self.schedule()

    @property
    def is_connected(self) -> bool:
        """Whether the system is."""
        return self._is_connected()

    def reply(self, ref: int, reply: Reply) -> None:
        if self.beside is not None:
            self.beside.supervisors_reply(ref, reply)
        self._replies.append((ref, reply))
        self.schedule()

    def tap(self, item: Any) -> None:
        """Add an item, wrapped, for subscribers."""
        self._tapped.append(item)
        self._tapped_bytes += payload_size(item)
        if self._tapped_bytes >= DELIVERY_BYTES:
            self.flush()
        else:
            self.schedule()

    def drop(self, items: int) -> None:
        """Count items that came, and that nobody gets: unasked, or a second time."""
        self._dropped += items
        self.schedule()

    def taken(self, number: int) -> None:
        """Say that the loop took the delivery with this number."""
        self._taken = number
        self.schedule()

    def schedule(self) -> None:
        """Have everything said at the end of this turn of the loop, if anything is new.

        A task made before this call runs its first step before that: a request that is
        answered without waiting is in the same report as its delivery's number.
        """
        if self._scheduled:
            return
        self._scheduled = True
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self.flush)

    def _new_place(self, connected: bool) -> str | None:
        """Where it is connected to, if that is to be said."""
        found = self.connected_to() if connected else None
        where = found[:_LONGEST_PLACE] if isinstance(found, str) else None
        before, self._said_where = self._said_where, where
        return where if where != before else None

    def flush(self) -> None:
        """Say now what is new."""
        self._scheduled = False
        connected = self._is_connected()
        if self.beside is not None:
            self.beside.flush(connected)
        lost = self.take_loss(connected)
        where = self._new_place(connected)
        if lost is not None or not connected:
            self.on_loss()
        policies = self.take_policies()
        news = (
            where
            or self._replies
            or self._tapped
            or lost
            or self._dropped
            or policies
            or self._tells_states
            or self._taken != self._said_taken
        )
        if not news and connected == self._said_connected:
            return
        parts, self._replies = [*in_parts(self._replies)] or [()], []
        tapped, self._tapped, self._tapped_bytes = tuple(self._tapped), [], 0
        self._said_taken = self._taken
        self._said_connected = connected
        dropped, self._dropped = self._dropped, 0
        pool, cache = self._said_states = self.pool_state(), self.cache_state()
        self._tells_states = False
        for replies in parts:
            self._deliver(
                Report(
                    self._system_name,
                    self._incarnation,
                    self._taken,
                    replies,
                    connected,
                    tapped,
                    lost,
                    dropped,
                    pool,
                    where,
                    cache,
                    policies,
                )
            )
            tapped, lost, dropped, where, policies = (), None, 0, None, None
