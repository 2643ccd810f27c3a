"""The processes of systems: started and ended as the tree decides, and what becomes of
them told to it. Pure."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from actors.messages import (
    NORMAL_EXIT,
    FailureCode,
    Reason,
    Reply,
    StopSystem,
    SystemStarted,
    SystemStartFailed,
)
from supervisor.core.actions import CoreAction, ForgetActor, KillActor, Log, StartActor, TellActor
from supervisor.core.child import Child, why_down
from supervisor.core.crash_reports import CrashReports
from supervisor.core.doors import Doors
from supervisor.core.events import Events
from supervisor.core.exits import ProcessExit
from supervisor.core.keepers import Keepers
from supervisor.core.orders import Order, Orders
from supervisor.core.router import Router
from supervisor.core.watchdog import Watchdog
from supervisor.messages import (
    ChildStarted,
    ChildTerminated,
    EventKind,
    RegisterSystem,
    RestartChild,
    RestartSystem,
    StartChild,
    SystemRegistered,
    SystemRestarted,
    SystemUnregistered,
    UnregisterSystem,
)
from supervisor.messages.record import ChildKept
from supervisor.specs.policies import as_seconds
from supervisor.timing.timers import Timers
from supervisor.tree.decisions import (
    Happened,
    Removed,
    RootEnded,
    Settled,
    StartProcess,
    StopProcess,
    TreeAction,
)
from supervisor.tree.nodes import (
    End,
    Group,
    Node,
    StartedBy,
    Status,
    System,
)
from supervisor.tree.tree import Tree

EXIT_GRACE: Final = 1.0
"""Seconds from when a process says that it is about to exit until it is killed, and from
then until it is given up."""


class Lifecycle:
    def __init__(
        self,
        children: dict[str, Child],
        router: Router,
        timers: Timers,
        events: Events,
        orders: Orders,
        keepers: Keepers,
        crash_reports: CrashReports,
        act: Callable[[CoreAction], None],
        doors: Doors,
    ) -> None:
        self._children = children
        self._router = router
        self._timers = timers
        self._events = events
        self._orders = orders
        self._keepers = keepers
        self._crash_reports = crash_reports
        self._act = act
        self._doors = doors
        self._decided: deque[TreeAction] = deque()
        self._silent = False
        self.tree: Tree
        self.watchdog: Watchdog
        """Both set before anything else is called."""
        self.ended: RootEnded | None = None
        """Set once the whole tree is down."""

    def decide(self, action: TreeAction) -> None:
        """Something that the tree wants done; :meth:`carry_out` does it."""
        self._decided.append(action)

    def take_over(self, now: float) -> None:
        """Take on the children of a tree that was there before: they are no news."""
        self._silent = True
        self.carry_out(now)
        self._silent = False

    def carry_out(self, now: float) -> None:
        """Do what the tree has decided since the last time."""
        while self._decided:
            self._do(self._decided.popleft(), now)

    def _do(self, action: TreeAction, now: float) -> None:
        match action:
            case StartProcess():
                self._start(self._children[action.name], now)
            case StopProcess():
                self._stop(self._children[action.name], action.brutal, now)
            case Happened():
                self._happened(action, now)
            case Settled():
                self._settle(action)
            case Removed():
                self._removed(action, now)
            case RootEnded():
                self.ended = action

    # ---- what the tree wants ----------------------------------------------------------------

    def _start(self, child: Child, now: float) -> None:
        child.begin()
        incarnation = child.incarnation
        definition = child.spec.definition()
        self._act(StartActor(child.name, incarnation, definition, child.spec.mailbox_size))

        def run_out(then: float) -> None:
            node = child.node
            if node.incarnation == incarnation and node.status is Status.STARTING:
                text = f"not built within {child.spec.start_timeout:g} s"
                child.crash = child.crash or Reason("timeout", text)
                self._act(KillActor(child.name, incarnation))
                # It may have died so early that Thespian cannot tell whose exit it saw.
                self.exited(child, None, then)

        self._timers.add(now + child.spec.start_timeout, run_out)

    def _stop(self, child: Child, brutal: bool, now: float) -> None:
        if not child.has_process:
            return
        self.watchdog.forget(child)
        was_up = child.node.up_since < float("inf")
        if brutal or not was_up or child.crashed:
            self._kill(child, now)
            return
        grace = as_seconds(child.spec.shutdown)
        self._act(TellActor(child.name, child.incarnation, StopSystem(grace)))
        self._kill_later(child, grace, now)

    def _happened(self, event: Happened, now: float) -> None:
        if not self._silent:
            self._events.publish(
                event.name, event.incarnation, event.kind, event.reason, delay=event.delay
            )
        node = self.tree.nodes.get(event.name)
        if node is None:
            return
        self._keep(node, event.kind)
        if event.kind is EventKind.REGISTERED and isinstance(node, System):
            self._children.setdefault(node.name, Child(node=node, wanted=node.spec.connect))
        child = self._children.get(event.name)
        match event.kind:
            case EventKind.QUARANTINED:
                assert event.reason is not None
                self._crash_reports.loop_ended(event.name, now)
                self._say_quarantined(event.name, event.reason)
            case EventKind.RESTARTING if child is not None and event.delay:
                text = f"crashed ({event.reason.text})" if event.reason else "crashed"
                self._router.fail_queued_data(child, FailureCode.SYSTEM_CRASHED, text)
            case EventKind.GAVE_UP:
                self._say_gave_up(event.name, event.reason)
        for each in node.walk() if isinstance(node, Group) else (node,):
            self._fail_what_waits(each)

    def _fail_what_waits(self, node: Node) -> None:
        """Answer what waits for a system to come up that does not, or not soon."""
        child = self._children.get(node.name)
        if child is not None and not node.is_coming and not child.has_process:
            self._router.fail_open(child, FailureCode.UNAVAILABLE, why_down(child.node))

    def _keep(self, node: Node, kind: EventKind) -> None:
        self._keepers.touch(node)
        if kind is EventKind.REGISTERED:
            self._note(node)
        elif kind is EventKind.CHANGED and isinstance(node, Group):
            # What is noted becomes the last of its group: all of them, in what may be a
            # new order. The group of a system that was changed is said to be changed, too.
            siblings = (node,) if node.parent is None else node.parent.children.values()
            for each in (*siblings, *node.children.values()):
                self._note(each)

    def _note(self, node: Node) -> None:
        above = node.parent.name if node.parent is not None else None
        self._keepers.note(ChildKept(node.spec, above))

    def _say_quarantined(self, name: str, reason: Reason) -> None:
        policy = self.tree.nodes[name].spec.restart
        text = (
            f"{name}: quarantined: more than {policy.max_restarts} crashes within "
            f"{policy.period:g} s, the last: {reason.text}; mend the cause, then restart it"
        )
        self._act(Log(logging.ERROR, text))

    def _say_gave_up(self, name: str, reason: Reason | None) -> None:
        group = self.tree.nodes[name]
        assert isinstance(group, Group)
        text = (
            f"{name}: gave up: more than {group.spec.max_restarts} restarts within "
            f"{group.spec.period:g} s; the last cause: {reason.text if reason else 'unknown'}"
        )
        self._act(Log(logging.ERROR, text))

    def _settle(self, settled: Settled) -> None:
        order: Order = settled.order
        child = self._children.get(settled.name)
        if settled.failure is not None:
            code, text = settled.failure
            if code is FailureCode.CONNECTOR_ERROR:
                text = f"cannot be built: {text}"
                if child is not None:
                    code = child.start_code or FailureCode.SYSTEM_CRASHED
            self._orders.fail(order, code, text)
            return
        self._orders.answer(order, _answer(order, settled, child))

    def _removed(self, removed: Removed, now: float) -> None:
        self._crash_reports.loop_ended(removed.node.name, now)
        self._keepers.forget(removed.node)
        child = self._children.pop(removed.node.name, None)
        if child is not None:
            text = "the system is gone: it was unregistered, or could not be built"
            self._router.fail_open(child, FailureCode.UNAVAILABLE, text)

    # ---- what becomes of processes ----------------------------------------------------------

    def look_at_tally(self, child: Child) -> None:
        """Learn what its process has of its direct clients, if it has any."""
        if child.has_direct_clients:
            child.tallied = self._doors.tally_of(child.name, child.incarnation)

    def started(self, child: Child, message: SystemStarted, now: float) -> None:
        """It is built, and takes requests."""
        child.pid = message.pid
        child.commands = message.commands
        self.tree.started(child.name, child.incarnation, now)
        self.carry_out(now)
        if not child.is_running:
            return
        self.watchdog.watch(child, now)
        if child.wanted:
            self._router.connect_on_its_own(child, now)
        self._router.touch(child)
        self._events.adjust_tap(child)

    def start_failed(self, child: Child, message: SystemStartFailed, now: float) -> None:
        """It could not be built."""
        child.start_code, child.unreachable = message.code, message.unreachable
        self.told_of_crash(child, message.reason, now)

    def told_of_crash(self, child: Child, reason: Reason, now: float) -> None:
        """It waits to be killed: its exit, noticed as for any other, decides what follows."""
        child.crash = child.crash or reason
        child.crashed = True
        self.watchdog.forget(child)
        self._kill(child, now)

    def stopped(self, child: Child, now: float) -> None:
        """It has disconnected and is about to exit by itself."""
        self._kill_later(child, EXIT_GRACE, now)

    def exited(self, child: Child, how: ProcessExit | None, now: float) -> None:
        """Its process is gone."""
        silent = Reason("exit", "its process ended without a word")
        reason = child.crash or (how and how.reason()) or silent
        if child.crash is not None:
            how = None  # it was killed for what is known already
        status = child.node.status
        normal = reason.kind == NORMAL_EXIT and status is Status.UP
        self.watchdog.forget(child)
        self.look_at_tally(child)
        self._act(ForgetActor(child.name, child.incarnation))
        child.has_process = child.is_connected = child.crashed = False
        if status is Status.STOPPING:
            text = "the system was stopped"
            self._router.fail_delivered(child, FailureCode.UNAVAILABLE, text)
        elif normal:
            text = f"the system ended by itself ({reason.text})"
            self._events.publish(child.name, child.incarnation, EventKind.STOPPED, reason)
            self._router.fail_delivered(child, FailureCode.UNAVAILABLE, text)
        else:
            self._crashed(child, reason, how, now)
        child.close_tally()
        end = End(reason, normal=normal, unreachable=child.unreachable)
        self._keepers.touch(child.node)
        self.tree.exited(child.name, child.incarnation, end, now)
        self.carry_out(now)

    def _crashed(self, child: Child, reason: Reason, how: ProcessExit | None, now: float) -> None:
        # A wrong definition is the asker's to mend, who is told; a traceback helps nobody.
        by_hand = child.node.started_by in (StartedBy.NEW, StartedBy.HAND)
        to_log = not (by_hand and child.start_code is FailureCode.INVALID_REQUEST)
        self._crash_reports.report(child, reason, how, now, to_log=to_log)
        text = f"crashed ({reason.text})"
        self._router.fail_delivered(child, FailureCode.SYSTEM_CRASHED, text)

    # ---- ending a process -------------------------------------------------------------------

    def _kill_later(self, child: Child, delay: float, now: float) -> None:
        incarnation = child.incarnation

        def kill(then: float) -> None:
            if child.has_process and child.incarnation == incarnation:
                self._kill(child, then)

        self._timers.add(now + delay, kill)

    def _kill(self, child: Child, now: float) -> None:
        """Kill it, and go on without it if even that is not noticed to end it: a process
        in an uninterruptible call, or one that died before Thespian knew its address."""
        incarnation = child.incarnation
        self._act(KillActor(child.name, incarnation))

        def abandon(then: float) -> None:
            if child.has_process and child.incarnation == incarnation:
                text = f"{child.name}: no exit seen after SIGKILL; going on without it"
                self._act(Log(logging.WARNING, text))
                self._events.publish(child.name, incarnation, EventKind.ABANDONED)
                self.exited(child, None, then)

        self._timers.add(now + EXIT_GRACE, abandon)


def _answer(order: Order, settled: Settled, child: Child | None) -> Reply:
    request_id = order.request.request_id
    name, incarnation = settled.name, settled.incarnation
    match order.request:
        case RegisterSystem():
            commands = child.commands if child is not None else ()
            return SystemRegistered(
                request_id=request_id,
                system_name=name,
                incarnation=incarnation,
                commands=commands,
            )
        case RestartSystem():
            return SystemRestarted(request_id=request_id, system_name=name, incarnation=incarnation)
        case StartChild() | RestartChild():
            return ChildStarted(request_id=request_id, name=name, incarnation=incarnation)
        case UnregisterSystem():
            return SystemUnregistered(request_id=request_id, system_name=name)
    return ChildTerminated(request_id=request_id, name=name)
