"""What a connector can know of a message that is sent durably, while it sends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs


@attrs.frozen
class Delivery:
    """One attempt to deliver one message of an outbox."""

    id: str
    """Of the message: the same at each attempt, and of no other message anywhere. A receiver that
    keeps those that it has dealt with has the effect of each once."""
    attempt: int
    """1 at the first. At any other the receiver may have got it already."""
    accepted_at: float
    """When it was accepted; seconds since the epoch."""


_current: ContextVar[tuple[Delivery, ...]] = ContextVar("extsys_deliveries", default=())


def current_delivery() -> Delivery | None:
    """Of the item that ``send_data`` was called with; None where it is not sent durably.

    To be called in the connector's ``send_data``, or in what that calls, on the event loop."""
    deliveries = _current.get()
    return deliveries[0] if deliveries else None


def current_deliveries() -> tuple[Delivery, ...]:
    """Of the items that ``send_many`` was called with, one each; empty where they are not sent
    durably."""
    return _current.get()


@contextmanager
def delivering(deliveries: tuple[Delivery, ...]) -> Iterator[None]:
    """Have the connector see these in the body."""
    token = _current.set(deliveries)
    try:
        yield
    finally:
        _current.reset(token)
