"""So many calls at a time, and so many in line for them: a system that is slow to answer fills its
own compartment, and no more. Pure. The name is a ship's, and of M. Nygard's *Release It!*.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

import attrs

from actors.settings import whole_number

_NEWEST_COUNTS: Final = 0.2
"""The part that the last call has in what is taken for the time of a call."""


@attrs.frozen(kw_only=True)
class Bulkhead:
    """How many of a system's calls may be under way at a time: of commands, and of questions that
    need not go one after the other."""

    concurrent: int = attrs.field(validator=whole_number(1))
    """Calls at a time."""
    queue: int = attrs.field(default=100, validator=whole_number(0))
    """Those in line for them, above which one more is refused."""


class Compartment:
    """Who is in, and who waits: of one system."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self._bulkhead = bulkhead
        self._in: OrderedDict[Hashable, float] = OrderedDict()
        """Since when each is in."""
        self._waiting: OrderedDict[Hashable, float] = OrderedDict()
        """Since when each waits, in order."""
        self._typical: float | None = None
        """Seconds that a call takes, as far as any has ended."""

    @property
    def is_full(self) -> bool:
        """Whether one more is to be refused."""
        return not self._has_room and len(self._waiting) >= self._bulkhead.queue

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._waiting)

    def waited(self, now: float) -> float:
        """Seconds for which the first in line has waited."""
        return now - next(iter(self._waiting.values()), now)

    def next_place(self, now: float) -> float:
        """Seconds until one more may come, as a guess: as the calls before it took."""
        since = next(iter(self._in.values()), now)
        each = self._typical if self._typical is not None else now - since
        return each / self._bulkhead.concurrent

    def enter(self, who: Hashable, now: float) -> bool:
        """One more comes, while it is not full.

        Returns:
            whether it is in, or has to wait until :meth:`leave` says that it is.
        """
        comes_in = self._has_room and not self._waiting
        (self._in if comes_in else self._waiting)[who] = now
        return comes_in

    def leave(self, who: Hashable, now: float) -> list[Hashable]:
        """One is done, or does not wait any more; who of those in line is in now."""
        self._waiting.pop(who, None)
        since = self._in.pop(who, None)
        if since is not None:
            before = now - since if self._typical is None else self._typical
            self._typical = before + _NEWEST_COUNTS * (now - since - before)
        let_in = []
        while self._waiting and self._has_room:
            first, _ = self._waiting.popitem(last=False)
            self._in[first] = now
            let_in.append(first)
        return let_in

    @property
    def _has_room(self) -> bool:
        return len(self._in) < self._bulkhead.concurrent
