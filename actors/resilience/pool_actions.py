"""What a pool says is to be done with its connections, and what it has at one moment. Pure."""

from __future__ import annotations

from collections.abc import Hashable

import attrs


@attrs.frozen
class Open:
    """Connect, and say :meth:`.Pool.opened` or :meth:`.Pool.not_opened`."""

    slot: int


@attrs.frozen
class Check:
    """See whether it works, and say :meth:`.Pool.checked`."""

    slot: int


@attrs.frozen
class Lend:
    """It is this one's, until :meth:`.Pool.give_back`."""

    slot: int
    ticket: Hashable


@attrs.frozen
class Close:
    """Disconnect, and say :meth:`.Pool.closed`. Nobody uses it."""

    slot: int
    why: str


@attrs.frozen
class Shed:
    """None came free in time: refuse this one."""

    ticket: Hashable
    waited: float
    """Seconds."""
    retry_after: float
    """Seconds after which one may be free."""


@attrs.frozen
class GoDown:
    """No connection is left, and none can be had at once. Nothing more is done until
    :meth:`.Pool.open`."""

    tickets: tuple[Hashable, ...]
    """Whoever waited."""


PoolAction = Open | Check | Lend | Close | Shed | GoDown


@attrs.frozen(kw_only=True)
class PoolState:
    """A pool at one moment."""

    size: int
    """Connections that it may have."""
    open: int
    """That it has, idle ones and those that are lent."""
    idle: int
    borrowed: int
    waiting: int
    """Requests that wait for one."""
    lost: int = 0
    """Connections that were lost so far, those that did not pass a check among them."""
    refused: int = 0
    """Requests that waited in vain so far."""
