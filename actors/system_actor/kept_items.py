"""Items that have come and that nobody has taken yet, for the next callers. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from actors.messages.limits import DELIVERY_ITEMS
from actors.payload import payload_size

MOST_BYTES: Final = 16 << 20


class KeptItems:
    """A bounded number of wrapped items. What came to nobody, such as what a system says while a
    question is asked, is dropped from the oldest on; what is put back never is, as somebody had
    asked for it."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._size = 0
        self._put_back = 0
        """How many of the first ones were."""

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Any) -> int:
        """Keep an item that came behind the others.

        Returns:
            how many were dropped for it.
        """
        self._items.append(item)
        self._size += payload_size(item)
        dropped = 0
        while self._came > 1 and (self._came > DELIVERY_ITEMS or self._size > MOST_BYTES):
            self._size -= payload_size(self._items[self._put_back])
            del self._items[self._put_back]
            dropped += 1
        return dropped

    @property
    def _came(self) -> int:
        return len(self._items) - self._put_back

    def put_back(self, items: Sequence[Any]) -> None:
        """Keep items that came before the others."""
        self._items.extendleft(reversed(items))
        self._size += sum(map(payload_size, items))
        self._put_back += len(items)

    def take(self) -> Any:
        """Take the oldest."""
        item = self._items.popleft()
        self._size -= payload_size(item)
        self._put_back = max(0, self._put_back - 1)
        return item
