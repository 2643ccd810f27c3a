"""What a journal holds, as plain data: messages on their way to a system, dead letters, and what
came from a system and was not acknowledged yet. Pure.

All times here are seconds of the wall clock (``time.time``): a journal outlives every process,
and no other clock does.
"""

from __future__ import annotations

import enum
import json
from typing import Any, Final

import attrs

from actors.payload import Payload, encode, wrap

HISTORY_KEPT: Final = 10
"""Failed attempts of one entry: the last so many, with their causes. All are counted."""
WHY_KEPT: Final = 2000
"""Characters of a cause."""


class Form(enum.StrEnum):
    """What stored data is. The values are in journals and exports: they are stable."""

    BYTES = "bytes"
    TEXT = "text"
    """UTF-8."""
    JSON = "json"
    """UTF-8; loads to exactly what was given, types included."""
    PICKLE = "pickle"
    """Read only where the data is used: by the system's own process, of the same user."""


@attrs.frozen
class StoredData:
    """One item of data as it is stored."""

    form: Form
    encoded: bytes = attrs.field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredData, (self.form, self.encoded)  # half the time of what attrs does

    @classmethod
    def of(cls, wrapped: Any) -> StoredData:
        """
        Args:
            wrapped: what :func:`actors.payload.wrap` gave. A payload is not unpickled.

        Raises:
            PayloadError: it cannot be pickled.
        """
        match wrapped:
            case bytes():
                return cls(Form.BYTES, wrapped)
            case Payload():
                return cls(Form.PICKLE, wrapped.encode_now())
            case str():
                try:
                    return cls(Form.TEXT, wrapped.encode())
                except UnicodeEncodeError:
                    pass  # half of a surrogate pair is a character in Python, and not in UTF-8
            case None | bool() | int() | float():
                try:
                    return cls(Form.JSON, json.dumps(wrapped, allow_nan=False).encode())
                except ValueError:
                    pass  # JSON knows no infinity, nor as many digits as there may be
        return cls(Form.PICKLE, encode(wrapped))

    def wrapped(self) -> Any:
        """What to put into a message for it, as :func:`actors.payload.wrap` gives it. What is
        pickled stays so.

        Raises:
            ValueError: it is not what its form says.
        """
        match self.form:
            case Form.BYTES:
                return self.encoded
            case Form.TEXT:
                return self.encoded.decode()
            case Form.JSON:
                return wrap(json.loads(self.encoded))
            case Form.PICKLE:
                return Payload(encoded=self.encoded)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.encoded)


@attrs.frozen
class FailedAttempt:
    """One attempt to deliver an entry, and what became of it."""

    at: float
    """When it failed."""
    why: str
    crashed: bool = False
    """Whether the process of its system ended in it."""


@attrs.frozen
class Entry:
    """One message that was accepted for a system, until it is delivered or discarded."""

    id: int
    """Rises with each message that a journal accepts, whichever system it is for; never used
    twice. The order of a system's ids is the order of its deliveries."""
    system_name: str
    data: StoredData = attrs.field(repr=False)
    accepted_at: float
    attempts: int = 0
    """Begun so far."""
    crashes: int = 0
    """Of the attempts, those in which the process of its system ended."""
    history: tuple[FailedAttempt, ...] = ()
    """The last :data:`HISTORY_KEPT` attempts that failed, the oldest first."""
    under_way: bool = False
    """An attempt was begun, and the journal was never told what became of it. Where a journal
    was opened, that is: whoever made it ended in the middle."""
    origin: str | None = None
    """The idempotency id that it had in the journal that it was exported from; None if it was
    accepted by this one."""

    def __reduce__(self) -> tuple[Any, ...]:
        new = self.id, self.system_name, self.data, self.accepted_at
        if not (self.attempts or self.crashes or self.history or self.origin):
            return Entry, new
        rest = self.attempts, self.crashes, self.history, self.under_way, self.origin
        return Entry, (*new, *rest)

    def delivery_id(self, journal_id: str) -> str:
        """The idempotency id for its receiver: the same at each attempt, and of no other
        message anywhere."""
        return self.origin or f"{journal_id}-{self.id}"


@attrs.frozen
class DeadLetter:
    """An entry that is not tried any more, until somebody retries or discards it."""

    entry: Entry
    why: str
    buried_at: float


@attrs.frozen
class ReceivedItem:
    """What came from a system, and no reader has acknowledged yet."""

    id: int
    """Rises with each item that comes; never used twice."""
    system_name: str
    data: StoredData = attrs.field(repr=False)
    received_at: float
    taken: int = 0
    """How often a reader was given it."""


@attrs.frozen(kw_only=True)
class OutboxDepth:
    """What a journal holds for one system."""

    system_name: str
    waiting: int = 0
    """Entries that are to be delivered."""
    waiting_bytes: int = 0
    """Of their data."""
    oldest_at: float | None = None
    """When the oldest of them was accepted; None if there is none."""
    dead: int = 0
    """Dead letters."""
    received: int = 0
    """Items that came from it, and are not acknowledged."""
    received_bytes: int = 0
    accepted_per_second: float = 0.0
    """Over the last minute."""
    delivered_per_second: float = 0.0
