"""What came to a process, until it is dealt with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from thespian.actors import ActorAddress

from actors.unix_base.transport.link import Link


@attrs.frozen(slots=True)
class Unreadable:
    """In the place of a message that could not be unpickled."""

    why: str


Received = tuple[ActorAddress | None, Any, Link | None, int]
"""Sender, message, where it came from (None for what this process tells itself), and bytes."""
Receiver = Callable[[Any, ActorAddress], Any]
"""Deals with a message and its sender."""
