"""What a system actor and its direct clients say to each other.

A client says ``Deliver``, ``Forget`` and ``TakeBack``, as a supervisor does.
"""

from __future__ import annotations

from typing import Final

import attrs

from actors.messages.requests import (
    CallCommand,
    CheckHealth,
    InvalidateCache,
    QueryData,
    ReceiveData,
    ReceiveMany,
    Reply,
    SendData,
    SendMany,
)

DIRECT_KINDS: Final = (
    SendData,
    SendMany,
    QueryData,
    ReceiveData,
    ReceiveMany,
    CallCommand,
    CheckHealth,
    InvalidateCache,
)
"""What a client may ask. What changes how a system is meant to be is for its supervisor."""
RECEIVING_KINDS: Final = (ReceiveData, ReceiveMany)
"""Those among them that only wait for data."""


@attrs.frozen
class Answered:
    """What became of a client's deliveries since the last one."""

    system_name: str
    incarnation: int
    taken: int
    """The number of the last :class:`Deliver` that the event loop took."""
    replies: tuple[tuple[int, Reply], ...] = attrs.field(default=(), repr=False)
    refused: tuple[int, ...] = ()
    """Requests that were not begun, as the system is being stopped: its supervisor knows
    whether it comes back."""
    is_connected: bool = False
