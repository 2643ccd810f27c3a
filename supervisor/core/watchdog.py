"""Asks running systems for signs of life, and tells which give none. Pure."""

from __future__ import annotations

from actors.messages import Heartbeat, HeartbeatAnswered, Reason
from supervisor.core.actions import TellActor
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.core.heartbeats import Heartbeats, Hung
from supervisor.messages import EventKind
from supervisor.specs.policies import as_seconds
from supervisor.timing.timers import Timer
from supervisor.tree.decisions import Happened


class Watchdog:
    """Whoever hears of a system that it is ``hung`` has it killed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._heartbeats = Heartbeats()
        self._timer: Timer | None = None
        self._due: float | None = None

    def watch(self, child: Child) -> None:
        """A child is up."""
        limit = as_seconds(child.spec.hang_timeout)
        self._heartbeats.watch(child.name, child.incarnation, limit, self._context.now)
        self._plan()

    def forget(self, child: Child) -> None:
        """A child is not up any more, or has other limits now."""
        self._heartbeats.forget(child.name)

    def heard(self, answer: HeartbeatAnswered) -> None:
        """A child gave a sign of life."""
        name, incarnation = answer.system_name, answer.incarnation
        now = self._context.now
        self._heartbeats.answered(name, incarnation, answer.thread, answer.number, now)

    def _plan(self) -> None:
        due = self._heartbeats.next_due()
        if due is None or (self._due is not None and self._due <= due):
            return  # a tick that comes too early does no harm
        if self._timer is not None:
            self._context.timers.cancel(self._timer)
        self._due = due
        self._timer = self._context.timers.at(due, self._tick)

    def _tick(self) -> None:
        self._due = self._timer = None
        beats, hung = self._heartbeats.tick(self._context.now)
        self._plan()
        for name, incarnation, number in beats:
            if self._is_running(name, incarnation):
                self._context.act(TellActor(name, incarnation, Heartbeat(number)))
        for each in hung:
            self._hangs(each)

    def _hangs(self, hung: Hung) -> None:
        if self._is_running(hung.name, hung.incarnation):
            reason = Reason("hang", hung.text)
            happened = Happened(EventKind.HUNG, hung.name, hung.incarnation, reason)
            self._context.publish(happened)

    def _is_running(self, name: str, incarnation: int) -> bool:
        child = self._context.children.get(name)
        return child is not None and child.is_running and child.incarnation == incarnation
