"""How a message is written for another process of this base.

That is by pickle. But for each address in a message, pickle writes where the function is that makes
one, and whoever reads it imports that by its name, which takes longer than all else about most
messages. Between processes of this base it is a number that both know.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable
from typing import Any, Final

from thespian.actors import ActorSystemMessage

from actors.unix_base.transport.address import ProcessAddress, address_of

_PROTOCOL: Final = pickle.HIGHEST_PROTOCOL
_NUMBER: Final = 249
"""One of pickle's extension codes that are for private use."""

_is_for_base = False
"""Whether the reader surely knows the number. Another thread, which pickles for somebody else just
now, may see this, too; the worst is that its reader has to import this module first."""


def dumps(message: Any) -> bytes:
    """
    Raises:
        Exception: it cannot be pickled, whatever that raised.
    """
    global _is_for_base
    _is_for_base = True
    try:
        return pickle.dumps(message, _PROTOCOL)
    finally:
        _is_for_base = False


class AsSent:
    """A message as it was when it was sent, whatever it is now: who unpickles this has that."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (self._body,)

    def __repr__(self) -> str:
        return f"<a message of {len(self._body):,} bytes>"


def in_words(message: object) -> str:
    """The text of a message, or of what else has code of its own for that."""
    try:
        return str(message)
    except Exception as error:  # whatever that raises
        return f"<{type(message).__name__}: no text, for a {type(error).__name__}>"


def described(error: Exception) -> str:
    """An error in words that can be sent."""
    return f"{type(error).__name__}: {in_words(error)}"


def _numbered_address_of(name: str) -> ProcessAddress:
    return address_of(name)


def _reduced(address: ProcessAddress) -> tuple[Callable[[str], ProcessAddress], tuple[str]]:
    return _numbered_address_of if _is_for_base else address_of, (address.name,)


copyreg.add_extension(__name__, _numbered_address_of.__name__, _NUMBER)
copyreg.pickle(ProcessAddress, _reduced)  # before its own method


def as_sent_now(message: Any) -> Any:
    """A copy of what has to wait until it is known where its receiver is, so that nobody changes
    it meanwhile."""
    if issubclass(type(message), ActorSystemMessage):
        return message
    try:
        return pickle.loads(dumps(message))
    except Exception:  # it is about another one who is not known yet, or fails later as well
        return message
