"""Items that have come and that nobody has taken yet, for the next callers. Pure."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from actors.messages.limits import DELIVERY_ITEMS
from actors.payload import payload_size

MOST_BYTES: Final = 16 << 20


class KeptItems:
    """What came to nobody, such as what a system says while a question is asked, is bounded, and
    dropped from the oldest on. What came because somebody asked for it never is dropped, and
    neither is what is put back: there is no more of that than was asked for."""

    def __init__(self) -> None:
        self._unasked: deque[tuple[int, Any]] = deque()
        self._asked: deque[tuple[int, Any]] = deque()
        """Both with the place of each in the order of all."""
        self._places = itertools.count()
        self._size = 0
        """Bytes, of what came unasked."""
        self._asked_size = 0
        self._first = 0

    def __len__(self) -> int:
        return len(self._unasked) + len(self._asked)

    @property
    def is_full(self) -> bool:
        """Whether there is so much that no more should be taken ahead."""
        return len(self) >= DELIVERY_ITEMS or self._size + self._asked_size >= MOST_BYTES

    def add(self, item: Any, *, asked: bool = False) -> int:
        """Keep an item that came behind the others.

        Returns:
            how many were dropped for it.
        """
        place = next(self._places)
        if asked:
            self._asked.append((place, item))
            self._asked_size += payload_size(item)
            return 0
        self._unasked.append((place, item))
        self._size += payload_size(item)
        dropped = 0
        while len(self._unasked) > 1 and self._is_too_much():
            self._take_unasked()
            dropped += 1
        return dropped

    def put_back(self, items: Sequence[Any]) -> None:
        """Keep items that came before the others."""
        for item in reversed(items):
            self._first -= 1
            self._asked.appendleft((self._first, item))
            self._asked_size += payload_size(item)

    def take(self) -> Any:
        """Take the oldest."""
        if not self._unasked or (self._asked and self._asked[0][0] < self._unasked[0][0]):
            item = self._asked.popleft()[1]
            self._asked_size -= payload_size(item)
            return item
        return self._take_unasked()

    def _is_too_much(self) -> bool:
        return len(self._unasked) > DELIVERY_ITEMS or self._size > MOST_BYTES

    def _take_unasked(self) -> Any:
        item = self._unasked.popleft()[1]
        self._size -= payload_size(item)
        return item
