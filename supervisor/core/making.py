"""Processes are made so many at a time, and each has its own time to build its system. Pure.

To make a process takes the processors' time, and so do the imports and the constructor in it. Of a
thousand that were made at once, all would take as long as all together.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from actors.messages import SystemDefinition
from supervisor.core.actions import Log, StartActor
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.timing.timers import Timer
from supervisor.tree.nodes import Status

SLOW: Final = 1.0
"""Seconds after which one may begin beside one that is being made: it probably waits itself."""
PROGRESS_EVERY: Final = 10.0
"""Seconds between two lines in the log, while systems wait for their turn."""


@attrs.define(eq=False)
class _Process:
    """One that is being made."""

    child: Child
    incarnation: int
    late: Timer
    """When it counts as not built."""
    is_slow: bool = False


class Making:
    def __init__(
        self, context: Context, at_once: int, on_late: Callable[[Child, str], None]
    ) -> None:
        """
        Args:
            at_once: processes that are made at a time; twice as many with those that are slow.
            on_late: called with one that is not built in time, and what is to be said of it.
        """
        self._context = context
        self._at_once = at_once
        self._on_late = on_late
        self._returning: deque[Child] = deque()
        """Those that wait for their turn and were there before: others may need them,"""
        self._new: deque[Child] = deque()
        """and those that were not."""
        self._making: dict[str, _Process] = {}
        self._made = 0
        """Since some had to wait."""
        self._reports = False

    def begin(self, child: Child) -> None:
        """Have a process for the incarnation that the tree has begun, in its turn."""
        child.begin()
        child.turn_at = None
        (self._returning if child.incarnation > 1 else self._new).append(child)
        self._go_on()
        if child.turn_at is not None:
            child.turn_at = 0.0  # it had not to wait

    def begun(self, child: Child) -> None:
        """Its process is there. The time to build counts from here: until now it waited for
        processors, as others did."""
        process = self._making.get(child.name)
        if process is not None and process.incarnation == child.incarnation:
            self._context.timers.cancel(process.late)
            process.late = self._limit(child, "not built")

    def done(self, child: Child) -> None:
        """It is built, or its process has ended."""
        process = self._making.pop(child.name, None)
        if process is not None:
            self._context.timers.cancel(process.late)
            self._made += 1
            self._go_on()

    def withdraw(self, child: Child) -> bool:
        """Have no process made, if it was not its turn yet; whether that is so."""
        for queue in (self._returning, self._new):
            if child in queue:
                queue.remove(child)
                child.turn_at = self._context.now
                return True
        return False

    # ---- details ----------------------------------------------------------------------------

    def _go_on(self) -> None:
        while (queue := self._returning or self._new) and self._has_room():
            self._make(queue.popleft())
        if queue and not self._reports:
            self._reports, self._made = True, 0
            self._context.timers.after(PROGRESS_EVERY, self._report)

    def _has_room(self) -> bool:
        slow = sum(each.is_slow for each in self._making.values())
        return len(self._making) - min(slow, self._at_once) < self._at_once

    def _make(self, child: Child) -> None:
        child.has_process = True
        child.turn_at = self._context.now
        late = self._limit(child, "its process did not begin")
        process = self._making[child.name] = _Process(child, child.incarnation, late)
        self._context.timers.after(SLOW, lambda: self._leave_behind(process))
        self._context.act(
            StartActor(
                child.name,
                child.incarnation,
                self._definition(child),
                child.spec.mailbox_size,
                self._context.options.max_payload_bytes,
                self._context.options.system_log_level.number,
                self._connect_within(child),
                None if child.failed is None else child.failed.text,
            )
        )

    def _definition(self, child: Child) -> SystemDefinition:
        return attrs.evolve(
            child.spec.definition(),
            policy_state=child.policies,
            request_timeout=self._context.options.request_timeout,
        )

    def _leave_behind(self, process: _Process) -> None:
        if self._making.get(process.child.name) is process:
            process.is_slow = True
            self._go_on()

    def _limit(self, child: Child, what: str) -> Timer:
        incarnation = child.incarnation
        seconds = child.spec.start_timeout + (self._connect_within(child) or 0.0)

        def run_out() -> None:
            if child.incarnation == incarnation and child.node.status is Status.STARTING:
                self._on_late(child, f"{what} within {seconds:g} s")

        return self._context.timers.after(seconds, run_out)

    def _connect_within(self, child: Child) -> float | None:
        return self._context.options.connect_timeout if child.connects_to_start else None

    def _report(self) -> None:
        """Say how far it is: whoever asked for so many may wait for long."""
        waiting = len(self._returning) + len(self._new)
        self._reports = bool(waiting)
        if waiting:
            text = f"starting systems: {self._made:,} done, {waiting:,} wait for their turn"
            self._context.act(Log(logging.WARNING, text))
            self._context.timers.after(PROGRESS_EVERY, self._report)
