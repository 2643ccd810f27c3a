"""What is to happen at a certain time. Pure: times are seconds of a monotonic clock."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen(slots=True)
class Wakeup:
    """What an actor asked for with ``wakeupAfter``."""

    when: float
    period: Any
    """As it was asked for."""
    payload: Any


class Alarms:
    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], object] | Wakeup]] = []
        self._numbers = itertools.count()

    def add(self, when: float, call: Callable[[], object]) -> None:
        """Have :meth:`due` make a call, once."""
        heapq.heappush(self._heap, (when, next(self._numbers), call))

    def add_wakeup(self, wakeup: Wakeup) -> None:
        heapq.heappush(self._heap, (wakeup.when, next(self._numbers), wakeup))

    @property
    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    @property
    def wakeups(self) -> list[Wakeup]:
        return [each for _, _, each in sorted(self._heap) if isinstance(each, Wakeup)]

    def due(self, now: float) -> list[Wakeup]:
        """Make the calls that are due; gives the wakeups that are."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            _, _, what = heapq.heappop(self._heap)
            if isinstance(what, Wakeup):
                due.append(what)
            else:
                what()
        return due
