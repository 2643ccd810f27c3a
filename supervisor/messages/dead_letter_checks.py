"""What can be wrong with what is asked about dead letters. Pure."""

from __future__ import annotations

from actors.messages.checks import is_number, is_whole_number
from supervisor.durable.entry import DeadLetter, Entry, FailedAttempt, Form, StoredData
from supervisor.messages.dead_letters import (
    DiscardDeadLetters,
    ListDeadLetters,
    RetryDeadLetters,
)


def mistake_in_choice(
    request: ListDeadLetters | RetryDeadLetters | DiscardDeadLetters,
) -> str | None:
    """What is wrong with which dead letters are meant; the system's name is not looked at."""
    ids = request.ids
    if ids is not None and not all(_is_id(each) for each in ids):
        return f"ids are whole numbers greater than 0, or None for all: {ids!r}"
    if isinstance(request, ListDeadLetters) and not is_whole_number(request.after):
        return f"after is the id of an entry: {request.after!r}"
    return None


def _is_id(value: object) -> bool:
    return is_whole_number(value) and 0 < value < 1 << 63  # type: ignore[operator]


def is_letter(letter: object) -> bool:
    """Whether it can be taken in: it was checked by nobody where it was unpickled."""
    if not isinstance(letter, DeadLetter) or not isinstance(letter.entry, Entry):
        return False
    entry = letter.entry
    return (
        isinstance(entry.system_name, str)
        and isinstance(entry.data, StoredData)
        and isinstance(entry.data.form, Form)
        and isinstance(entry.data.encoded, bytes)
        and isinstance(entry.origin, str)
        and is_whole_number(entry.attempts)
        and is_whole_number(entry.crashes)
        and isinstance(letter.why, str)
        and all(map(is_number, (entry.accepted_at, letter.buried_at)))
        and all(isinstance(each, FailedAttempt) for each in entry.history)
    )
