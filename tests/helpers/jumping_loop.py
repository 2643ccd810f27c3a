"""An event loop whose clock jumps: when nothing can run before a timer, it is that time.

For tests without processes, threads or sockets that wait: seconds that a test writes down cost
nothing, no load makes them too short, and what waits for ever runs into its cap at once.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

LOOK = 10e-6
"""Seconds that pass whenever somebody looks at the clock, as who is always busy gets older, too."""


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        self._now += LOOK
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:  # no timer at all: only a thread or a socket can go on
            return super().select(None)
        events = super().select(0)
        if not events and timeout > 0:
            self._loop.jump(timeout)
        return events
