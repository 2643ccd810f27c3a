"""What is to be written to the journal: one :class:`Write` is under way, the rest gathers. Pure.

So a thousand that come while the disk is busy cost one commit more. What is asked is said to be
done once it is on the disk, whatever ends meanwhile: what a journal's process left unanswered is
asked of the next one again, under the same number, by which nothing is done twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from supervisor.messages.journal import Accept, Operation, Write

WRITE_BYTES: Final = 8 << 20
"""Of data in one transaction, after which the next one begins."""
WRITE_OPERATIONS: Final = 10_000
RETRY: Final = 1.0
"""Seconds after which what was refused, and must be written, is asked again."""

OnDone = Callable[[str | None], None]
"""Called once: with None when all of it is on the disk, or with why nothing of it is."""


@attrs.define(eq=False)
class Asked:
    """Operations that belong together: all of them are written, or none."""

    operations: tuple[Operation, ...]
    on_done: OnDone
    must: bool
    """Whether it is asked again when it is refused, for as long as it takes."""
    size: int


@attrs.define(eq=False)
class _UnderWay:
    write: Write
    asked: list[Asked]


class Journal:
    """Of one supervisor. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._number: int | None = None
        """Of the last write; None until a journal was opened."""
        self._is_open = False
        self._gathering: deque[Asked] = deque()
        self._refused: deque[Asked] = deque()
        """What was refused, and must be written; before all that gathers."""
        self._retry_at = 0.0
        self._under_way: _UnderWay | None = None
        self.size = 0
        """Bytes of data that are here, as they are not known to be on the disk."""

    @property
    def is_idle(self) -> bool:
        """Whether all that was asked is answered."""
        return not (self._gathering or self._refused or self._under_way)

    @property
    def retry_at(self) -> float | None:
        """When :meth:`next_write` is to be called for what was refused; None if nothing was."""
        return self._retry_at if self._refused and self._under_way is None else None

    def ask(
        self, operations: tuple[Operation, ...], on_done: OnDone, *, must: bool = False
    ) -> Asked:
        """Have operations written, in the order of asking.

        Args:
            must: whether they are asked again whenever they are refused. What is accepted need
                not be: whoever sent it is told. What became of it must.
        """
        size = sum(each.entry.data.size for each in operations if isinstance(each, Accept))
        asked = Asked(operations, on_done, must, size)
        self.size += size
        self._gathering.append(asked)
        return asked

    def withdraw(self, asked: Asked) -> bool:
        """Do not write this, if it is not under way; whether that is so."""
        if asked not in self._gathering:
            return False
        self._gathering.remove(asked)
        self.size -= asked.size
        return True

    def refuse_gathering(self, text: str) -> None:
        """Nothing can be written at present: answer what can be refused."""
        waiting, self._gathering = self._gathering, deque()
        self._gathering.extend(each for each in waiting if each.must)
        for asked in waiting:
            if not asked.must:
                self._done(asked, text)

    def next_write(self, now: float) -> Write | None:
        """What to send to the journal's process; None while there is nothing, or it is busy."""
        if not self._is_open or self._under_way is not None or self._number is None:
            return None
        if self._refused and now >= self._retry_at:
            asked = self._take(self._refused)  # alone: what takes room shall not go with it
        elif self._gathering:
            asked = self._take(self._gathering)
        else:
            return None
        self._number += 1
        operations = tuple([operation for each in asked for operation in each.operations])
        self._under_way = _UnderWay(Write(self._number, operations), asked)
        return self._under_way.write

    def _take(self, queue: deque[Asked]) -> list[Asked]:
        taken: list[Asked] = []
        count = size = 0
        while queue and count < WRITE_OPERATIONS and size < WRITE_BYTES:
            asked = queue.popleft()
            taken.append(asked)
            count += len(asked.operations)
            size += asked.size
        return taken

    # ---- what the journal's process says ----------------------------------------------------

    def opened(self, last_write: int) -> Write | None:
        """There is a process, and the journal is open.

        Args:
            last_write: the greatest number that is in it.

        Returns:
            what the process before it had not answered, to be sent again.
        """
        self._is_open = True
        self._number = max(self._number or 0, last_write)
        if self._under_way is None:
            return None
        write = self._under_way.write
        if write.number > last_write:
            return write
        self.written(write.number)  # it had done it, and could not say so
        return None

    def closed(self) -> None:
        """The process has ended. What it was asked may be done or not."""
        self._is_open = False

    def written(self, number: int) -> None:
        """All of a write is on the disk."""
        for asked in self._finish(number):
            self._done(asked, None)

    def refused(self, number: int, text: str, now: float) -> None:
        """Nothing of a write is on the disk."""
        for asked in self._finish(number):
            if asked.must:
                self._refused.append(asked)
                self._retry_at = now + RETRY
            else:
                self._done(asked, text)

    def _finish(self, number: int) -> list[Asked]:
        under_way = self._under_way
        if under_way is None or under_way.write.number != number:
            return []  # a process that has ended meanwhile said it
        self._under_way = None
        return under_way.asked

    def _done(self, asked: Asked, refusal: str | None) -> None:
        self.size -= asked.size
        asked.on_done(refusal)
