"""Rows of a journal's tables to what they stand for, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from supervisor.durable.entry import (
    HISTORY_KEPT,
    WHY_KEPT,
    DeadLetter,
    Entry,
    FailedAttempt,
    Form,
    ReceivedItem,
    StoredData,
)

ENTRY: Final = (
    "e.id, s.name, e.form, e.data, e.accepted_at, e.origin, "
    "coalesce(a.attempts, 0), coalesce(a.crashes, 0), coalesce(a.history, '[]'), "
    "coalesce(a.under_way, 0)"
)
ENTRIES: Final = "entries e JOIN systems s ON s.id = e.system LEFT JOIN attempts a ON a.id = e.id"
LETTER: Final = (
    "e.id, s.name, e.form, e.data, e.accepted_at, e.origin, e.attempts, e.crashes, e.history, 0, "
    "e.why, e.buried_at"
)
LETTERS: Final = "dead_letters e JOIN systems s ON s.id = e.system"
RECEIVED: Final = "e.id, s.name, e.form, e.data, e.received_at, e.taken"
RECEIVED_ITEMS: Final = "received e JOIN systems s ON s.id = e.system"
"""What to select, and from where; ``e`` is the row itself."""


def entry_of(row: Sequence[Any]) -> Entry:
    """
    Raises:
        ValueError: something in it is not what is written there.
    """
    id_, name, form, data, accepted_at, origin, attempts, crashes, history, under_way = row
    return Entry(
        id_,
        name,
        StoredData(Form(form), data),
        accepted_at,
        attempts,
        crashes,
        _history_of(history),
        bool(under_way),
        origin,
    )


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """
    Raises:
        ValueError: as :func:`entry_of`.
    """
    *entry, why, buried_at = row
    return DeadLetter(entry_of(entry), why, buried_at)


def item_of(row: Sequence[Any]) -> ReceivedItem:
    """
    Raises:
        ValueError: as :func:`entry_of`.
    """
    id_, name, form, data, received_at, taken = row
    return ReceivedItem(id_, name, StoredData(Form(form), data), received_at, taken)


def _history_of(text: str) -> tuple[FailedAttempt, ...]:
    try:
        return tuple(FailedAttempt(at, why, crashed) for at, why, crashed in json.loads(text))
    except TypeError as error:
        raise ValueError(f"no history: {error}") from error


def history_text(history: Sequence[FailedAttempt]) -> str:
    last = history[-HISTORY_KEPT:]
    return json.dumps([(each.at, shortened(each.why), each.crashed) for each in last])


def history_with(text: str, attempt: FailedAttempt) -> str:
    """A history as it is written, with one attempt more."""
    return history_text((*_history_of(text), attempt))


def shortened(why: str) -> str:
    """A cause as it is kept: UTF-8 has no halves of surrogate pairs."""
    return why[:WHY_KEPT].encode(errors="replace").decode()
