"""Sends to one system from many tasks, put together into few messages.

While no earlier send is under way, an item goes at once, alone. What is sent meanwhile during
one turn of the event loop goes as one SendMany, and so does what one caller sends together. Its
results come back in parts as the system takes the items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from actors.messages import DataAccepted, Failure, ManySent, Reply, SendData, SendMany
from actors.messages.limits import DELIVERY_BYTES, is_full

T = TypeVar("T")

Ask = Callable[[SendData | SendMany, Callable[[Reply], None], int | None], None]
"""Asks; is given what hears the answer, and the size of a SendData's item."""
Measured = tuple[Any, int]
"""An item, wrapped, and its bytes."""
Sent = bool | str | Failure
"""What became of an item: True, its idempotency id if it was accepted, or the failure."""


class Manner(NamedTuple):
    """How items are sent; fields of :class:`~actors.messages.SendData`."""

    durable: bool | None = None
    wait: bool = False


PLAIN: Final = Manner()


def whether_sent(result: Sent) -> bool | Failure:
    """What became of an item, for whom an id says nothing more than True."""
    return True if isinstance(result, str) else result


class SendBatcher:
    """For one system; lives on the manager's event loop."""

    def __init__(self, system_name: str, ask: Ask, manner: Manner = PLAIN) -> None:
        self._system_name = system_name
        self._manner = manner
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._items: list[Any] = []
        self._futures: list[asyncio.Future[Sent]] = []
        self._bytes = 0
        self._under_way = 0
        """Requests that are not answered to their end."""

    def send(self, data: Any, size: int) -> asyncio.Future[Sent]:
        """Add an item, wrapped; its future gets what became of it."""
        future: asyncio.Future[Sent] = self._loop.create_future()
        if not self._under_way and not self._items:
            self._under_way = 1
            request = SendData(
                self._system_name, data, durable=self._manner.durable, wait=self._manner.wait
            )
            self._ask(request, partial(self._settle_one, future), size)
            return future
        if size >= DELIVERY_BYTES:
            self.flush()  # should it be refused for its size, it is refused alone
        if not self._items:
            self._loop.call_soon(self.flush)
        self._items.append(data)
        self._futures.append(future)
        self._bytes += size
        if is_full(len(self._items), self._bytes):
            self.flush()
        return future

    async def send_many(self, items: Sequence[Measured]) -> list[Sent]:
        """Send items after what was added so far; for each what became of it."""
        if len(items) == 1:
            return [await self.send(*items[0])]
        self.flush()
        parts = [self._send_all([data for data, _ in each]) for each in _parts_of(items)]
        return [result for part in parts for result in await part]

    def flush(self) -> None:
        """Send what was added so far."""
        if self._items:
            items, futures = self._items, iter(self._futures)
            self._items, self._futures, self._bytes = [], [], 0
            self._send_together(items, partial(_settle_each, futures))

    def _send_all(self, items: list[Any]) -> asyncio.Future[list[Sent]]:
        future: asyncio.Future[list[Sent]] = self._loop.create_future()
        known: list[Sent] = []

        def take(results: Sequence[Sent]) -> None:
            known.extend(results)
            if len(known) == len(items):
                _set(future, known)

        self._send_together(items, take)
        return future

    def _send_together(self, items: list[Any], take: Callable[[Sequence[Sent]], None]) -> None:
        """Send items as one request; ``take`` gets their results in order, some at a time."""
        missing = len(items)

        def hear(part: Reply) -> None:
            nonlocal missing
            results: Sequence[Sent]
            if isinstance(part, ManySent):
                results, ends = part.results, part.final
            elif isinstance(part, DataAccepted):
                results, ends = part.ids, True
            else:
                assert isinstance(part, Failure)
                results, ends = (part,) * missing, True
            missing -= len(results)
            self._under_way -= ends
            take(results)

        self._under_way += 1
        durable, wait = self._manner
        request = SendMany(self._system_name, items, stream=True, durable=durable, wait=wait)
        self._ask(request, hear, None)

    def _settle_one(self, future: asyncio.Future[Sent], reply: Reply) -> None:
        self._under_way -= 1
        result: Sent = True
        if isinstance(reply, Failure):
            result = reply
        elif isinstance(reply, DataAccepted):
            [result] = reply.ids
        _set(future, result)


def _parts_of(items: Sequence[Measured]) -> Iterator[Sequence[Measured]]:
    """Cut items into what goes as one request each."""
    begin = size = 0
    for place, (_, more) in enumerate(items):
        if more >= DELIVERY_BYTES and begin < place:
            yield items[begin:place]
            begin, size = place, 0
        size += more
        if is_full(place + 1 - begin, size):
            yield items[begin : place + 1]
            begin, size = place + 1, 0
    if begin < len(items):
        yield items[begin:]


def _settle_each(futures: Iterator[asyncio.Future[Sent]], results: Sequence[Sent]) -> None:
    for result, future in zip(results, futures, strict=False):
        _set(future, result)


def _set(future: asyncio.Future[T], result: T) -> None:
    if not future.done():  # its task may have been cancelled
        future.set_result(result)
