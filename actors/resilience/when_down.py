"""What becomes of what is asked of a system that is down."""

from __future__ import annotations

import enum
from typing import Final

from actors.settings import one_of


class WhenDown(enum.StrEnum):
    """What becomes of sends and questions while a system is meant to be connected and is not, and
    of all that is asked of it while it is restarted."""

    FAIL = "fail"
    """It fails at once, and is told when it is worth to try again."""
    WAIT = "wait"
    """It waits, in order, within its own time and the room of the mailbox."""


_WHEN_DOWN: Final = one_of(*WhenDown)
WHEN_DOWN: Final = _WHEN_DOWN.or_none()


def to_when_down(value: WhenDown | str | None) -> WhenDown | None:
    """What is meant by it."""
    meant: WhenDown | None = _WHEN_DOWN.convert(value)
    return meant
