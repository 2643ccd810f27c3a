"""An event loop for a command, which a Ctrl-C ends in order from its first moment on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_INTERRUPTS: Final = {signal.SIGINT}


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As ``asyncio.run``, of what a call gives.

    One that comes while the loop is being made waits for it: half a loop cannot be closed, and
    what it was to run is never awaited, and of both Python would say so at length.

    Raises:
        KeyboardInterrupt: a Ctrl-C ended it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)

    async def begin() -> T:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return await work()

    try:
        return asyncio.run(begin())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
