"""Keeps systems connected that are meant to be, and tells whether they are, and why not. Pure.

What always holds of a system that is up and meant to be connected: it is connected, or a connect
is under way, or an attempt is planned, or somebody must mend something first.
:meth:`Connecting.look` sees to it, whenever anything has changed about a system, whatever that was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Set
from typing import Final

from actors.messages import (
    ConnectSystem,
    Failure,
    FailureCode,
    Reason,
    Report,
    SystemConnected,
    SystemDisconnected,
)
from actors.messages.supervision import RENEWED
from actors.resilience.backoff import backoff_delay
from supervisor.core.actions import Log
from supervisor.core.child import Attempt, Child
from supervisor.core.context import Context
from supervisor.core.router import Router
from supervisor.messages import EventKind, SystemState
from supervisor.specs.policies import Startup
from supervisor.tree.decisions import Happened
from supervisor.tree.nodes import Node, Status

_KINDS: Final = {
    SystemState.CONNECTED: EventKind.CONNECTED,
    SystemState.CONNECTING: EventKind.CONNECTING,
    SystemState.DISCONNECTED: EventKind.DISCONNECTED,
    SystemState.FAILED: EventKind.FAILED,
}
_UNSAID: Final = Reason("lost", "its connector did not say why")
_NOTHING: Final[Set[int]] = frozenset()
_NOT_TRIED: Final = (FailureCode.UNAVAILABLE, FailureCode.NOT_CONNECTED)
"""Of a connect that was cut off, or whose turn never came: it tells nothing of the system."""


class Connecting:
    def __init__(self, context: Context, router: Router, keep: Callable[[Node], None]) -> None:
        """
        Args:
            keep: told of a system of which something has changed that outlives the supervisor.
        """
        self._context = context
        self._router = router
        self._keep = keep
        router.connect_ran_out = self._ran_out

    def begin(self, child: Child) -> None:
        """It is up: connect it before anything else, if it is meant to be connected, and the end
        of its last process has not come before an attempt that was to be waited for."""
        if child.spec.startup is Startup.ERROR:
            child.startup_over = True
        if child.is_connected:  # it was not up before
            self._made(child)
        if not child.wanted or child.failed is not None or child.is_connected:
            return
        if child.next_due > self._context.now:
            self._plan_attempt(child, child.next_due)
        else:
            self._router.connect_on_its_own(child)

    def restored(self, child: Child) -> None:
        """It is one of a supervisor before this one, of which a next attempt may have been
        waited for."""
        child.startup_over = True
        delay = backoff_delay(child.spec.reconnect, child.connect_failures, self._context.random)
        child.next_due = self._context.now + delay

    def look(self, child: Child, ended: Set[int] = _NOTHING) -> None:
        """See that it is connected, or about to be, if it is meant to be.

        Args:
            ended: connects, by ref, that are open and have ended all the same.
        """
        is_meant = child.wanted and child.failed is None
        if child.is_connected or not (is_meant and child.is_running):
            self._drop_attempt(child)
        elif child.attempt is None and not child.is_connecting(ended):
            failures = child.connect_failures
            delay = backoff_delay(child.spec.reconnect, failures, self._context.random)
            self._plan_attempt(child, self._context.now + delay)

    def announce(self, child: Child) -> None:
        """Publish whether it is connected, or about to be, if that is new."""
        kind = _KINDS.get(child.state)
        is_stopping = child.node.status is Status.STOPPING
        if is_stopping and not child.is_connected and child.failed is None:
            kind = EventKind.DISCONNECTED
        if kind is not None:
            self._tell(child, kind)

    # ---- what becomes of connections --------------------------------------------------------

    def heard(self, child: Child, report: Report) -> None:
        """A report came. Call it before its replies are passed on: who gets one has heard of
        the connection."""
        was_connected, child.is_connected = child.is_connected, report.is_connected
        if report.connected_to is not None:
            child.connected_to = report.connected_to
        trouble: Reason | None = None
        was_made = False
        ended: set[int] = set()
        for ref, reply in report.replies:
            pending = child.open.get(ref)
            if isinstance(reply, SystemDisconnected):
                child.failed, child.next_due = None, 0.0  # it is left alone now
            if pending is None or not isinstance(pending.request, ConnectSystem):
                continue
            ended.add(ref)
            if isinstance(reply, Failure):
                trouble = self._failed(child, reply)
            elif isinstance(reply, SystemConnected):
                was_made = True
                # A disconnect asked for while this connect was on its way has the last word.
                child.wanted |= ref > child.last_disconnect
        if not child.is_running:
            return
        match was_connected, child.is_connected:
            case True, False:
                trouble = self._lost(child, report.lost)
            case True, True if report.lost is not None:
                self._tell(child, EventKind.DISCONNECTED, self._lost(child, report.lost))
                self._made(child)
            case False, True:
                self._made(child)
            case False, False if was_made:
                self._made(child)
                trouble = self._lost(child, report.lost)
            case False, False if report.lost is not None:
                trouble = self._say_lost(child, report.lost)  # why it was lost before
        self._go_on(child, trouble, ended)

    def _ran_out(self, child: Child, failure: Failure) -> None:
        """A connect is not waited for any more."""
        self._go_on(child, self._failed(child, failure), _NOTHING)

    def _go_on(self, child: Child, trouble: Reason | None, ended: Set[int]) -> None:
        self.look(child, ended)
        if child.is_running and not child.is_connected and not child.is_connecting(ended):
            has_failed = child.failed is not None
            self._tell(child, EventKind.FAILED if has_failed else EventKind.DISCONNECTED, trouble)

    def _made(self, child: Child) -> None:
        child.startup_over = True
        child.connected_at = made_at = self._context.now
        child.last_error = child.failed = None
        child.next_due = 0.0
        self._tell(child, EventKind.CONNECTED)
        self._keep(child.node)
        if not child.connect_failures:
            return
        incarnation = child.incarnation

        def has_held() -> None:
            is_same = child.incarnation == incarnation and child.connected_at == made_at
            if is_same and child.is_connected:
                child.connect_failures = 0
                self._keep(child.node)

        self._context.timers.after(child.spec.reconnect.stable_after, has_held)

    def _failed(self, child: Child, failure: Failure) -> Reason:
        """It could not be connected."""
        is_fatal = failure.code is FailureCode.FAILED
        text = failure.text.removeprefix(f"{child.name}: ")
        why = Reason(str(failure.code), text, is_fatal=is_fatal)
        child.last_error = failure.text
        if not is_fatal:
            # The first attempt was made for a reason of its own: an order, a start or a loss.
            child.connect_failures = max(1, child.connect_failures) + 1
        if failure.code not in _NOT_TRIED:
            child.failed = why if is_fatal else None
            if not child.startup_over and child.spec.startup is Startup.IGNORE:
                self._leave_alone(child)
            child.startup_over = True
        self._keep(child.node)
        return why

    def _leave_alone(self, child: Child) -> None:
        """Its first connect has failed, which is not to matter."""
        child.wanted = False
        if child.failed is None:
            text = f'{child.last_error}; as its startup is "ignore", it is not tried again'
            self._context.act(Log(logging.WARNING, f"{text} before somebody connects it"))

    def _lost(self, child: Child, said: Reason | None) -> Reason | None:
        """It is not connected any more: connect it again at once if this one held, and later
        if its connections never do.

        Returns:
            why; None if it was told to disconnect.
        """
        if said is None and child.is_disconnecting:
            return None
        held = self._context.now - child.connected_at >= child.spec.reconnect.stable_after
        if said is None or said.kind != RENEWED:  # that is none of the connection's failures
            child.connect_failures = 1 if held else max(1, child.connect_failures) + 1
        return self._say_lost(child, said or _UNSAID)

    def _say_lost(self, child: Child, why: Reason) -> Reason:
        child.last_error = f"{child.name}: lost its connection: {why.text}"
        if why.is_fatal:
            child.failed = why
        self._keep(child.node)
        return why

    # ---- attempts ---------------------------------------------------------------------------

    def _plan_attempt(self, child: Child, due: float) -> None:
        child.next_due = due

        def connect() -> None:
            if child.attempt is not attempt:  # it was of an earlier incarnation
                return
            child.attempt = None
            if child.wanted and child.is_running and not child.is_connected:
                self._router.connect_on_its_own(child)

        attempt = child.attempt = Attempt(due, self._context.timers.at(due, connect))

    def _drop_attempt(self, child: Child) -> None:
        if child.attempt is not None:
            self._context.timers.cancel(child.attempt.timer)
            child.attempt = None

    # ---- telling ----------------------------------------------------------------------------

    def _tell(self, child: Child, kind: EventKind, trouble: Reason | None = None) -> None:
        if kind is child.announced:
            return
        child.announced = kind
        if kind is EventKind.FAILED:
            trouble = child.failed
        delay = None
        if kind is EventKind.DISCONNECTED and child.attempt is not None:
            delay = max(0.0, child.attempt.due - self._context.now)
        where = child.connected_to if kind is EventKind.CONNECTED else None
        happened = Happened(kind, child.name, child.incarnation, trouble, delay, connected_to=where)
        self._context.publish(happened)
