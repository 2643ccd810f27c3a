"""One call of a connector, as those see it that stand around it.

Lives on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

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
Rest = Callable[[float], Awaitable[None]]


class Operation(enum.StrEnum):
    """What a connector is called for."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    SEND = "send"
    QUERY = "query"
    COMMAND = "command"
    CHECK_HEALTH = "check_health"


@attrs.frozen
class Turn:
    """What a guard must know in order to wait, before a call is made or made again."""

    rest: Rest = asyncio.sleep
    """Waits for so many seconds, or less if a connection comes back meanwhile. In the engine's
    lane what mends the connection goes on, and nothing else."""
    since: float = 0.0
    """When its request came, on the loop's clock."""
    patience: float | None = None
    """Seconds after which nobody waits for an answer any more; None if that is not known."""

    @property
    def deadline(self) -> float | None:
        """When nobody waits any more."""
        return None if self.patience is None else self.since + self.patience

    def anew(self) -> Turn:
        """The same for the next item of several: each part of an answer renews the time that is
        left for the others."""
        return attrs.evolve(self, since=asyncio.get_running_loop().time())


AT_ONCE: Final = Turn()


@attrs.define(eq=False)
class Call:
    """One call of a connector."""

    operation: Operation
    request: Request
    """That it is made for."""
    weight: int = 1
    """Items that are sent with it."""
    beside: bool = False
    """Whether others may be under way at the same time."""
    turn: Turn = AT_ONCE
    is_made: bool = False
    """Whether the connector is being called."""
    may_be_done: bool = False
    """Whether it was called, and nobody knows what became of that."""


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


def failures_in(result: Any) -> tuple[Failure, ...]:
    """Why a call failed: one answer, or one for each item, if none of them was taken; else
    nothing."""
    if isinstance(result, Failure):
        return (result,)
    if isinstance(result, tuple):
        failures = tuple([each for each in result if isinstance(each, Failure)])
        return failures if len(failures) == len(result) else ()
    return ()
