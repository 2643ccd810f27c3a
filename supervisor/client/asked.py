"""A request of this manager to a system, and where it is."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from actors.messages import Reply, Request
from actors.messages.results import Results

OnReply = Callable[[Reply], None]
"""Hears an answer, or a part of one."""


class Place(enum.Enum):
    """Where a request is."""

    QUEUE = enum.auto()
    """Here: it has not gone either way."""
    DIRECT = enum.auto()
    """It went straight to the system."""
    ORPHAN = enum.auto()
    """It did, and the link was lost; why is not known yet."""
    ROUTED = enum.auto()
    """It went through the supervisor."""


@attrs.define(eq=False)
class Asked:
    """Not answered yet."""

    request: Request
    on_reply: OnReply
    since: float = 0.0
    """When it was asked."""
    direct: bool = False
    """Whether it may go straight."""
    weight: int = 0
    size: int = 0
    place: Place = Place.QUEUE
    number: int = 0
    """Of its delivery; then, of an orphan, the incarnation that had it."""
    results: Results | None = None
    """Of a SendMany."""
