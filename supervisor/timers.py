"""What is due when. Pure: the clock is an argument."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator


class Timers:
    """Calls to make later. Nothing is ever cancelled: a call that finds its reason gone
    does nothing."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()

    def add(self, when: float, call: Callable[[float], None]) -> None:
        if when < math.inf:
            heapq.heappush(self._heap, (when, next(self._order), call))

    def due(self, now: float) -> Iterator[Callable[[float], None]]:
        """Take out, one by one, what is due at ``now``, the earliest first."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]

    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None
