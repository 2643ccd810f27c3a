"""The lives of system actors: started, crashed, restarted, given up, ended. Pure.

Restarts follow OTP's ``one_for_one`` supervisor; each system has a budget of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Final

from actors.messages import (
    Failure,
    FailureCode,
    Reason,
    Reply,
    Request,
    StopSystem,
    SystemConnected,
    SystemStarted,
)
from supervisor.actions import (
    Action,
    Client,
    ForgetActor,
    KillActor,
    Log,
    StartActor,
    TellActor,
    TellClient,
)
from supervisor.announcer import Announcer
from supervisor.child import Child, Pending, Phase, Purpose
from supervisor.messages import (
    EventKind,
    RegisterSystem,
    RestartSystem,
    SupervisorRequest,
    SystemRegistered,
    SystemRestarted,
    SystemUnregistered,
    UnregisterSystem,
)
from supervisor.orders import Order, Orders
from supervisor.policies import as_seconds
from supervisor.restarts import RestartHistory, backoff_delay
from supervisor.router import Router
from supervisor.timers import Timers

EXIT_GRACE: Final = 1.0
"""Seconds from the end of a system's own time to stop until its process is killed, and
from then until it is given up."""


class Lifecycle:
    def __init__(
        self,
        children: dict[str, Child],
        router: Router,
        timers: Timers,
        announcer: Announcer,
        orders: Orders,
        request_timeout: float,
        act: Callable[[Action], None],
        random: Random,
    ) -> None:
        self._children = children
        self._router = router
        self._timers = timers
        self._announcer = announcer
        self._orders = orders
        self._request_timeout = request_timeout
        self._act = act
        self._random = random
        router.own_connect_failed = self._own_connect_failed

    # ---- starting ---------------------------------------------------------------------------

    def register(self, client: Client, request: RegisterSystem, now: float) -> None:
        spec = request.spec
        if spec.name in self._children:
            text = f"{spec.name}: there is a system of this name; unregister it first"
            failure = request.failure(FailureCode.ALREADY_STARTED, text)
            self._act(TellClient(client, failure))
            return
        child = Child(spec, RestartHistory(spec.restart), keep=request.keep, wanted=spec.connect)
        self._await_start(child, client, request, now)
        self._children[spec.name] = child
        self._announcer.publish(child, EventKind.REGISTERED)
        self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        child.begin(now)
        incarnation = child.incarnation
        self._act(StartActor(child.name, incarnation, child.spec.definition()))
        self._timers.add(
            now + child.spec.start_timeout,
            lambda then: self._start_ran_out(child, incarnation, then),
        )

    def _start_ran_out(self, child: Child, incarnation: int, now: float) -> None:
        if not child.is_still(incarnation, Phase.STARTING):
            return
        child.crash = Reason("timeout", f"not built within {child.spec.start_timeout:g} s")
        self._act(KillActor(child.name, incarnation))
        # It may have died so early that Thespian cannot tell whose exit it saw.
        self.exited(child, now)

    def started(self, child: Child, message: SystemStarted, now: float) -> None:
        child.phase = Phase.RUNNING
        child.was_up = True
        child.pid = message.pid
        child.commands = message.commands
        child.started_at = now
        self._announcer.publish(child, EventKind.STARTED)
        for order in child.start_waiters:
            self._answer_start(child, order)
        child.start_waiters.clear()
        if child.wanted:
            self._router.connect_on_its_own(child, now)
        self._router.touch(child)
        self._announcer.adjust_tap(child)

    def _await_start(
        self, child: Child, client: Client, request: Request | SupervisorRequest, now: float
    ) -> None:
        patience = (
            self._request_timeout + as_seconds(child.spec.shutdown) + child.spec.start_timeout
        )
        order = self._orders.open(client, request, child.name, patience, now)
        child.start_waiters.append(order)

    def _answer_start(self, child: Child, order: Order) -> None:
        reply: Reply
        if isinstance(order.request, RegisterSystem):
            reply = SystemRegistered(
                request_id=order.request.request_id,
                system_name=child.name,
                incarnation=child.incarnation,
                commands=child.commands,
            )
        else:
            reply = SystemRestarted(
                request_id=order.request.request_id,
                system_name=child.name,
                incarnation=child.incarnation,
            )
        self._orders.answer(order, reply)

    def _fail_start_waiters(self, child: Child, code: FailureCode, text: str) -> None:
        for order in child.start_waiters:
            self._orders.fail(order, code, text)
        child.start_waiters.clear()

    # ---- connecting on its own account ------------------------------------------------------

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
        held = now - child.connected_at >= child.spec.reconnect.backoff_max
        child.connect_failures = 0 if held else child.connect_failures + 1
        child.last_error = f"{child.name}: lost its connection"
        self._connect_later(child, child.last_error, now)

    def _own_connect_failed(self, child: Child, why: str, now: float) -> None:
        if child.wanted:
            child.connect_failures += 1
            self._connect_later(child, why, now)

    def _connect_later(self, child: Child, why: str, now: float) -> None:
        delay = backoff_delay(child.spec.reconnect, child.connect_failures, self._random)
        level = logging.DEBUG if child.connect_failures > 1 else logging.WARNING
        self._act(Log(level, f"{why}; connecting again until it works"))
        incarnation = child.incarnation
        self._timers.add(now + delay, lambda then: self._connect_again(child, incarnation, then))

    def _connect_again(self, child: Child, incarnation: int, now: float) -> None:
        still = child.is_still(incarnation, Phase.RUNNING)
        if still and child.wanted and not child.is_connected:
            self._router.connect_on_its_own(child, now)

    # ---- ending -----------------------------------------------------------------------------

    def told_of_crash(self, child: Child, reason: Reason, now: float) -> None:
        """It waits to be killed: its exit, noticed as for any other, decides what follows."""
        child.crash = reason
        if child.phase is not Phase.ENDING:
            child.phase, child.purpose = Phase.ENDING, Purpose.CRASH
        self._kill(child, now)

    def exited(self, child: Child, now: float) -> None:
        purpose = child.purpose or Purpose.CRASH
        reason = child.crash or Reason("exit", "its process ended without a word")
        self._act(ForgetActor(child.name, child.incarnation))
        child.is_connected = False
        if purpose is Purpose.CRASH:
            self._crashed(child, reason, now)
            return
        self._announcer.publish(child, EventKind.STOPPED)
        self._router.fail_delivered(child, FailureCode.UNAVAILABLE, "the system was stopped")
        if purpose is Purpose.RESTART:
            self._start(child, now)
        else:
            self._remove(child)

    def _crashed(self, child: Child, reason: Reason, now: float) -> None:
        never_built = not child.was_up and not child.keep
        child.last_crash = reason
        self._announcer.publish(child, EventKind.CRASHED, reason)
        # A wrong definition is the asker's to mend, who is told; a traceback helps nobody.
        if child.start_code is not FailureCode.INVALID_REQUEST:
            self._act(Log(logging.ERROR, _crash_text(child.name, child.incarnation, reason)))
        text = f"crashed ({reason.text})"
        self._router.fail_delivered(child, FailureCode.SYSTEM_CRASHED, text)
        if never_built:
            code = child.start_code or FailureCode.SYSTEM_CRASHED
            self._fail_start_waiters(child, code, f"cannot be built: {reason.text}")
            self._remove(child)
            return
        delay = child.history.next_delay(now, self._random)
        if delay is None:
            self._quarantine(child, reason)
            return
        child.restarts += 1
        self._announcer.publish(child, EventKind.RESTARTING, delay=delay)
        if delay == 0.0:
            self._start(child, now)
            return
        child.phase = Phase.WAITING
        self._router.fail_queued_data(child, FailureCode.SYSTEM_CRASHED, text)
        incarnation = child.incarnation
        self._timers.add(now + delay, lambda then: self._waited(child, incarnation, then))

    def _waited(self, child: Child, incarnation: int, now: float) -> None:
        if child.is_still(incarnation, Phase.WAITING):
            self._start(child, now)

    def _quarantine(self, child: Child, reason: Reason) -> None:
        child.phase = Phase.QUARANTINED
        policy = child.spec.restart
        text = (
            f"quarantined: more than {policy.max_restarts} crashes within {policy.period:g} s, "
            f"the last: {reason.text}"
        )
        self._announcer.publish(child, EventKind.QUARANTINED, reason)
        self._act(Log(logging.ERROR, f"{child.name}: {text}; mend the cause, then restart it"))
        self._fail_start_waiters(child, FailureCode.UNAVAILABLE, text)
        self._router.fail_open(child, FailureCode.UNAVAILABLE, text)

    def restart_by_hand(
        self, child: Child, client: Client, request: RestartSystem, now: float
    ) -> None:
        if child.end_waiters or child.purpose is Purpose.STOP:
            failure = request.failure(FailureCode.UNAVAILABLE, "the system is being stopped")
            self._act(TellClient(client, failure))
            return
        self._await_start(child, client, request, now)
        child.history.clear()
        if child.phase in (Phase.WAITING, Phase.QUARANTINED):
            self._start(child, now)
        elif child.phase is Phase.RUNNING:
            self.end(child, Purpose.RESTART, now)

    def unregister(
        self, child: Child, client: Client, request: UnregisterSystem, now: float
    ) -> None:
        patience = self._request_timeout + as_seconds(child.spec.shutdown)
        child.end_waiters.append(self._orders.open(client, request, child.name, patience, now))
        self.end(child, Purpose.UNREGISTER, now)

    def end(self, child: Child, purpose: Purpose, now: float) -> None:
        """Have a child's process stop, gently first; a later purpose outdoes an earlier one."""
        if not child.has_process:
            self._router.fail_open(child, FailureCode.UNAVAILABLE, "the system is being stopped")
            self._remove(child)
            return
        was_ending = child.phase is Phase.ENDING
        started = child.phase is Phase.RUNNING
        child.phase, child.purpose = Phase.ENDING, purpose
        if was_ending:
            return
        if started:
            grace = as_seconds(child.spec.shutdown)
            self._act(TellActor(child.name, child.incarnation, StopSystem(grace)))
            self._kill_later(child, grace + EXIT_GRACE, now)
        else:
            self._kill(child, now)

    def stopped(self, child: Child, now: float) -> None:
        """It has disconnected and is about to exit by itself."""
        self._kill_later(child, EXIT_GRACE, now)

    def _kill_later(self, child: Child, delay: float, now: float) -> None:
        incarnation = child.incarnation

        def kill(then: float) -> None:
            if child.is_still(incarnation, Phase.ENDING):
                self._kill(child, then)

        self._timers.add(now + delay, kill)

    def _kill(self, child: Child, now: float) -> None:
        """Kill it, and go on without it if even that is not noticed to end it: a process
        in an uninterruptible call, or one that died before Thespian knew its address."""
        incarnation = child.incarnation
        self._act(KillActor(child.name, incarnation))

        def abandon(then: float) -> None:
            if child.is_still(incarnation, Phase.ENDING):
                self._act(
                    Log(logging.WARNING, f"{child.name}: no exit seen after SIGKILL; going on")
                )
                self._announcer.publish(child, EventKind.ABANDONED)  # heartbeats wiring
                self.exited(child, then)

        self._timers.add(now + EXIT_GRACE, abandon)

    def _remove(self, child: Child) -> None:
        text = "the system is gone: it was unregistered, or could not be built"
        if child.purpose is Purpose.STOP:
            text = "the supervisor was stopped"
        self._router.fail_open(child, FailureCode.UNAVAILABLE, text)
        self._fail_start_waiters(child, FailureCode.UNAVAILABLE, text)
        child.phase = Phase.GONE
        del self._children[child.name]
        self._announcer.publish(child, EventKind.UNREGISTERED)
        for order in child.end_waiters:
            request_id = order.request.request_id
            reply = SystemUnregistered(request_id=request_id, system_name=child.name)
            self._orders.answer(order, reply)


def _crash_text(name: str, incarnation: int, reason: Reason) -> str:
    text = f"{name}: incarnation {incarnation} crashed: {reason.text}"
    return f"{text}\n{reason.traceback}" if reason.traceback else text
