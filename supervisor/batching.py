"""Sends to one system from many tasks, put together into few messages.

What is sent during one turn of the event loop goes as one SendMany, whose results come
back in parts as the system takes the items.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from actors.messages import Failure, ManySent, SendMany

_MAX_ITEMS: Final = 1000
_MAX_BYTES: Final = 1 << 20

AskStream = Callable[[SendMany, Callable[[ManySent | Failure], None]], None]


class SendBatcher:
    """For one system; lives on the manager's event loop."""

    def __init__(self, system_name: str, ask_stream: AskStream) -> None:
        self._system_name = system_name
        self._ask_stream = ask_stream
        self._items: list[Any] = []
        self._futures: list[asyncio.Future[bool | Failure]] = []
        self._bytes = 0

    def send(self, data: Any, size: int) -> asyncio.Future[bool | Failure]:
        """Add an item, wrapped; its future gets True, or the failure."""
        loop = asyncio.get_running_loop()
        if size >= _MAX_BYTES:
            self.flush()  # should it be refused for its size, it is refused alone
        if not self._items:
            loop.call_soon(self.flush)
        future: asyncio.Future[bool | Failure] = loop.create_future()
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
        request = SendMany(self._system_name, self._items, stream=True)
        futures = deque(self._futures)
        self._items, self._futures, self._bytes = [], [], 0
        self._ask_stream(request, lambda part: _settle(futures, part))


def _settle(futures: deque[asyncio.Future[bool | Failure]], part: ManySent | Failure) -> None:
    if isinstance(part, Failure):
        while futures:
            _set(futures.popleft(), part)
        return
    for result in part.results:
        _set(futures.popleft(), result)


def _set(future: asyncio.Future[bool | Failure], result: bool | Failure) -> None:
    if not future.done():  # its task may have been cancelled
        future.set_result(result)
