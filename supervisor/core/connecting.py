"""Keeps systems connected that are meant to be. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random

from actors.messages import Failure, Reply, SystemConnected
from actors.resilience.backoff import backoff_delay
from supervisor.core.actions import CoreAction, Log
from supervisor.core.child import Child
from supervisor.core.pending import Pending
from supervisor.core.router import Router
from supervisor.timing.timers import Timers


class Connecting:
    def __init__(
        self, router: Router, timers: Timers, act: Callable[[CoreAction], None], random: Random
    ) -> None:
        self._router = router
        self._timers = timers
        self._act = act
        self._random = random
        router.own_connect_failed = self._own_connect_failed

    def connect_ended(self, child: Child, pending: Pending, reply: Reply, now: float) -> None:
        """A connect was answered, the supervisor's own or somebody's."""
        if isinstance(reply, SystemConnected):
            # A disconnect asked for while this connect was on its way has the last word.
            child.wanted |= pending.ref > child.last_disconnect
            child.connected_at = now
            child.last_error = None
        elif isinstance(reply, Failure):
            child.last_error = reply.text
            if pending.own:
                self._own_connect_failed(child, reply.text, now)

    def connection_lost(self, child: Child, now: float) -> None:
        """A system that is meant to be connected is not any more: connect it at once,
        unless its connections never hold for long."""
        held = now - child.connected_at >= child.spec.reconnect.stable_after
        child.connect_failures = 1 if held else max(1, child.connect_failures) + 1
        child.last_error = f"{child.name}: lost its connection"
        self._connect_later(child, child.last_error, now)

    def _own_connect_failed(self, child: Child, why: str, now: float) -> None:
        if child.wanted:
            # The first attempt was made for a reason of its own: a start, or a loss.
            child.connect_failures = max(1, child.connect_failures) + 1
            self._connect_later(child, why, now)

    def _connect_later(self, child: Child, why: str, now: float) -> None:
        delay = backoff_delay(child.spec.reconnect, child.connect_failures, self._random)
        level = logging.DEBUG if child.connect_failures > 2 else logging.WARNING
        self._act(Log(level, f"{why}; connecting again until it works"))
        incarnation = child.incarnation

        def connect_again(then: float) -> None:
            still = child.is_running and child.incarnation == incarnation
            if still and child.wanted and not child.is_connected:
                self._router.connect_on_its_own(child, then)

        self._timers.add(now + delay, connect_again)
