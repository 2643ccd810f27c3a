"""Dead letters as JSON lines, to be kept, read, or taken in by another journal. Pure.

A line is an object with the keys of :data:`KEYS`; ``data`` is a string of text, any JSON, or
base64 of bytes and pickles, as ``form`` says. Times are seconds of the wall clock.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from actors.settings import describe_value
from supervisor.durable.entry import DeadLetter, Entry, FailedAttempt, Form, StoredData

KEYS: Final = (
    *("id", "system", "form", "data", "accepted_at", "attempts", "crashes", "history"),
    *("why", "buried_at"),
)
"""``id`` is the idempotency id that its receiver was given."""


class LineError(ValueError):
    """A line is no dead letter; the text says why not, and quotes no data."""


def to_line(letter: DeadLetter, journal_id: str) -> str:
    """
    Raises:
        ValueError: its data is not what its form says.
    """
    entry = letter.entry
    match entry.data.form:
        case Form.TEXT:
            data = entry.data.encoded.decode()
        case Form.JSON:
            data = json.loads(entry.data.encoded)
        case _:
            data = base64.b64encode(entry.data.encoded).decode()
    values = (
        entry.delivery_id(journal_id),
        entry.system_name,
        entry.data.form.value,
        data,
        entry.accepted_at,
        entry.attempts,
        entry.crashes,
        [{"at": each.at, "why": each.why, "crashed": each.crashed} for each in entry.history],
        letter.why,
        letter.buried_at,
    )
    return json.dumps(dict(zip(KEYS, values, strict=True)))


def from_line(line: str, new_id: int) -> DeadLetter:
    """
    Args:
        new_id: of the entry in its new journal.

    Raises:
        LineError: it is no dead letter.
    """
    try:
        row = json.loads(line)
    except ValueError as error:
        raise LineError(f"no JSON: {error}") from error
    if not isinstance(row, dict):
        raise LineError(f"no JSON object, but {describe_value(row)}")
    if unknown := row.keys() - set(KEYS):
        raise LineError(f"an unknown key: {min(unknown)}")
    history = tuple(
        FailedAttempt(
            _get(each, "at", _is_time), _get(each, "why", _is_text), _get(each, "crashed", _is_flag)
        )
        for each in _get(row, "history", _are_objects)
    )
    name = _get(row, "system", _is_text)
    entry = Entry(
        new_id,
        name,
        _data_of(row),
        _get(row, "accepted_at", _is_time),
        _get(row, "attempts", _is_count),
        _get(row, "crashes", _is_count),
        history,
        origin=_get(row, "id", _is_text),
    )
    return DeadLetter(entry, _get(row, "why", _is_text), _get(row, "buried_at", _is_time))


def _data_of(row: dict[str, Any]) -> StoredData:
    form = _get(row, "form", lambda value: value in list(Form))
    if "data" not in row:
        raise LineError("data is missing")
    data = row["data"]
    if form == Form.JSON:
        return StoredData(Form.JSON, json.dumps(data, separators=(",", ":")).encode())
    if not isinstance(data, str):
        raise LineError(f"data is a string, where form is {form}")
    try:
        if form == Form.TEXT:
            return StoredData(Form.TEXT, data.encode())
        return StoredData(Form(form), base64.b64decode(data, validate=True))
    except ValueError as error:
        raise LineError(
            f"data is not what its form ({form}) says: {type(error).__name__}"
        ) from error


def _get(row: dict[str, Any], key: str, is_it: Callable[[Any], bool]) -> Any:
    if key not in row:
        raise LineError(f"{key} is missing")
    value = row[key]
    if not is_it(value):
        raise LineError(f"{key} cannot be {describe_value(value)}")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e12


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
