"""Runs an asynchronous context manager in a thread of its own, for tests without an event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager


class OwnThread:
    """A thread with an event loop, on which ``manager`` is entered, and left before it ends."""

    def __init__(self, manager: AbstractAsyncContextManager[object], name: str) -> None:
        self._manager = manager
        self._began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        """Returns once it is entered; raises what that raised."""
        self._thread.start()
        try:
            self._began.result()
        except BaseException:
            self._thread.join()
            raise

    def end(self) -> None:
        """Returns once it is left and the thread has ended; raises what that raised."""
        loop, is_over = self._began.result()
        loop.call_soon_threadsafe(is_over.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._stay())
        except BaseException as error:
            if self._began.done():
                self._error = error
            else:
                self._began.set_exception(error)

    async def _stay(self) -> None:
        is_over = asyncio.Event()
        async with self._manager:
            self._began.set_result((asyncio.get_running_loop(), is_over))
            await is_over.wait()
