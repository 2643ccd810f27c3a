"""How single items are put together for a system that has an operation for many. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from actors.settings import seconds, whole_number

LONGEST_LINGER: Final = 60.0


@attrs.frozen(kw_only=True)
class Batch:
    """How many items go out in one call of a connector's ``send_many``; for classes that have
    one of their own."""

    max_items: int = attrs.field(default=100, validator=whole_number(1))
    max_bytes: int = attrs.field(default=1024 * 1024, validator=whole_number(1, unit=" of bytes"))
    """An item that is longer goes alone."""
    linger: float = attrs.field(default=0.0, validator=seconds(LONGEST_LINGER, zero=True))
    """Seconds for which the first item of a call waits for more, if there is room and nothing
    else is to be done; 0 takes those that wait already."""

    def parts(self, sizes: Iterable[int]) -> Iterator[int]:
        """Cut items of these sizes into calls, in order; how many items each has."""
        filling = Filling(self)
        for size in sizes:
            if not filling.take(1, size):
                yield filling.items
                filling = Filling(self)
                filling.take(1, size)
        if filling.items:
            yield filling.items


class Filling:
    """What one call is filled with, from the first item until it goes.

    Args:
        batch: how many fit.
        since: when the first came; seconds of any clock that does not go back.

    Attributes:
        items: how many there are,
        size: and their bytes.
    """

    def __init__(self, batch: Batch, since: float = 0.0) -> None:
        self.items = 0
        self.size = 0
        self._batch = batch
        self._since = since

    def take(self, items: int, size: int) -> bool:
        """Put items in, if all of them fit beside those that are there.

        The first always do: what is too much for any call is not refused for that.
        """
        fits = (
            self.items + items <= self._batch.max_items
            and self.size + size <= self._batch.max_bytes
        )
        if self.items and not fits:
            return False
        self.items += items
        self.size += size
        return True

    def wait(self, now: float) -> float:
        """Seconds for which more may come; 0.0 when it is to go."""
        is_full = self.items >= self._batch.max_items or self.size >= self._batch.max_bytes
        return 0.0 if is_full else max(0.0, self._since + self._batch.linger - now)
