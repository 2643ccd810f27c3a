"""Pickled data that is nothing but plain values, as JSON: readable by anything, and by any later
version of a program. Pure.

Nothing that is unpickled here can run code: a pickle that names any class or function is left as
it is.
"""

from __future__ import annotations

import io
import json
import pickle
from typing import Any, Final

MOST: Final = 64 << 10
"""Bytes: what is longer stays pickled, as reading it takes its time."""
_DEEPEST: Final = 100


class _NotPlainError(Exception):
    """It names a class, or is shared too often, or not what JSON gives back."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        raise _NotPlainError

    def persistent_load(self, pid: Any, /) -> Any:
        raise _NotPlainError


def as_json(pickled: bytes) -> bytes | None:
    """The same as JSON in UTF-8, if that loads to exactly what was pickled, types included; else
    None."""
    if len(pickled) > MOST:
        return None
    try:
        value = _PlainUnpickler(io.BytesIO(pickled)).load()
        _weigh(value, 2 * len(pickled), 0)
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except Exception:  # of a pickle that somebody made by hand, anything
        return None


def _weigh(value: Any, room: int, depth: int) -> int:
    """See that a value is plain. What is pickled once and used many times would be written many
    times in JSON: that is given up when it is more than there is room for.

    Returns:
        the room that is left.
    """
    kind = type(value)
    if kind is str:
        room -= len(value)
    elif kind is list or kind is dict:
        if depth >= _DEEPEST:
            raise _NotPlainError
        for each in value:
            if kind is dict and type(each) is not str:
                raise _NotPlainError
            room = _weigh(each, room, depth + 1)
            if kind is dict:
                room = _weigh(value[each], room, depth + 1)
    elif kind is int:
        room -= value.bit_length() >> 3
    elif value is not None and kind is not bool and kind is not float:
        raise _NotPlainError
    if room <= 0:
        raise _NotPlainError
    return room - 1
