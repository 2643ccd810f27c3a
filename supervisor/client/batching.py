"""Sends to one system from many tasks, put together into few messages.

While no earlier send is under way, an item goes at once, alone. What is sent meanwhile during
one turn of the event loop goes as one SendMany, whose results come back in parts as the
system takes the items.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from actors.messages import Failure, ManySent, Reply, SendData, SendMany

_MAX_ITEMS: Final = 1000
_MAX_BYTES: Final = 1 << 20

AskStream = Callable[[SendData | SendMany, Callable[[Reply], None], int | None], None]
"""Asks; is given what hears the answer, and the size of a SendData's item."""


class SendBatcher:
    """For one system; lives on the manager's event loop."""

    def __init__(self, system_name: str, ask_stream: AskStream) -> None:
        self._system_name = system_name
        self._ask_stream = ask_stream
        self._loop = asyncio.get_running_loop()
        self._items: list[Any] = []
        self._futures: list[asyncio.Future[bool | Failure]] = []
        self._bytes = 0
        self._under_way = 0
        """Requests that are not answered to their end."""

    def send(self, data: Any, size: int) -> asyncio.Future[bool | Failure]:
        """Add an item, wrapped; its future gets True, or the failure."""
        future: asyncio.Future[bool | Failure] = self._loop.create_future()
        if not self._under_way and not self._items:
            self._under_way = 1
            request = SendData(self._system_name, data)
            self._ask_stream(request, partial(self._settle_one, future), size)
            return future
        if size >= _MAX_BYTES:
            self.flush()  # should it be refused for its size, it is refused alone
        if not self._items:
            self._loop.call_soon(self.flush)
        self._items.append(data)
        self._futures.append(future)
        self._bytes += size
        if len(self._items) >= _MAX_ITEMS or self._bytes >= _MAX_BYTES:
            self.flush()
        return future

    def flush(self) -> None:
        """Send what was added so far."""
        if not self._items:
            return
        many = SendMany(self._system_name, self._items, stream=True)
        futures = deque(self._futures)
        self._items, self._futures, self._bytes = [], [], 0
        self._under_way += 1
        self._ask_stream(many, partial(self._settle, futures), None)

    def _settle_one(self, future: asyncio.Future[bool | Failure], reply: Reply) -> None:
        self._under_way -= 1
        _set(future, reply if isinstance(reply, Failure) else True)

    def _settle(self, futures: deque[asyncio.Future[bool | Failure]], part: Reply) -> None:
        if isinstance(part, ManySent):
            for result in part.results:
                _set(futures.popleft(), result)
            if part.final:
                self._under_way -= 1
            return
        assert isinstance(part, Failure)
        self._under_way -= 1
        while futures:
            _set(futures.popleft(), part)


def _set(future: asyncio.Future[bool | Failure], result: bool | Failure) -> None:
    if not future.done():  # its task may have been cancelled
        future.set_result(result)
