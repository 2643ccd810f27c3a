"""User data on its way between processes.

Only the two ends know what the data is. Everything between them (the supervisor, the
transport) carries bytes it never unpickles: a class that only the ends can import, or
one that fails to unpickle, cannot harm what is in the middle.
"""

from __future__ import annotations

import io
import os
import pickle
from collections import ChainMap
from collections.abc import Iterable
from types import CodeType
from typing import Any, Final

import cloudpickle

_PLAIN: Final = frozenset({bytes, str, int, float, bool, type(None)})
_SIZED: Final = (bytes, str)
_NO_FILE: Final = "<dynamic-code>"
"""What cloudpickle calls the file of code that it pickles."""


class PayloadError(ValueError):
    """Data that cannot cross processes, or cannot be read back. The fault of whoever sent it."""


class Payload:
    """An object, or its pickled bytes, whichever was needed so far.

    Pickling a Payload pickles its object once; passing it on copies bytes.
    """

    __slots__ = ("_encoded", "_object")

    def __init__(self, obj: Any = None, encoded: bytes | None = None) -> None:
        self._object = obj
        self._encoded = encoded

    def encode_now(self) -> bytes:
        """The pickled object.

        Raises:
            PayloadError: the object cannot be pickled.
        """
        if self._encoded is None:
            self._encoded = encode(self._object)
        return self._encoded

    def load(self) -> Any:
        """The object.

        Raises:
            PayloadError: it cannot be unpickled in this process.
        """
        if self._object is None and self._encoded is not None:
            self._object = decode(self._encoded)
        return self._object

    def __reduce__(self) -> tuple[Any, ...]:
        return (_from_bytes, (self.encode_now(),))

    def __repr__(self) -> str:
        return "<Payload>"


def _reduce_code(code: CodeType) -> tuple[Any, tuple[Any, ...]]:
    """Of a function that goes along, such as one of a class of ``__main__``: cloudpickle has it
    forget its file, and then no traceback of another process says where anything is."""
    make, args = cloudpickle.Pickler.dispatch_table[CodeType](code)
    file = code.co_filename
    if not file.startswith("<"):
        file = os.path.abspath(file)
    return make, tuple(file if each == _NO_FILE else each for each in args)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    dispatch_table = ChainMap({CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)


def _from_bytes(encoded: bytes) -> Payload:
    if not isinstance(encoded, bytes):
        raise TypeError(f"a payload is bytes, not {type(encoded).__name__}")
    return Payload(encoded=encoded)


def encode(obj: Any) -> bytes:
    """Pickle ``obj``, also one whose class lives in ``__main__`` or inside a function.

    Raises:
        PayloadError: it cannot be pickled.
    """
    try:
        with io.BytesIO() as file:
            _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(obj)
            return file.getvalue()
    except Exception as error:  # picklers raise whatever a __reduce__ raises
        raise PayloadError(
            f"{type(obj).__name__} cannot be sent to another process: {error}"
        ) from error


def decode(encoded: bytes) -> Any:
    """Unpickle what :func:`encode` made.

    Raises:
        PayloadError: it cannot be unpickled here, for example because its class cannot
            be imported in this process.
    """
    try:
        return pickle.loads(encoded)
    except Exception as error:  # unpickling runs the class's own code
        raise PayloadError(
            f"data cannot be read in this process: {type(error).__name__}: {error}"
        ) from error


def wrap(obj: Any) -> Any:
    """What to put into a message for ``obj``: itself if it is a plain value, or a Payload."""
    if type(obj) in _PLAIN or isinstance(obj, Payload):
        return obj
    return Payload(obj)


def wrap_each(items: Iterable[Any]) -> tuple[Any, ...]:
    """The same for each of several."""
    return tuple(map(wrap, items))


def wrap_encoded(obj: Any, max_payload_bytes: int) -> Any:
    """What :func:`wrap` gives, pickled at once: for where an error can still be answered.

    Raises:
        PayloadError: the object cannot be pickled, or is longer than an answer may be.
    """
    data = wrap(obj)
    size = payload_size(data)
    if size > max_payload_bytes:
        raise PayloadError(
            f"it has {size:,} bytes, more than max_payload_bytes ({max_payload_bytes:,}); "
            "have the connector give it in parts, or raise the limit"
        )
    return data


def unwrap(data: Any) -> Any:
    """The object behind what :func:`wrap` returned.

    Raises:
        PayloadError: it cannot be unpickled in this process.
    """
    return data.load() if isinstance(data, Payload) else data


def payload_size(data: Any) -> int:
    """The bytes that wrapped data will take, roughly.

    Raises:
        PayloadError: it cannot be pickled, or was not wrapped.
    """
    if isinstance(data, _SIZED):
        return len(data)
    if isinstance(data, Payload):
        return len(data.encode_now())
    if type(data) not in _PLAIN:
        raise PayloadError(f"a message holds a plain value or a Payload: {type(data).__name__}")
    return 8


def wrap_items(items: Any) -> tuple[Any, ...]:
    """Each of some items, as :func:`wrap` makes it; for the field of a message.

    Raises:
        TypeError: it is one item, and no sequence of items.
    """
    if isinstance(items, str | bytes | bytearray | memoryview):
        raise TypeError("items is a sequence of items, not one string; use SendData for one item")
    return wrap_each(items)
