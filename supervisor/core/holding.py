"""What waits for a system that is down, and when it is worth to try again. Pure.

With ``when_down = "wait"`` sends and questions stay here while their system is meant to be
connected and is not, and all that is asked stays while it is restarted. What is held comes out in
the order in which it came in; orders to connect, and what needs no connection, go past it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from actors.messages import Fence, QueryData, Reply, SendData, SendMany
from actors.messages.results import with_retry_after
from supervisor.core.child import Child
from supervisor.core.pending import Pending
from supervisor.tree.nodes import Node

_HELD: Final = (SendData, SendMany, QueryData)
_SOON: Final = 0.05
"""Seconds; trying again sooner is of no use."""


def hold_back(child: Child) -> None:
    """Set aside what is to wait for the connection of a system, or let all of it go on."""
    if not child.holds:
        child.mailbox.extendleft(reversed(child.held))
        child.held.clear()
        return
    passing: deque[Pending] = deque()
    for pending in child.mailbox:
        # A fence comes back when all before it has been taken.
        is_behind = bool(child.held) and isinstance(pending.request, Fence)
        waits = is_behind or isinstance(pending.request, _HELD)
        (child.held if waits else passing).append(pending)
    child.mailbox = passing


def take_out(child: Child, pending: Pending) -> None:
    """Of what was not delivered."""
    (child.held if pending in child.held else child.mailbox).remove(pending)


def why_late(child: Child) -> str:
    """Why the turn of something did not come; nothing, if it is not for want of its system."""
    if child.is_connected or not child.waits:
        return ""
    error = (child.last_error or "").removeprefix(f"{child.name}: ")
    return f": it is {child.state}" + (f" ({error})" if error else "")


def next_start(cause: Node, now: float) -> float:
    """Seconds until a child is started that is to be restarted."""
    return max(_SOON, cause.restart_at - now)


def with_hint(child: Child, reply: Reply, now: float) -> Reply:
    """The same answer of a system, with when it is connected next, if it failed for that."""
    after = child.next_attempt(now)
    return reply if after is None else with_retry_after(reply, max(_SOON, after))
