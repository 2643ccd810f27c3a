"""What a supervisor and the process of its journal say to each other. Nobody else says it.

The supervisor sends one :class:`OpenJournal`, and then at most one :class:`Write` at a time: what
comes meanwhile gathers, and goes as the next one, in one transaction. All times are seconds of
the wall clock.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from supervisor.durable.entry import DeadLetter, Entry, OutboxDepth, ReceivedItem

LOAD_ITEMS: Final = 1000
LOAD_BYTES: Final = 8 << 20


@attrs.frozen(kw_only=True)
class JournalLimits:
    """How much a journal may hold as a whole. What each system may is decided before it is
    written."""

    max_bytes: int = 4 << 30
    """Of the file. Beyond it nothing is accepted any more; all else is still written."""
    max_dead_letters: int = 100_000
    """Of all systems. Beyond it the oldest are forgotten."""
    dead_letters_for: float | None = 30 * 86400.0
    """Seconds after which a dead letter is forgotten; None keeps it."""


# ---- what is done in one transaction -------------------------------------------------------


@attrs.frozen
class Accept:
    """Keep a new entry. Its id is ``JournalOpened.next_id`` or greater, and greater than that
    of all before it."""

    entry: Entry

    def __reduce__(self) -> tuple[Any, ...]:
        return Accept, (self.entry,)  # there may be thousands in one message


@attrs.frozen
class BeginAttempt:
    """Count an attempt of each, and take them for under way."""

    ids: tuple[int, ...]


@attrs.frozen
class TakeBackAttempt:
    """Their attempt never came to be, as one before them failed: do not count it."""

    ids: tuple[int, ...]


@attrs.frozen
class AttemptFailed:
    """Note why an attempt failed. The entry waits again."""

    id: int
    why: str
    at: float
    crashed: bool = False
    """Whether to count a crash as well."""


@attrs.frozen
class Delivered:
    """They are done with."""

    ids: tuple[int, ...]
    at: float


@attrs.frozen
class Bury:
    """Make it a dead letter."""

    id: int
    why: str
    at: float


@attrs.frozen
class TakeIn:
    """Keep a dead letter that another journal had, under the new id that its entry has; unless this
    journal has one with its idempotency id. For the id the same holds as for :class:`Accept`."""

    letter: DeadLetter


@attrs.frozen
class Revive:
    """Have dead letters wait again, at their old places, with no attempt and no crash counted;
    their history stays. Of those that wait, begin to count anew."""

    ids: tuple[int, ...]


@attrs.frozen
class Discard:
    """Forget them, whether they wait or are dead letters."""

    ids: tuple[int, ...]


@attrs.frozen
class KeepReceived:
    """Keep a new item that came from a system. Its id is ``JournalOpened.next_received_id`` or
    greater, and greater than that of all before it."""

    item: ReceivedItem


@attrs.frozen
class Taken:
    """A reader was given these received items: count it."""

    ids: tuple[int, ...]


@attrs.frozen
class Acknowledged:
    """Readers are done with these received items."""

    ids: tuple[int, ...]


Operation = (
    Accept
    | BeginAttempt
    | TakeBackAttempt
    | AttemptFailed
    | Delivered
    | Bury
    | TakeIn
    | Revive
    | Discard
    | KeepReceived
    | Taken
    | Acknowledged
)
"""Those that name an id that there is not, or not any more, do nothing about it."""


# ---- to the journal ------------------------------------------------------------------------


@attrs.frozen
class OpenJournal:
    """Open the journal, or make it. Answered by :class:`JournalOpened` or
    :class:`JournalFailed`."""

    directory: str
    """Of the runtime's state, in which the journal's files are; made if there is none."""
    limits: JournalLimits = JournalLimits()


@attrs.frozen
class Write:
    """Do all of it in one transaction, in order. Answered by :class:`Written` or
    :class:`WriteRefused`.

    What was not answered, as the journal's process ended, may be sent again with the same number:
    what was done already is not done twice."""

    number: int
    """Greater than ``JournalOpened.last_write``, and than that of all before it."""
    operations: tuple[Operation, ...] = attrs.field(repr=False)


@attrs.frozen
class Load:
    """Give the entries of a system that wait, in order of their ids. Answered by
    :class:`Loaded` or :class:`LoadFailed`."""

    number: int
    system_name: str
    after: int = 0
    """The id after which to begin."""
    limit: int = LOAD_ITEMS
    max_bytes: int = LOAD_BYTES
    """Of their data; but for the first one, which is given in any case."""


@attrs.frozen
class LoadDeadLetters:
    """Give dead letters, in order of their ids. Answered by :class:`DeadLettersLoaded` or
    :class:`LoadFailed`."""

    number: int
    system_name: str | None = None
    """None for those of all systems."""
    ids: tuple[int, ...] | None = None
    """None for all of them."""
    after: int = 0
    limit: int = LOAD_ITEMS
    max_bytes: int = LOAD_BYTES


@attrs.frozen
class FindDeadLetters:
    """Say which dead letters there are, without their data. Answered by
    :class:`DeadLettersFound` or :class:`LoadFailed`."""

    number: int
    system_name: str | None = None
    ids: tuple[int, ...] | None = None


@attrs.frozen
class LoadReceived:
    """Give the items of a system that are not acknowledged, in order of their ids. Answered by
    :class:`ReceivedLoaded` or :class:`LoadFailed`."""

    number: int
    system_name: str
    after: int = 0
    limit: int = LOAD_ITEMS
    max_bytes: int = LOAD_BYTES


@attrs.frozen
class MeasureJournal:
    """Say what it holds now. Answered by :class:`JournalMeasured` or :class:`LoadFailed`."""

    number: int


Question = Load | LoadDeadLetters | FindDeadLetters | LoadReceived | MeasureJournal


# ---- from the journal ----------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class JournalOpened:
    """It can be written now."""

    journal_id: str
    """Of no other journal anywhere."""
    next_id: int
    """The least id that an entry may have."""
    next_received_id: int
    last_write: int
    """The greatest number of a :class:`Write` that is in it."""
    depths: tuple[OutboxDepth, ...]
    """Of each system that it holds something for."""
    pid: int


@attrs.frozen
class JournalFailed:
    """It cannot be opened, or not be used any more; its process ends, if it was open."""

    text: str
    """What happened, to which file, and what to do."""


@attrs.frozen
class Written:
    """All of a :class:`Write` is on the disk, and stays there whatever ends."""

    number: int
    forgotten: int = 0
    """Dead letters that there were too many of, or that were too old."""


@attrs.frozen
class WriteRefused:
    """Nothing of a :class:`Write` is on the disk: there is no room, for example. The journal
    goes on."""

    number: int
    text: str
    """What happened, and what to do."""


@attrs.frozen
class Loaded:
    number: int
    entries: tuple[Entry, ...] = attrs.field(repr=False)
    more: bool
    """Whether more follow after the last of them."""


@attrs.frozen
class DeadLettersLoaded:
    number: int
    letters: tuple[DeadLetter, ...] = attrs.field(repr=False)
    more: bool


@attrs.frozen
class DeadLettersFound:
    number: int
    found: tuple[tuple[int, str, int], ...] = attrs.field(repr=False)
    """Of each its id, its system, and the bytes of its data; in order of their ids."""


@attrs.frozen
class ReceivedLoaded:
    number: int
    items: tuple[ReceivedItem, ...] = attrs.field(repr=False)
    more: bool


@attrs.frozen
class JournalMeasured:
    number: int
    depths: tuple[OutboxDepth, ...]


@attrs.frozen
class LoadFailed:
    """What was asked for cannot be read."""

    number: int
    text: str


Answer = (
    Loaded | DeadLettersLoaded | DeadLettersFound | ReceivedLoaded | JournalMeasured | LoadFailed
)
"""To a :data:`Question`."""
