"""An event loop in a thread of its own, beside an actor's message thread.

Thespian runs an actor by calling it with one message at a time, in the process's main
thread. Coroutines need a loop that keeps running between messages. The loop's thread
never touches Thespian: it leaves results in a :class:`Mailslot`, whose file descriptor
wakes the message thread.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Mailslot:
    """Objects on their way from the loop's thread to the message thread, in order."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    def fileno(self) -> int:
        """The descriptor that is readable while objects wait."""
        return self._read_fd

    def put(self, item: Any) -> None:
        """Leave an object; from the loop's thread."""
        self._items.append(item)
        try:
            os.write(self._write_fd, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups already

    def take(self) -> list[Any]:
        """All objects that wait; from the message thread."""
        # Emptying the pipe first means that an object put meanwhile wakes us once more.
        try:
            os.read(self._read_fd, 65536)
        except BlockingIOError:
            pass
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items


class LoopThread:
    """Runs an event loop until the process ends."""

    def __init__(self, on_escape: Callable[[BaseException], None]) -> None:
        """
        Args:
            on_escape: called, in the loop's thread, with an exception that broke out of
                the loop, such as the SystemExit of a connector's background task.
        """
        self._loop = asyncio.new_event_loop()
        self._on_escape = on_escape
        self._thread = threading.Thread(target=self._run, name="event-loop", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Have ``function(*args)`` called in the loop's thread, in the order of the calls."""
        self._loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        except BaseException as error:
            self._on_escape(error)
