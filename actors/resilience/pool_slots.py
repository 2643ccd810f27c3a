"""The connections of a pool, and which of them is next for what. Pure."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator

import attrs


class SlotIs(enum.Enum):
    CLOSED = enum.auto()
    OPENING = enum.auto()
    OPEN = enum.auto()
    CHECKING = enum.auto()
    CLOSING = enum.auto()


@attrs.define(eq=False)
class Slot:
    number: int
    state: SlotIs = SlotIs.CLOSED
    opened_at: float = 0.0
    expires_at: float = 0.0
    used_at: float = 0.0
    """When its last use began or ended."""
    proved_at: float = 0.0
    """When it was last known to work."""
    is_taken: bool = False
    """Whether somebody has it alone."""
    shared_by: int = 0
    lost: bool = False
    """While it is used: there is nothing left of it but its use."""

    @property
    def is_used(self) -> bool:
        return self.is_taken or self.shared_by > 0

    @property
    def holds(self) -> bool:
        return self.state in (SlotIs.OPEN, SlotIs.CHECKING) and not self.lost

    @property
    def is_idle(self) -> bool:
        return self.state is SlotIs.OPEN and not self.is_used


class Slots:
    def __init__(self, size: int) -> None:
        self._slots = tuple(Slot(number) for number in range(size))

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def __getitem__(self, number: int) -> Slot:
        return self._slots[number]

    @property
    def shut(self) -> Slot | None:
        """One that may be opened."""
        return next((slot for slot in self._slots if slot.state is SlotIs.CLOSED), None)

    @property
    def holding(self) -> int:
        """How many stand."""
        return sum(slot.holds for slot in self._slots)

    @property
    def coming(self) -> int:
        """How many are about to be free."""
        return sum(slot.state in (SlotIs.OPENING, SlotIs.CHECKING) for slot in self._slots)

    @property
    def any_holds(self) -> bool:
        return any(slot.holds for slot in self._slots)

    def end_of(self, slot: Slot, idle: float, open_after: float) -> float:
        """When an idle connection is to be closed, or replaced.

        Args:
            idle: seconds for which it may be.
            open_after: when another may be opened.
        """
        if not slot.is_idle:
            return math.inf
        if any(each.holds for each in self._slots if each is not slot):
            return min(slot.expires_at, slot.used_at + idle)
        if self.coming or (len(self) > 1 and self.shut is None):
            return math.inf  # another takes its place first
        return max(slot.expires_at, open_after)

    def any_is(self, state: SlotIs) -> bool:
        return any(slot.state is state for slot in self._slots)

    def to_lend(self, proved_since: float) -> Slot | None:
        """One that may be lent as it is: of those with the fewest uses the one used last."""
        good = [s for s in self._free() if s.is_used or s.proved_at > proved_since]
        return min(good, key=lambda slot: (slot.shared_by, -slot.used_at), default=None)

    def to_check(self) -> Slot | None:
        """One that may be lent if it works."""
        return max(self._free(), key=lambda slot: slot.used_at, default=None)

    def _free(self) -> list[Slot]:
        return [
            slot
            for slot in self._slots
            if slot.state is SlotIs.OPEN and not slot.is_taken and not slot.lost
        ]
