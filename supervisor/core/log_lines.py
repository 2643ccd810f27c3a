"""What the log says of what happens. Pure."""

from __future__ import annotations

import logging

from actors.messages import FailureCode
from supervisor.core.actions import Log
from supervisor.core.connection_log import ConnectionLog
from supervisor.core.context import Context
from supervisor.core.crash_log import CrashLog
from supervisor.messages import EventKind, LifecycleEvent
from supervisor.messages.crashes import CrashReport
from supervisor.tree.nodes import Group, StartedBy
from supervisor.tree.tree import Tree
from supervisor.views.status import duration


class LogLines:
    """Says what somebody should know of who reads nothing but the log."""

    def __init__(self, context: Context, tree: Tree) -> None:
        self._context = context
        self._tree = tree
        self._crashes = CrashLog()
        self._connections = ConnectionLog()
        self._timer_set = False

    def hear(self, event: LifecycleEvent) -> None:
        name, why = event.system_name, event.reason.text if event.reason else "unknown"
        match event.kind:
            case EventKind.CRASHED if event.report is not None:
                self._crashed(name, event.report)
            case EventKind.HUNG:
                self._say(logging.WARNING, f"{name}: {why}; killing it")
            case EventKind.ABANDONED:
                text = f"{name}: no exit seen after SIGKILL; going on without it"
                self._say(logging.WARNING, text)
            case EventKind.DEAD_LETTER:
                self._say(logging.WARNING, f"{name}: {why}")
            case EventKind.OUTBOX_BLOCKED:
                self._say(logging.ERROR, f"{name}: its outbox stands still: {why}")
            case EventKind.QUARANTINED:
                self._loop_ended(name)
                self._quarantined(name, why)
            case EventKind.GAVE_UP:
                self._gave_up(name, why)
            case EventKind.DISCONNECTED if event.delay is not None:
                self._connecting_again(name, event.delay)
            case EventKind.FAILED:
                self._say(logging.ERROR, self._connections.failed(name, why))
            case EventKind.CONNECTED:
                self._say(logging.INFO, self._connections.connected(name, event.connected_to))
            case EventKind.CIRCUIT_OPENED:
                text = f"refusing calls for {duration(event.delay or 0.0)}: {why}"
                self._say(logging.WARNING, f"{name}: its circuit breaker is open, {text}")
            case EventKind.CIRCUIT_HALF_OPEN:
                text = "is half-open: what is asked next shows whether it works again"
                self._say(logging.INFO, f"{name}: its circuit breaker {text}")
            case EventKind.CIRCUIT_CLOSED:
                self._say(logging.INFO, f"{name}: its circuit breaker is closed: {why}")
            case EventKind.UNREGISTERED:
                self._loop_ended(name)
                self._connections.forget(name)

    def _say(self, level: int, text: str | None) -> None:
        if text is not None:
            self._context.act(Log(level, text))

    def _quarantined(self, name: str, why: str) -> None:
        node = self._tree.nodes.get(name)
        if node is None:
            return
        if isinstance(node, Group):
            text = (
                f"{name}: quarantined as a whole, as it cannot do without one of its children: "
                f"{why}; mend the cause, then restart {name}"
            )
            self._say(logging.ERROR, text)
            return
        policy = node.spec.restart
        text = (
            f"{name}: quarantined: more than {policy.max_restarts} crashes within "
            f"{policy.period:g} s, the last: {why}; mend the cause, then restart it"
        )
        self._say(logging.ERROR, text)

    def _gave_up(self, name: str, why: str) -> None:
        group = self._tree.nodes.get(name)
        if not isinstance(group, Group):
            return
        if group.goes_along() and any(c.is_quarantined for c in group.children.values()):
            text = f"{name}: gave up: it cannot do without one of its children: {why}"
            self._say(logging.ERROR, text)
            return
        text = (
            f"{name}: gave up: more than {group.spec.max_restarts} restarts within "
            f"{group.spec.period:g} s; the last cause: {why}"
        )
        self._say(logging.ERROR, text)

    # ---- connections ------------------------------------------------------------------------

    def _connecting_again(self, name: str, delay: float) -> None:
        child = self._context.children[name]
        why = child.last_error or f"{name}: not connected"
        said = self._connections.disconnected(name, why, delay, is_new=child.connect_failures <= 1)
        self._context.act(said)

    # ---- crashes ----------------------------------------------------------------------------

    def _crashed(self, name: str, report: CrashReport) -> None:
        child = self._context.children[name]
        # A wrong definition is the asker's to mend, who is told; a traceback helps nobody.
        by_hand = child.node.started_by in (StartedBy.NEW, StartedBy.HAND)
        if by_hand and child.start_code is FailureCode.INVALID_REQUEST:
            return
        self._say(logging.ERROR, self._crashes.crashed(name, report, self._context.now))
        self._await_summary()

    def _loop_ended(self, name: str) -> None:
        """It is not restarted any more."""
        self._say(logging.ERROR, self._crashes.ended(name, self._context.now))

    def _await_summary(self) -> None:
        due = self._crashes.next_due()
        if due is not None and not self._timer_set:
            self._timer_set = True
            self._context.timers.at(due, self._summarize)

    def _summarize(self) -> None:
        self._timer_set = False
        for line in self._crashes.due(self._context.now):
            self._say(logging.ERROR, line)
        self._await_summary()
