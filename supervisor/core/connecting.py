"""Keeps systems connected that are meant to be, and tells whether they are. Pure."""

from __future__ import annotations

import logging
from typing import Final

from actors.messages import Failure, Reply, SystemConnected
from actors.resilience.backoff import backoff_delay
from supervisor.core.actions import Log
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.core.pending import Pending
from supervisor.core.router import Router
from supervisor.messages import EventKind, SystemState
from supervisor.tree.decisions import Happened
from supervisor.tree.nodes import Status

_KINDS: Final = {
    SystemState.CONNECTED: EventKind.CONNECTED,
    SystemState.CONNECTING: EventKind.CONNECTING,
    SystemState.DISCONNECTED: EventKind.DISCONNECTED,
}


class Connecting:
    def __init__(self, context: Context, router: Router) -> None:
        self._context = context
        self._router = router

    def connect(self, child: Child) -> None:
        """Connect a system that is up, if it is meant to be connected."""
        if child.wanted:
            self._router.connect_on_its_own(child, lambda why: self._failed(child, why))

    def connect_ended(self, child: Child, pending: Pending, reply: Reply) -> None:
        """A connect was answered, the supervisor's own or somebody's."""
        if isinstance(reply, SystemConnected):
            # A disconnect asked for while this connect was on its way has the last word.
            child.wanted |= pending.ref > child.last_disconnect
            child.connected_at = self._context.now
            child.last_error = None
        elif isinstance(reply, Failure):
            child.last_error = reply.text
            if pending.own:
                self._failed(child, reply.text)

    def connection_lost(self, child: Child) -> None:
        """A system that is meant to be connected is not any more: connect it at once,
        unless its connections never hold for long."""
        held = self._context.now - child.connected_at >= child.spec.reconnect.stable_after
        child.connect_failures = 1 if held else max(1, child.connect_failures) + 1
        child.last_error = f"{child.name}: lost its connection"
        self._connect_later(child, child.last_error)

    def announce(self, child: Child) -> None:
        """Publish whether it is connected, or about to be, if that is new."""
        kind = _KINDS.get(child.state)
        if child.node.status is Status.STOPPING and not child.is_connected:
            kind = EventKind.DISCONNECTED
        if kind is not None and kind is not child.announced:
            child.announced = kind
            self._context.publish(Happened(kind, child.name, child.incarnation))

    def _failed(self, child: Child, why: str) -> None:
        """A connect of the supervisor's own."""
        if child.wanted:
            # The first attempt was made for a reason of its own: a start, or a loss.
            child.connect_failures = max(1, child.connect_failures) + 1
            self._connect_later(child, why)

    def _connect_later(self, child: Child, why: str) -> None:
        delay = backoff_delay(child.spec.reconnect, child.connect_failures, self._context.random)
        level = logging.DEBUG if child.connect_failures > 2 else logging.WARNING
        self._context.act(Log(level, f"{why}; connecting again until it works"))
        incarnation = child.incarnation

        def connect_again() -> None:
            still = child.is_running and child.incarnation == incarnation
            if still and not child.is_connected:
                self.connect(child)

        self._context.timers.after(delay, connect_again)
