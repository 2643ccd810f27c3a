"""Every decision of a supervisor: what to start, restart and give up, and whom to answer.

Pure: events go in together with the time, actions come out; no actor, clock or I/O.
Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

from actors.messages import (
    ConnectSystem,
    HeartbeatAnswered,
    Reason,
    Reply,
    Report,
    SystemBegun,
    SystemCrashed,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
)
from supervisor.core.actions import Client, CoreAction, Finish
from supervisor.core.child import Child
from supervisor.core.child_orders import ChildOrders
from supervisor.core.circuits import Circuits
from supervisor.core.connecting import Connecting
from supervisor.core.context import Context, OnBug
from supervisor.core.dead_letters import DeadLetters
from supervisor.core.doors import Doors, NoDoors
from supervisor.core.events import Events
from supervisor.core.exits import ProcessExit
from supervisor.core.inbox import Inbox
from supervisor.core.keepers import Keepers, restore
from supervisor.core.lifecycle import Lifecycle
from supervisor.core.log_lines import LogLines
from supervisor.core.orders import Orders
from supervisor.core.outbox import Outbox
from supervisor.core.outputs import Outputs
from supervisor.core.requests import Requests
from supervisor.core.router import Router
from supervisor.core.watchdog import Watchdog
from supervisor.messages import EventKind
from supervisor.messages.record import Record
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import ROOT, GroupSpec
from supervisor.tree.decisions import Happened, TreeAction
from supervisor.tree.nodes import Status
from supervisor.tree.tree import Tree

SETTLE: Final = 2.0
"""Seconds in which the journal is to be written when all systems are down."""


class SupervisorCore:
    def __init__(
        self,
        options: SupervisorOptions,
        random: Random,
        wall_clock: Callable[[], float],
        tree: GroupSpec | None = None,
        record: Record | None = None,
        doors: Doors | None = None,
        at_once: int = 8,
        on_bug: OnBug | None = None,
        unread: Callable[[Client], int] = lambda _: 0,
    ) -> None:
        """
        Args:
            wall_clock: seconds since the epoch, for the time in events.
            tree: what to start; None is a root group with nothing in it.
            record: what to come back from, in place of ``tree``.
            doors: of the systems; None lets all requests come through the supervisor.
            at_once: processes that are made at a time.
            on_bug: told of what one part failed to deal with, while the others go on; None
                has it raised.
            unread: bytes that a client was told and has not begun to read.
        """
        self._record = record
        past = record.events if record is not None else ()
        sequence = past[-1].sequence if past else 0
        self._context = context = Context(
            options, random, wall_clock, doors or NoDoors(), sequence, on_bug, unread
        )
        decided: deque[TreeAction] = deque()
        spec = record.tree() if record is not None else tree or GroupSpec(ROOT)
        self._tree = Tree(spec, context.timers, random, decided.append)
        self._events = Events(context, past)
        self._keepers = Keepers(context, self._tree)
        self._router = Router(context)
        self._connecting = Connecting(context, self._router, self._keepers.touch)
        self._watchdog = Watchdog(context)
        orders = Orders(context)
        self._circuits = Circuits(context)
        child_orders = ChildOrders(context, self._tree, orders, self._circuits)
        self._lifecycle = Lifecycle(
            context, self._tree, decided, child_orders, self._router, self._watchdog, at_once
        )
        self._outputs = Outputs(context)
        self._outbox = Outbox(context, self._router)
        self._inbox = Inbox(context, self._outbox, self._events)
        self._requests = Requests(
            context,
            self._tree,
            self._router,
            orders,
            child_orders,
            self._events,
            self._keepers,
            self._outputs,
            self._outbox,
            DeadLetters(context, orders, self._outbox),
            self._inbox,
        )
        log_lines = LogLines(context, self._tree)
        # The lifecycle last: what happened is told before anything follows from it.
        parts = (self._keepers, self._events, log_lines, self._outputs, self._outbox, self._inbox)
        for part in (*parts, self._lifecycle):
            context.listen(part.hear)
        self._finished = False
        self._finish_by: float | None = None

    def begin(self, now: float, *, has_journal: bool = False) -> None:
        """Start the tree; before anything else is asked.

        Args:
            has_journal: whether there is a journal from before.
        """
        self._context.timers.now = now
        if self._record is None:
            self._lifecycle.carry_out()
            self._tree.start()
        else:
            self._lifecycle.take_over()
            restore(self._tree, self._record, self._context.children)
            for child in self._context.children.values():
                self._connecting.restored(child)
            self._tell_losses()
            self._tree.start(recovering=True)
            self._record = None
        self._lifecycle.carry_out()
        self._outbox.begin(has_journal=has_journal)

    def _tell_losses(self) -> None:
        """What ran under the supervisor before this one went down with it."""
        reason = Reason("supervisor", "its supervisor was killed, and it with it")
        for child in self._context.children.values():
            if child.incarnation and child.node.comes_with_all:
                lost = Happened(EventKind.CRASHED, child.name, child.incarnation, reason)
                self._context.publish(lost)

    # ---- what the shell asks ----------------------------------------------------------------

    def take_actions(self) -> list[CoreAction]:
        """What is to be done now, in order."""
        for child in self._router.ready:
            self._context.guard(f"the connection of {child.name}", self._look_at, child)
        self._context.guard("the outbox", self._outbox.flush)
        self._router.deliver()
        ended = self._lifecycle.ended
        if ended is not None and self._may_finish():
            self._requests.supervisor_stopped()
            if not self._finished:
                self._finished = True
                self._context.act(Finish(ended.why, ended.exit_code))
        self._context.guard("the record", self._keepers.flush)
        return self._context.take_actions()

    def _look_at(self, child: Child) -> None:
        self._connecting.look(child)
        self._connecting.announce(child)
        self._outbox.touch(child.name)

    def _may_finish(self) -> bool:
        """Whether all is down, and what became of the last messages is on the disk: else they
        would be delivered once more."""
        if self._outbox.is_settled:
            return True
        if self._finish_by is None:
            self._finish_by = self._context.now + SETTLE
            self._context.timers.at(self._finish_by, lambda: None)
        return self._context.now >= self._finish_by

    def next_due(self) -> float | None:
        """When :meth:`tick` is to be called next."""
        return self._context.timers.next_due()

    def tick(self, now: float) -> None:
        """Do what is due."""
        timers = self._context.timers
        timers.now = now
        for call in timers.due():
            self._context.guard("what was due", call)
            self._lifecycle.carry_out()

    # ---- from clients -----------------------------------------------------------------------

    def request(self, client: Client, message: Any, now: float) -> None:
        """Anything a client sent."""
        self._context.timers.now = now
        try:
            self._requests.take(client, message)
        finally:
            self._lifecycle.carry_out()

    def client_gone(self, client: Client) -> None:
        """A client's connection ended."""
        self._requests.forget_client(client)

    # ---- from system actors -----------------------------------------------------------------

    def child_said(self, name: str, incarnation: int, message: Any, now: float) -> None:
        """Anything a system actor sent; stale words of an earlier incarnation change nothing."""
        child = self._living(name, incarnation)
        if child is None:
            return
        self._context.timers.now = now
        child.deliveries.heard()
        if child.deliveries.to_forget:
            self._router.touch(child)
        starting = child.node.status is Status.STARTING
        match message:
            case SystemBegun() if starting:
                self._lifecycle.begun(child, message)
            case SystemStarted() if starting and not child.crashed:
                self._started(child, message)
            case HeartbeatAnswered():
                self._watchdog.heard(message)
            case SystemStartFailed() if starting:
                self._lifecycle.start_failed(child, message)
            case SystemCrashed():
                self._lifecycle.told_of_crash(child, message.reason)
            case Report():
                self._report(child, message)
            case SystemStopped():
                self._lifecycle.stopped(child, message.reason)

    def _started(self, child: Child, message: SystemStarted) -> None:
        self._lifecycle.started(child, message)
        if child.is_running:
            self._connecting.begin(child)
            self._router.touch(child)
            self._events.adjust_tap(child)

    def _report(self, child: Child, report: Report) -> None:
        child.deliveries.heard(report.taken)
        connection = f"the connection of {child.name}"
        self._context.guard(connection, self._connecting.heard, child, report)
        for ref, reply in report.replies:
            self._context.guard(f"an answer of {child.name}", self._answered, child, ref, reply)
        child.dropped += report.dropped
        child.pool, child.cache = report.pool, report.cache
        if report.policies is not None:
            policies = f"the policies of {child.name}"
            self._context.guard(policies, self._circuits.heard, child, report.policies)
        if report.tapped:
            child.received += len(report.tapped)
            self._events.data_arrived(child, report.tapped)
            self._inbox.data_arrived(child, report.tapped)
        self._router.touch(child)

    def _answered(self, child: Child, ref: int, reply: Reply) -> None:
        pending = self._router.settle(child, ref, reply)
        if pending is not None and isinstance(pending.request, ConnectSystem):
            self._keepers.touch(child.node)

    def child_exited(
        self, name: str, incarnation: int, how: ProcessExit | None, now: float
    ) -> None:
        """A system actor's process is gone.

        Args:
            how: how it ended, as far as the shell can tell.
        """
        child = self._living(name, incarnation)
        if child is None or child.is_heard_out:
            return
        self._context.timers.now = now
        if child.node.status is Status.STOPPING:
            self._lifecycle.exited(child, how)
            return

        def go_on() -> None:
            if self._living(name, incarnation) is child:
                self._lifecycle.exited(child, how)

        child.is_heard_out = True
        self._outputs.hear_out(child, go_on)

    def child_begun(self, name: str, incarnation: int) -> None:
        """A system actor's process is being made."""
        child = self._living(name, incarnation)
        if child is not None:
            self._outputs.begun(child)

    # ---- from the journal -------------------------------------------------------------------

    def journal_said(self, life: int, message: Any, now: float) -> None:
        """Anything that the journal's process sent."""
        self._context.timers.now = now
        self._outbox.journal_said(life, message)

    def journal_exited(self, life: int, how: str, now: float) -> None:
        """The journal's process is gone, or could not be made.

        Args:
            how: it ended, to follow "the journal's process".
        """
        self._context.timers.now = now
        self._outbox.journal_exited(life, how)

    def _living(self, name: str, incarnation: int) -> Child | None:
        child = self._context.children.get(name)
        is_it = child is not None and child.incarnation == incarnation and child.has_process
        return child if is_it else None
