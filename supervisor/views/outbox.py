"""How the command line shows what is sent durably, and dead letters. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from supervisor.durable.entry import DeadLetter, Form, OutboxDepth, StoredData
from supervisor.views.status import duration, item_as_text
from supervisor.views.table import table, wrap

_DEPTHS: Final = (
    *("NAME", "WAITING", "BYTES", "OLDEST", "ACCEPTED/S", "DELIVERED/S", "DEAD", "RECEIVED"),
)
_SPARE_OF_DEPTHS: Final = ("RECEIVED", "BYTES", "ACCEPTED/S", "DELIVERED/S")
_LETTERS: Final = ("ID", "NAME", "BURIED", "ATTEMPTS", "CRASHES", "BYTES", "WHY")
_SPARE_OF_LETTERS: Final = ("BYTES", "CRASHES", "ATTEMPTS", "BURIED")


def depths_as_table(depths: Sequence[OutboxDepth], now: float, width: int | None = None) -> str:
    """One line a system, under headings.

    Args:
        now: the wall clock.
        width: columns; what does not fit is left out, but never a name, how many wait, or how
            many are dead.
    """
    if not depths:
        return "nothing waits, and there are no dead letters"
    return table([_DEPTHS, *(_row(each, now) for each in depths)], width, spare=_SPARE_OF_DEPTHS)


def depths_as_json(depths: Sequence[OutboxDepth], now: float) -> str:
    return json.dumps([{**attrs.asdict(each), "oldest_age": _age(each, now)} for each in depths])


def letters_as_table(letters: Sequence[DeadLetter], width: int | None = None) -> str:
    if not letters:
        return "no dead letters"
    rows = [_LETTERS, *map(_letter_row, letters)]
    return table(rows, width, spare=_SPARE_OF_LETTERS, wraps=True)


def letter_as_text(letter: DeadLetter, delivery_id: str, columns: int | None = None) -> str:
    """Everything about one dead letter, a line each, its data and its history."""
    entry = letter.entry
    lines = {
        "id": str(entry.id),
        "system": entry.system_name,
        "idempotency id": delivery_id,
        "accepted": _time(entry.accepted_at),
        "buried": _time(letter.buried_at),
        "why": letter.why,
        "attempts": str(entry.attempts),
        "crashes": str(entry.crashes),
        "data": f"{entry.data.form}, {entry.data.size:,} bytes: {data_as_text(entry.data)}",
    }
    width = max(map(len, lines)) + 2
    room = None if columns is None else max(columns - width, 1)
    below = "\n" + " " * width
    text = "\n".join(
        f"{key + ':':<{width}}{below.join(wrap(value, room))}" for key, value in lines.items()
    )
    if not entry.history:
        return text
    history = [
        ("FAILED", "HOW", "WHY"),
        *(
            (_time(each.at), "crashed" if each.crashed else "failed", each.why)
            for each in reversed(entry.history)
        ),
    ]
    return f"{text}\n\nlast attempts, newest first:\n{table(history, columns, wraps=True)}"


def data_as_text(data: StoredData) -> str:
    """What is pickled is not unpickled: that is for the process of its system alone."""
    if data.form is Form.PICKLE:
        return "(pickled)"
    if data.form is Form.JSON:
        return data.encoded.decode(errors="replace")
    return item_as_text(data.wrapped())


def _row(depth: OutboxDepth, now: float) -> tuple[str, ...]:
    age = _age(depth, now)
    return (
        depth.system_name,
        str(depth.waiting),
        f"{depth.waiting_bytes:,}",
        "-" if age is None else duration(age),
        f"{depth.accepted_per_second:.1f}",
        f"{depth.delivered_per_second:.1f}",
        str(depth.dead),
        str(depth.received),
    )


def _age(depth: OutboxDepth, now: float) -> float | None:
    return None if depth.oldest_at is None else max(0.0, now - depth.oldest_at)


def _letter_row(letter: DeadLetter) -> tuple[str, ...]:
    entry = letter.entry
    return (
        str(entry.id),
        entry.system_name,
        _time(letter.buried_at),
        str(entry.attempts),
        str(entry.crashes),
        f"{entry.data.size:,}",
        " ".join(letter.why.split()),
    )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def letter_as_json(letter: DeadLetter, line: str) -> Any:
    """A dead letter as it is exported, with its id in this journal."""
    return {"number": letter.entry.id, **json.loads(line)}
