"""The processes of systems: started and ended as the tree decides, and what becomes of
them told to it. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from actors.messages import (
    NORMAL_EXIT,
    FailureCode,
    Reason,
    StopSystem,
    SystemBegun,
    SystemStarted,
    SystemStartFailed,
)
from supervisor.core.actions import ForgetActor, KillActor, TellActor
from supervisor.core.child import Child, why_down
from supervisor.core.child_orders import ChildOrders
from supervisor.core.context import Context
from supervisor.core.crash_reports import report_crash
from supervisor.core.exits import ProcessExit
from supervisor.core.making import Making
from supervisor.core.router import Router
from supervisor.core.watchdog import Watchdog
from supervisor.messages import EventKind, LifecycleEvent
from supervisor.specs.policies import BRUTAL_KILL, as_seconds
from supervisor.tree.decisions import (
    Happened,
    Removed,
    RootEnded,
    Settled,
    StartProcess,
    StopProcess,
    TreeAction,
)
from supervisor.tree.nodes import End, Group, Node, Status, System
from supervisor.tree.tree import Tree

EXIT_GRACE: Final = 1.0
"""Seconds from when a process says that it is about to exit until it is killed, and from
then until it is given up."""


class Lifecycle:
    def __init__(
        self,
        context: Context,
        tree: Tree,
        decided: deque[TreeAction],
        child_orders: ChildOrders,
        router: Router,
        watchdog: Watchdog,
        at_once: int,
    ) -> None:
        """
        Args:
            decided: where the tree puts what it wants done; :meth:`carry_out` does it.
            at_once: processes that are made at a time.
        """
        self._context = context
        self._tree = tree
        self._decided = decided
        self._child_orders = child_orders
        self._router = router
        self._watchdog = watchdog
        self._making = Making(context, at_once, self._is_late)
        self._silent = False
        self.ended: RootEnded | None = None
        """Set once the whole tree is down."""

    def hear(self, event: LifecycleEvent) -> None:
        if event.kind is EventKind.HUNG:
            assert event.reason is not None
            self.told_of_crash(self._context.children[event.system_name], event.reason)

    # ---- what the tree wants ----------------------------------------------------------------

    def take_over(self) -> None:
        """Take on the children of a tree that was there before: they are no news."""
        self._silent = True
        self.carry_out()
        self._silent = False

    def carry_out(self) -> None:
        """Do what the tree has decided since the last time."""
        while self._decided:
            action = self._decided.popleft()
            self._context.guard(type(action).__name__, self._do, action)

    def _do(self, action: TreeAction) -> None:
        match action:
            case StartProcess():
                self._start(self._context.children[action.name])
            case StopProcess():
                self._stop(self._context.children[action.name], action.brutal)
            case Happened():
                self._happened(action)
            case Settled():
                self._child_orders.settle(action)
            case Removed():
                self._removed(action)
            case RootEnded():
                self.ended = action

    def _start(self, child: Child) -> None:
        self._making.begin(child)

    def _is_late(self, child: Child, text: str) -> None:
        child.crash = child.crash or Reason("timeout", text)
        self._context.act(KillActor(child.name, child.incarnation))
        # It may have died so early that Thespian cannot tell whose exit it saw.
        self.exited(child, None)

    def _stop(self, child: Child, brutal: bool) -> None:
        if self._making.withdraw(child):
            end = End(Reason("exit", "it was stopped before its turn"))
            self._tree.exited(child.name, child.incarnation, end)
            return
        if not child.has_process:
            return
        self._watchdog.forget(child)
        was_up = child.node.up_since < float("inf")
        if brutal or not was_up or child.crashed:
            own_way = child.spec.shutdown == BRUTAL_KILL or not was_up or child.said_stopped
            if not own_way and child.not_stopped is None:
                child.not_stopped = Reason("timeout", "did not stop within the time of its group")
            self._kill(child)
            return
        grace = as_seconds(child.spec.shutdown)
        self._context.act(TellActor(child.name, child.incarnation, StopSystem(grace)))
        late = Reason("timeout", f"did not disconnect within {grace:g} s")
        self._kill_later(child, grace, late)

    def _happened(self, happened: Happened) -> None:
        if not self._silent:
            self._context.publish(happened)
        node = self._tree.nodes.get(happened.system_name)
        if node is None:
            return
        children = self._context.children
        if happened.kind is EventKind.REGISTERED and isinstance(node, System):
            by_spec = node.spec.connect
            child = Child(node=node, wanted=by_spec, connect_by_spec=by_spec)
            children.setdefault(node.name, child)
        if happened.kind is EventKind.CHANGED and isinstance(node, System):
            self._spec_changed(children[node.name])
        if happened.kind is EventKind.RESTARTING and happened.delay:
            self._fail_what_would_wait_long(node, happened.reason, happened.delay)
        for each in node.walk() if isinstance(node, Group) else (node,):
            self._fail_what_waits(each)

    def _spec_changed(self, child: Child) -> None:
        """What its new spec says of its connection is the last word about that, if it says
        something new. A connection that it has is kept."""
        by_spec = child.spec.connect
        if by_spec != child.connect_by_spec:
            child.wanted = child.connect_by_spec = by_spec
            self._router.touch(child)

    def _fail_what_waits(self, node: Node) -> None:
        """Answer what waits for a system to come up that does not, or not soon."""
        child = self._context.children.get(node.name)
        if child is None:
            return
        if not node.is_coming and not child.has_process:
            self._router.fail_open(child, FailureCode.UNAVAILABLE, why_down(child.node))
            return
        cause = node.held_up_by
        round_ = cause.parent.round if cause is not None and cause.parent is not None else None
        if round_ is not None and cause is not node and round_.not_before > self._context.now:
            assert cause is not None
            after = round_.not_before - self._context.now
            self._fail_queued(child, f"stopped, as {cause.name} is restarted", after)

    def _fail_what_would_wait_long(self, cause: Node, reason: Reason | None, after: float) -> None:
        """Answer what is to be sent to a system that is restarted after a while, and to those
        that are restarted with it."""
        crashed = self._context.children.get(cause.name)
        if crashed is not None:
            text = f"crashed ({reason.text})" if reason else "crashed"
            self._router.fail_queued_data(crashed, FailureCode.SYSTEM_CRASHED, text, after)
        group = cause.parent if cause.parent is not None and cause.parent.round else cause
        for node in group.walk() if isinstance(group, Group) else ():
            child = self._context.children.get(node.name)
            if child is not None and child is not crashed and node.held_up_by is cause:
                self._fail_queued(child, f"stopped, as {cause.name} is restarted", after)

    def _fail_queued(self, child: Child, text: str, after: float) -> None:
        if not child.is_running:  # what runs still takes what it can
            self._router.fail_queued_data(child, FailureCode.UNAVAILABLE, text, after)

    def _removed(self, removed: Removed) -> None:
        child = self._context.children.pop(removed.node.name, None)
        if child is not None:
            text = "the system is gone: it was unregistered, or could not be built"
            self._router.fail_open(child, FailureCode.UNAVAILABLE, text)

    # ---- what becomes of processes ----------------------------------------------------------

    def begun(self, child: Child, message: SystemBegun) -> None:
        """Its process is there."""
        child.pid = message.pid
        self._making.begun(child)

    def started(self, child: Child, message: SystemStarted) -> None:
        """It is built. It takes requests, unless it is to be stopped at once."""
        self._making.done(child)
        child.pid = message.pid
        child.commands = message.commands
        self._tree.started(child.name, child.incarnation)
        self.carry_out()
        if child.is_running:
            self._watchdog.watch(child)

    def start_failed(self, child: Child, message: SystemStartFailed) -> None:
        """It could not be built."""
        child.start_code, child.unreachable = message.code, message.unreachable
        self.told_of_crash(child, message.reason)

    def told_of_crash(self, child: Child, reason: Reason) -> None:
        """It waits to be killed: its exit, noticed as for any other, decides what follows."""
        child.crash = child.crash or reason
        child.crashed = True
        self._watchdog.forget(child)
        self._kill(child)

    def stopped(self, child: Child, why_not: Reason | None) -> None:
        """It has disconnected, or could not, and is about to exit by itself."""
        child.said_stopped = True
        child.not_stopped = child.not_stopped or why_not
        self._kill_later(child, EXIT_GRACE)

    def exited(self, child: Child, how: ProcessExit | None) -> None:
        """Its process is gone."""
        silent = Reason("exit", "its process ended without a word")
        reason = child.crash or (how and how.reason()) or silent
        status = child.node.status
        wrong = _shutdown_error(child, how) if status is Status.STOPPING else None
        if child.crash is not None or child.killed:
            how = None  # it was killed for what is known already
        # OTP: normal, or of a constructor ignore.
        normal = reason.kind == NORMAL_EXIT and status in (Status.STARTING, Status.UP)
        self._watchdog.forget(child)
        child.look_at_tally(self._context.doors)
        self._context.act(ForgetActor(child.name, child.incarnation))
        child.has_process = child.is_connected = child.crashed = False
        code, text = FailureCode.UNAVAILABLE, "the system was stopped"
        if normal:
            text = f"the system ended by itself ({reason.text})"
            name, incarnation = child.name, child.incarnation
            self._context.publish(Happened(EventKind.STOPPED, name, incarnation, reason))
        elif status is not Status.STOPPING:
            code, text = FailureCode.SYSTEM_CRASHED, f"crashed ({reason.text})"
            report_crash(self._context, child, reason, how)
        elif wrong is not None:
            reason = attrs.evolve(wrong, text=f"while it was stopped: {wrong.text}")
            report_crash(self._context, child, reason, how)
        self._router.fail_delivered(child, code, text)
        child.close_tally()
        self._making.done(child)
        code = child.start_code or FailureCode.SYSTEM_CRASHED
        in_order = normal or (status is Status.STOPPING and wrong is None)
        end = End(reason, normal=in_order, unreachable=child.unreachable, code=code)
        self._tree.exited(child.name, child.incarnation, end)
        self.carry_out()

    # ---- ending a process -------------------------------------------------------------------

    def _kill_later(self, child: Child, delay: float, late: Reason | None = None) -> None:
        """
        Args:
            late: what it is killed for, unless it has said by then that it stopped.
        """
        incarnation = child.incarnation

        def kill() -> None:
            if child.has_process and child.incarnation == incarnation:
                if not child.said_stopped:
                    child.not_stopped = child.not_stopped or late
                self._kill(child)

        self._context.timers.after(delay, kill)

    def _kill(self, child: Child) -> None:
        """Kill it, and go on without it if even that is not noticed to end it: a process
        in an uninterruptible call, or one that died before Thespian knew its address."""
        incarnation = child.incarnation
        child.killed = True
        self._context.act(KillActor(child.name, incarnation))

        def abandon() -> None:
            if child.has_process and child.incarnation == incarnation:
                self._context.publish(Happened(EventKind.ABANDONED, child.name, incarnation))
                self.exited(child, None)

        self._context.timers.after(EXIT_GRACE, abandon)


def _shutdown_error(child: Child, how: ProcessExit | None) -> Reason | None:
    """Why a system that was told to stop did not end as it should: OTP's ``shutdown_error``.
    None if it did."""
    known = child.crash or child.not_stopped
    if known is not None or child.killed or how is None or how.is_normal:
        return known
    return None if how.told_to else how.reason()
