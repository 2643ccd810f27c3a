"""One call of a connector, as those see it that stand around it.

Lives on the system actor's event loop.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import attrs

from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DisconnectSystem,
    Failure,
    QueryData,
    Request,
    SendData,
    SendMany,
)

T = TypeVar("T")

Work = Callable[[], Awaitable[T]]


class Operation(enum.StrEnum):
    """What a connector is called for."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    SEND = "send"
    QUERY = "query"
    COMMAND = "command"
    CHECK_HEALTH = "check_health"


@attrs.frozen
class Call:
    """One call of a connector."""

    operation: Operation
    request: Request
    """That it is made for."""
    weight: int = 1
    """Items that are sent with it."""
    beside: bool = False
    """Whether others may be under way at the same time."""


class Guard(Protocol):
    """One of those that stand around a call. It has no knowledge of the others."""

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        """Make the call, once, never or again; or say why not.

        Args:
            go_on: makes it; what it gives is its result, or why it failed. Whatever it raises
                is not this guard's to hold.
        """


def operation_of(request: Request) -> Operation:
    """What a connector is called for by a request."""
    match request:
        case SendData() | SendMany():
            return Operation.SEND
        case QueryData():
            return Operation.QUERY
        case CallCommand():
            return Operation.COMMAND
        case ConnectSystem():
            return Operation.CONNECT
        case DisconnectSystem():
            return Operation.DISCONNECT
        case CheckHealth():
            return Operation.CHECK_HEALTH
    raise TypeError(f"no connector is called for {type(request).__name__}")
