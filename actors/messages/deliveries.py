"""What is on its way to one incarnation of a system, said by one side. Pure.

A hung actor takes nothing: what it is told before it says something is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from actors.messages.limits import UNHEARD, WINDOW, is_full
from actors.messages.supervision import Forget


class Weighed(Protocol):
    """A request that was measured."""

    weight: int
    size: int


W = TypeVar("W", bound=Weighed)


class Deliveries:
    """They are counted: 1, 2, 3..., and the other side says which was the last that it took."""

    def __init__(self, taken: int = 0) -> None:
        """
        Args:
            taken: how many there were before.
        """
        self.number = self.taken = taken
        """Of the last one sent, and of the last one taken."""
        self.to_forget: list[int] = []
        """What was sent, and nobody waits for any more."""
        self._unheard = 0
        """How often it was told to forget some since it last said anything."""

    @property
    def may_go_on(self) -> bool:
        """Whether there may be one more."""
        return self.number - self.taken < WINDOW

    @property
    def are_taken(self) -> bool:
        return self.number == self.taken

    def begin(self, queue: deque[W], may_go: Callable[[W], bool] = lambda _: True) -> list[W]:
        """Begin the next one.

        Args:
            queue: what goes with it is taken out of it, from the left.
            may_go: of the first that may not, and what is behind it, nothing goes.
        """
        self.number += 1
        batch: list[W] = []
        items = size = 0
        while queue and may_go(queue[0]):
            each = queue.popleft()
            batch.append(each)
            items += each.weight
            size += each.size
            if is_full(items, size):
                break
        return batch

    def forget(self, ref: int) -> None:
        """Nobody waits any more for a request that was sent."""
        self.to_forget.append(ref)

    def forgetting(self) -> Forget | None:
        """What is to be said of those, now."""
        if not self.to_forget or self._unheard >= UNHEARD:
            return None
        refs, self.to_forget = tuple(self.to_forget), []
        self._unheard += 1
        return Forget(refs)

    def heard(self, taken: int = 0) -> None:
        """The other side said something, perhaps what it has taken."""
        self.taken = max(self.taken, taken)
        self._unheard = 0
