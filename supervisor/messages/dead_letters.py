"""What a supervisor is asked about dead letters: what could not be delivered."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from actors.messages import Reply
from supervisor.durable.entry import DeadLetter
from supervisor.messages.requests import SupervisorRequest


def _to_ids(ids: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if ids is None else tuple(ids)


def _to_letters(letters: Iterable[DeadLetter]) -> tuple[DeadLetter, ...]:
    return tuple(letters)


@attrs.frozen
class DeadLetterRequest(SupervisorRequest):
    """Asks something about dead letters. What blocks its outbox is one, too."""


@attrs.frozen
class ListDeadLetters(DeadLetterRequest):
    """Give dead letters, in order of their ids. Answered by :class:`DeadLettersGiven`."""

    system_name: str | None = None
    """None for those of all systems, also of such that are not registered (any more)."""
    ids: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids)
    """Of their entries; None for all."""
    after: int = 0
    """Only those with greater ids."""


@attrs.frozen
class RetryDeadLetters(DeadLetterRequest):
    """Have them delivered after all: they wait again at their old places, with no attempt counted.
    All of them, or none, with a failure ``not_found``, if one of ``ids`` is no dead letter.
    Answered by :class:`DeadLettersDone` when that is on the disk."""

    system_name: str | None = None
    ids: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids)


@attrs.frozen
class DiscardDeadLetters(DeadLetterRequest):
    """Forget them for good, all or none as above. Answered by :class:`DeadLettersDone` when that is
    on the disk."""

    system_name: str | None = None
    ids: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids)


@attrs.frozen
class ImportDeadLetters(DeadLetterRequest):
    """Take in dead letters of other journals, but for those that are here already. Answered by
    :class:`DeadLettersDone` when they are on the disk."""

    letters: tuple[DeadLetter, ...] = attrs.field(repr=False, converter=_to_letters)
    """Their entries have an ``origin``; the id of each is given anew."""


@attrs.frozen(kw_only=True)
class DeadLettersGiven(Reply):
    """A page of dead letters."""

    journal_id: str
    """With which ``Entry.delivery_id`` tells the idempotency id."""
    letters: tuple[DeadLetter, ...] = attrs.field(repr=False)
    more: bool
    """Whether more follow after the last of them."""


@attrs.frozen(kw_only=True)
class DeadLettersDone(Reply):
    """It was done to these."""

    ids: tuple[int, ...]
