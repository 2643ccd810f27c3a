"""What the delivery of an outbox wants done, one step after the other. Pure."""

from __future__ import annotations

import enum

import attrs

from supervisor.durable.entry import Entry
from supervisor.messages.journal import Operation


@attrs.frozen
class Fetch:
    """Load the next entries; :meth:`Delivery.loaded` is told."""

    after: int
    limit: int
    max_bytes: int


@attrs.frozen
class Note:
    """Have this written, for as long as it takes."""

    operations: tuple[Operation, ...]
    begins: bool
    """Whether :meth:`Delivery.begun` is to be told once it is on the disk."""


@attrs.frozen
class Attempt:
    """Send these in order, up to the first that fails; :meth:`Delivery.heard` is told."""

    entries: tuple[Entry, ...]


@attrs.frozen
class Ended:
    """An entry waits no more."""

    id: int
    why_not: str | None
    """Why it was not delivered; None if it was."""


Step = Fetch | Note | Attempt


class Phase(enum.Enum):
    """Of the attempt to deliver the oldest entries."""

    RESTING = "resting"
    BEGINNING = "beginning"
    """It is being noted that an attempt begins."""
    BEGUN = "begun"
    TRYING = "trying"
