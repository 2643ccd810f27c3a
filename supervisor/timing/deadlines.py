"""When each of many requests runs out, nearly all of which are answered long before. Pure."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Final

_FEW: Final = 64
"""Entries of requests answered meanwhile that are not worth tidying up for."""


class Deadlines:
    """By request id; seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._of: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []
        """Of each an entry, at its deadline or before. Also what was dropped since."""

    def set(self, request_id: int, deadline: float) -> None:
        """Have a request run out at ``deadline``, whatever was set for it before."""
        before = self._of.get(request_id, math.inf)
        self._of[request_id] = deadline
        if deadline < before:  # or else that entry comes first, and makes the next
            heapq.heappush(self._heap, (deadline, request_id))

    def drop(self, request_id: int) -> None:
        """It never runs out; it may have no deadline."""
        self._of.pop(request_id, None)
        if len(self._heap) > 2 * len(self._of) + _FEW:
            self._heap = [(when, each) for each, when in self._of.items() if when < math.inf]
            heapq.heapify(self._heap)

    def due(self, now: float) -> Iterator[int]:
        """Take out, one by one, what runs out at ``now``, the earliest first."""
        while self._heap and self._heap[0][0] <= now:
            when, request_id = heapq.heappop(self._heap)
            deadline = self._of.get(request_id)
            if deadline == when:
                del self._of[request_id]
                yield request_id
            elif deadline is not None and when < deadline < math.inf:
                heapq.heappush(self._heap, (deadline, request_id))

    def next_due(self) -> float | None:
        """When to look again; perhaps for nothing."""
        return self._heap[0][0] if self._heap else None
