"""Asks running systems for signs of life, and has those killed that give none. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from actors.messages import Heartbeat, HeartbeatAnswered, Reason
from supervisor.core.actions import CoreAction, Log, TellActor
from supervisor.core.child import Child
from supervisor.core.events import Events
from supervisor.core.heartbeats import Heartbeats, Hung
from supervisor.messages import EventKind
from supervisor.specs.policies import as_seconds
from supervisor.timing.timers import Timer, Timers


class Watchdog:
    def __init__(
        self,
        children: Mapping[str, Child],
        timers: Timers,
        events: Events,
        act: Callable[[CoreAction], None],
        on_hang: Callable[[Child, Reason, float], None],
    ) -> None:
        """
        Args:
            on_hang: called with a child that hangs, the reason and the time.
        """
        self._children = children
        self._timers = timers
        self._events = events
        self._act = act
        self._on_hang = on_hang
        self._heartbeats = Heartbeats()
        self._timer: Timer | None = None
        self._due: float | None = None

    def watch(self, child: Child, now: float) -> None:
        """A child is up."""
        limit = as_seconds(child.spec.hang_timeout)
        self._heartbeats.watch(child.name, child.incarnation, limit, now)
        self._plan()

    def forget(self, child: Child) -> None:
        """A child is not up any more, or has other limits now."""
        self._heartbeats.forget(child.name)

    def heard(self, answer: HeartbeatAnswered, now: float) -> None:
        """A child gave a sign of life."""
        name, incarnation = answer.system_name, answer.incarnation
        self._heartbeats.answered(name, incarnation, answer.thread, answer.number, now)

    def _plan(self) -> None:
        due = self._heartbeats.next_due()
        if due is None or (self._due is not None and self._due <= due):
            return  # a tick that comes too early does no harm
        if self._timer is not None:
            self._timers.cancel(self._timer)
        self._due = due
        self._timer = self._timers.add(due, self._tick)

    def _tick(self, now: float) -> None:
        self._due = self._timer = None
        beats, hung = self._heartbeats.tick(now)
        for name, incarnation, number in beats:
            child = self._children.get(name)
            if child is not None and child.is_running and child.incarnation == incarnation:
                self._act(TellActor(name, incarnation, Heartbeat(number)))
        for each in hung:
            self._hangs(each, now)
        self._plan()

    def _hangs(self, hung: Hung, now: float) -> None:
        child = self._children.get(hung.name)
        if child is None or not child.is_running or child.incarnation != hung.incarnation:
            return
        reason = Reason("hang", hung.text)
        self._events.publish(child.name, child.incarnation, EventKind.HUNG, reason)
        self._act(Log(logging.WARNING, f"{child.name}: {hung.text}; killing it"))
        self._on_hang(child, reason, now)
