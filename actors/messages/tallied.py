"""What a system actor has of its direct clients at one moment, as data."""

from __future__ import annotations

from typing import Final

import attrs

from actors.messages.requests import (
    DataSent,
    ManySent,
    QueryAnswered,
    Reply,
    Request,
    items_in,
)


@attrs.frozen
class Tallied:
    """The tally at one moment, of one incarnation."""

    sent: int = 0
    """Items that the system took."""
    received: int = 0
    """Items that were handed out, and shown to no subscriber."""
    waiting: int = 0
    """Items and requests that it has taken and not answered."""
    busy_with: type[Request] | None = None
    """The oldest request among these; one that only waits for data counts last."""
    is_connected: bool = True
    """Whether the system was connected when something was last said to a client: it may have
    heard before its supervisor that it is not any more."""


NOTHING: Final = Tallied()


def taken_items(reply: Reply) -> int:
    """How many items the system took, by this answer."""
    match reply:
        case DataSent() | QueryAnswered(given_again=False):
            return 1
        case ManySent():
            return sum(1 for result in reply.results if result is True)
    return 0


def received_items(reply: Reply, tapped: bool) -> int:
    """How many items of the system's it hands out.

    Args:
        tapped: whether subscribers are shown all items, and they are counted there; the answer
            to a question is shown to nobody else.
    """
    if isinstance(reply, QueryAnswered):
        return 0 if reply.given_again else 1
    return 0 if tapped else len(items_in(reply))
