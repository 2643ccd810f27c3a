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
        self.next_due: float | None = None

    def add(self, when: float, call: Callable[[], object]) -> None:
        """Have :meth:`due` make a call, once."""
        self._add(when, call)

    def add_wakeup(self, wakeup: Wakeup) -> None:
        self._add(wakeup.when, wakeup)

    def _add(self, when: float, what: Callable[[], object] | Wakeup) -> None:
        heapq.heappush(self._heap, (when, next(self._numbers), what))
        self.next_due = self._heap[0][0]

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
        self.next_due = self._heap[0][0] if self._heap else None
        return due
