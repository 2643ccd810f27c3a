"""What a host is told unasked, for each consumer in a queue of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, Self, TypeVar
from weakref import WeakSet

from actors.payload import payload_size
from supervisor.client.connection import Event
from supervisor.messages import DataArrived, DataLost, LifecycleEvent, LinesSaid, OutputLine

T = TypeVar("T")
S = TypeVar("S", bound="DataStream | LineStream")

CatchUp = Callable[["EventStream"], Awaitable[None]]

MAX_BACKLOG: Final = 100_000
"""Events that may wait to be taken from one stream."""
MAX_BACKLOG_BYTES: Final = 64 << 20
"""Bytes of data that may."""


class Streams:
    """The consumers of one manager; one that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._events: WeakSet[EventStream] = WeakSet()
        self._data: list[DataStream] = []
        self._lines: list[LineStream] = []
        self._heard = 0
        """The sequence number of the last lifecycle event."""
        self._ended = False

    def events(self, catch_up: CatchUp | None = None, since: int = 0) -> EventStream:
        """A stream of the lifecycle events from now on, or from those after ``since`` on.

        Args:
            catch_up: has past events come again; awaited before the first is taken.
        """
        stream = EventStream(self._heard) if catch_up is None else EventStream(since, catch_up)
        self._events.add(stream)
        if self._ended:
            stream.queue.put_nowait(None)
        return stream

    def add(self, stream: S) -> S:
        """Let a stream have what comes from now on; to be removed again."""
        self._of_kind(stream).append(stream)
        return stream

    def remove(self, stream: DataStream | LineStream) -> None:
        self._of_kind(stream).remove(stream)

    def _of_kind(self, stream: DataStream | LineStream) -> list[Any]:
        return self._data if isinstance(stream, DataStream) else self._lines

    @property
    def line_names(self) -> set[str] | None:
        """The systems whose words somebody wants; None for all."""
        return _names_of(self._lines)

    @property
    def data_names(self) -> set[str] | None:
        """The systems whose data somebody wants; None for all."""
        return _names_of(self._data)

    def hear(self, event: Event) -> None:
        """Pass an event on to those it is for."""
        if isinstance(event, LifecycleEvent):
            self._heard = max(self._heard, event.sequence)
            for stream in self._events:
                stream.hear(event)
            return
        if isinstance(event, LinesSaid):
            for line in event.lines:
                for lines in self._lines:
                    if lines.wants(line.system_name):
                        lines.put(line)
            return
        for each in self._data:
            if isinstance(event, DataLost):
                each.fall_behind(event.text)
            elif each.wants(event.system_name):
                each.put(event)

    def count_anew(self, last: int) -> None:
        """Events are counted by a supervisor that does not know those before."""
        self._heard = last
        for stream in self._events:
            stream.count_anew(last)

    def end(self) -> None:
        """Let every consumer finish: there is nothing more to come."""
        self._ended = True
        for stream in self._events:
            stream.queue.put_nowait(None)
        for each in self._data:
            each.queue.put_nowait(None)
        for lines in self._lines:
            lines.queue.put_nowait(None)


class FellBehindError(Exception):
    """A stream was ended, because whoever iterates over it is too slow. The consumer's fault:
    do what takes long elsewhere."""


class _Backlog(Generic[T]):
    """What one consumer has not taken yet."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[T | None] = asyncio.Queue()
        self._bytes = 0
        self._behind: str | None = None
        """How it fell behind, if it did."""

    def _size(self, item: T) -> int:
        """Bytes of data."""
        return 0

    def put(self, item: T) -> None:
        size = self._size(item)
        if self._behind is not None:
            return
        if self.queue.qsize() >= MAX_BACKLOG:
            self.fall_behind(f"more than {MAX_BACKLOG} events waited to be taken")
        elif self._bytes and self._bytes + size > MAX_BACKLOG_BYTES:
            self.fall_behind(f"more than {MAX_BACKLOG_BYTES >> 20} MiB waited to be taken")
        else:
            self._bytes += size
            self.queue.put_nowait(item)

    def fall_behind(self, text: str) -> None:
        """End it, once what has come is taken."""
        if self._behind is None:
            self._behind = text
            self.queue.put_nowait(None)

    async def take(self) -> T | None:
        """The next one, or None at the end.

        Raises:
            FellBehindError: more came than may wait.
        """
        item = await self.queue.get()
        if item is None:
            self.queue.put_nowait(None)  # for whoever asks again
            if self._behind is not None:
                raise FellBehindError(self._behind)
        else:
            self._bytes -= self._size(item)
        return item


class EventStream(_Backlog[LifecycleEvent], AsyncIterator[LifecycleEvent]):
    """Iterate over it with ``async for``; it ends when the manager closes."""

    def __init__(self, last: int, catch_up: CatchUp | None = None) -> None:
        """
        Args:
            last: the sequence number of the event before the first one wanted.
        """
        super().__init__()
        self.last = last
        self._catch_up = catch_up

    def hear(self, event: LifecycleEvent) -> None:
        """Add an event, unless it is one that was had already: others may have asked for
        past events to come again."""
        if self._catch_up is None and event.sequence > self.last:
            self.last = event.sequence
            self.put(event)

    def count_anew(self, last: int) -> None:
        """Events begin after another number. A stream that still asks for past ones is told,
        when it does, that they are lost."""
        if self._catch_up is None:
            self.last = last

    def caught_up(self) -> None:
        """The past events come now."""
        self._catch_up = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LifecycleEvent:
        if self._catch_up is not None:
            await self._catch_up(self)
        event = await self.take()
        if event is None:
            raise StopAsyncIteration
        return event


class _OfSystems(_Backlog[T]):
    """Of some systems, or of all if it has no names."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names

    def wants(self, name: str) -> bool:
        return not self.names or name in self.names


class DataStream(_OfSystems[DataArrived]):
    """The data of systems."""

    def _size(self, item: DataArrived) -> int:
        return sum(map(payload_size, item.items))


class LineStream(_OfSystems[OutputLine]):
    """What systems say."""


def _names_of(streams: Sequence[_OfSystems[Any]]) -> set[str] | None:
    """The systems that they are of together; None is all."""
    if any(not stream.names for stream in streams):
        return None
    return {name for stream in streams for name in stream.names}
