"""What is due when, and what time it is. Pure: whoever brings an event sets the time."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Final

import attrs

_FEW: Final = 64
"""Cancelled timers that are not worth tidying up for."""


@attrs.define(eq=False)
class Timer:
    """One call to make later."""

    call: Callable[[], None] | None
    """None once it is made or cancelled."""


class Timers:
    """Calls to make later. One that is not cancelled must see for itself, when it is made,
    whether its reason still stands."""

    def __init__(self) -> None:
        self.now = 0.0
        """When what is dealt with at present happened. All that follows from it happens then."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Make a call so many seconds from now."""
        return self.at(self.now + seconds, call)

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        if when < math.inf:
            heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Never make this call; what it refers to is let go at once."""
        if timer.call is None:
            return
        timer.call = None
        self._cancelled += 1
        if self._cancelled > max(_FEW, len(self._heap) // 2):
            self._heap = [each for each in self._heap if each[2].call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def due(self) -> Iterator[Callable[[], None]]:
        """Take out, one by one, what is due now, the earliest first."""
        while self._heap and self._heap[0][0] <= self.now:
            _, _, timer = heapq.heappop(self._heap)
            if timer.call is None:
                self._cancelled -= 1
                continue
            call, timer.call = timer.call, None
            yield call

    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None
