"""Every decision of a supervisor: what to start, restart and give up, and whom to answer.

Pure: events go in together with the time, actions come out; no actor, clock or I/O.
Times are seconds of a monotonic clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from random import Random
from typing import Any, Final

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    Reason,
    Reply,
    Report,
    Request,
    StopSystem,
    SystemConnected,
    SystemCrashed,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
    TapData,
    invalid_request,
)
from supervisor.actions import (
    Action,
    Client,
    Finish,
    ForgetChild,
    KillChild,
    Log,
    StartChild,
    TellChild,
    TellClient,
)
from supervisor.checks import mistake_in
from supervisor.child import Child, Group, Pending, Phase, Purpose
from supervisor.messages import (
    AllStatusGiven,
    CancelRequest,
    ConnectAll,
    DataArrived,
    DisconnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    LifecycleEvent,
    RegisterSystem,
    RestartSystem,
    ReturnData,
    StatusGiven,
    StopSupervisor,
    Subscribe,
    Subscribed,
    SupervisorRequest,
    SupervisorStopped,
    SystemRegistered,
    SystemRestarted,
    SystemUnregistered,
    UnregisterSystem,
    Unsubscribe,
    Unsubscribed,
)
from supervisor.options import SupervisorOptions
from supervisor.restarts import RestartHistory, backoff_delay
from supervisor.router import Router
from supervisor.subscriptions import Subscriptions
from supervisor.timers import Timers

EXIT_GRACE: Final = 1.0
"""Seconds from the end of a system's own time to stop until its process is killed."""


class SupervisorCore:
    def __init__(
        self, options: SupervisorOptions, random: Random, wall_clock: Callable[[], float]
    ) -> None:
        """
        Args:
            wall_clock: seconds since the epoch, for the time in events.
        """
        self._options = options
        self._random = random
        self._wall_clock = wall_clock
        self._children: dict[str, Child] = {}
        self._actions: list[Action] = []
        self._timers = Timers()
        self._router = Router(options, self._timers, self._actions.append)
        self._subscriptions = Subscriptions()
        self._sequence = 0
        self._stop_requests: list[tuple[Client, StopSupervisor]] = []
        self._finished = False

    # ---- what the shell asks ----------------------------------------------------------------

    def take_actions(self) -> list[Action]:
        """What is to be done now, in order."""
        self._router.deliver()
        actions = self._actions[:]
        self._actions.clear()
        return actions

    def next_due(self) -> float | None:
        """When :meth:`tick` is to be called next."""
        return self._timers.next_due()

    def tick(self, now: float) -> None:
        """Do what is due."""
        for call in self._timers.due(now):
            call(now)

    # ---- from clients -----------------------------------------------------------------------

    def request(self, client: Client, message: Any, now: float) -> None:
        """Anything a client sent."""
        match message:
            case CancelRequest():
                for request_id in message.request_ids:
                    self._router.cancel(client, request_id)
            case ReturnData():
                child = self._children.get(message.system_name)
                if child is not None and child.phase is Phase.RUNNING:
                    self._router.take_back(child, message.items)
            case Request() | SupervisorRequest():
                mistake = mistake_in(message, self._options.max_payload_bytes)
                if mistake is not None:
                    text = f"{type(message).__name__}: {mistake}"
                    self._actions.append(TellClient(client, invalid_request(message, text)))
                elif isinstance(message, Request):
                    self._to_system(client, message, now)
                else:
                    self._to_supervisor(client, message, now)
            case Reply():
                pass  # an answer to an answer would go round for ever
            case _:
                text = f"a supervisor does not understand {type(message).__name__}"
                self._actions.append(TellClient(client, invalid_request(message, text)))

    def client_gone(self, client: Client) -> None:
        """A client's connection ended."""
        self._router.forget_client(client)
        self._subscriptions.remove(client)
        self._stop_requests = [each for each in self._stop_requests if each[0] != client]
        self._adjust_taps()

    def _to_system(self, client: Client, request: Request, now: float) -> None:
        child = self._children.get(request.system_name)
        if child is None:
            failure = request.failure(FailureCode.UNKNOWN_SYSTEM, self._who_else(request))
            self._actions.append(TellClient(client, failure))
            return
        match request:
            case GetStatus():
                status = StatusGiven(
                    request_id=request.request_id, system_name=child.name, status=child.status(now)
                )
                self._actions.append(TellClient(client, status))
            case UnregisterSystem():
                child.end_waiters.append((client, request))
                self._end(child, Purpose.UNREGISTER, now)
            case RestartSystem():
                self._restart_by_hand(child, client, request, now)
            case _:
                if isinstance(request, DisconnectSystem):
                    child.wanted = False
                self._router.accept(child, client, request, now, group=None)

    def _to_supervisor(self, client: Client, request: SupervisorRequest, now: float) -> None:
        if self._stop_requests and not isinstance(request, GetAllStatus | StopSupervisor):
            failure = request.failure(FailureCode.UNAVAILABLE, "the supervisor is stopping")
            self._actions.append(TellClient(client, failure))
            return
        match request:
            case RegisterSystem():
                self._register(client, request, now)
            case ConnectAll():
                self._to_all(client, request, ConnectSystem, now)
            case DisconnectAll():
                self._to_all(client, request, DisconnectSystem, now)
            case GetAllStatus():
                statuses = tuple(child.status(now) for child in self._children.values())
                reply = AllStatusGiven(request_id=request.request_id, systems=statuses)
                self._actions.append(TellClient(client, reply))
            case Subscribe():
                self._subscriptions.add(client, request)
                self._adjust_taps()
                self._actions.append(
                    TellClient(
                        client,
                        Subscribed(request_id=request.request_id, next_sequence=self._sequence + 1),
                    )
                )
            case Unsubscribe():
                self._subscriptions.remove(client)
                self._adjust_taps()
                self._actions.append(
                    TellClient(client, Unsubscribed(request_id=request.request_id))
                )
            case StopSupervisor():
                self._stop_requests.append((client, request))
                for child in list(self._children.values()):
                    self._end(child, Purpose.STOP, now)
                self._finish_if_empty()

    def _to_all(
        self,
        client: Client,
        request: SupervisorRequest,
        kind: type[ConnectSystem | DisconnectSystem],
        now: float,
    ) -> None:
        group = Group(client, request, len(self._children))
        for child in list(self._children.values()):
            if kind is DisconnectSystem:
                child.wanted = False
            each = kind(child.name, timeout=request.timeout)
            self._router.accept(child, None, each, now, group)
        if not self._children:
            self._router.answer_group(group)

    def _who_else(self, request: Request) -> str:
        close = get_close_matches(request.system_name, self._children, n=1)
        if close:
            return f"no such system; did you mean {close[0]!r}?"
        return "no such system; register it first"

    # ---- starting ---------------------------------------------------------------------------

    def _register(self, client: Client, request: RegisterSystem, now: float) -> None:
        spec = request.spec
        if spec.name in self._children:
            text = f"{spec.name}: there is a system of this name; unregister it first"
            failure = request.failure(FailureCode.DUPLICATE_SYSTEM, text)
            self._actions.append(TellClient(client, failure))
            return
        child = Child(spec, RestartHistory(spec.restart), keep=request.keep, wanted=spec.connect)
        child.start_waiters.append((client, request))
        self._children[spec.name] = child
        self._publish(child, EventKind.REGISTERED)
        self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        child.begin(now)
        incarnation = child.incarnation
        self._actions.append(StartChild(child.name, incarnation, child.spec.definition()))
        self._timers.add(
            now + child.spec.start_timeout,
            lambda then: self._start_ran_out(child, incarnation, then),
        )

    def _start_ran_out(self, child: Child, incarnation: int, now: float) -> None:
        if child.incarnation != incarnation or child.phase is not Phase.STARTING:
            return
        child.crash = Reason("timeout", f"not built within {child.spec.start_timeout:g} s")
        self._actions.append(KillChild(child.name, incarnation))
        # It may have died so early that Thespian cannot tell whose exit it saw.
        self._exited(child, now)

    def _started(self, child: Child, message: SystemStarted, now: float) -> None:
        child.phase = Phase.RUNNING
        child.was_up = True
        child.pid = message.pid
        child.commands = message.commands
        child.started_at = now
        self._publish(child, EventKind.STARTED)
        for client, request in child.start_waiters:
            self._answer_start(child, client, request)
        child.start_waiters.clear()
        if child.wanted:
            self._router.connect_on_its_own(child, now)
        self._router.touch(child)
        self._adjust_tap(child)

    def _answer_start(
        self, child: Child, client: Client, request: Request | SupervisorRequest
    ) -> None:
        reply: Reply
        if isinstance(request, RegisterSystem):
            reply = SystemRegistered(
                request_id=request.request_id,
                system_name=child.name,
                incarnation=child.incarnation,
                commands=child.commands,
            )
        else:
            reply = SystemRestarted(
                request_id=request.request_id,
                system_name=child.name,
                incarnation=child.incarnation,
            )
        self._actions.append(TellClient(client, reply))

    def _fail_start_waiters(self, child: Child, code: FailureCode, text: str) -> None:
        for client, request in child.start_waiters:
            failure = Failure(
                request_id=request.request_id,
                system_name=child.name,
                code=code,
                text=f"{child.name}: {text}",
            )
            self._actions.append(TellClient(client, failure))
        child.start_waiters.clear()

    # ---- from system actors -----------------------------------------------------------------

    def child_said(self, name: str, incarnation: int, message: Any, now: float) -> None:
        """Anything a system actor sent; stale words of an earlier incarnation change nothing."""
        child = self._children.get(name)
        if child is None or child.incarnation != incarnation or not child.has_process:
            return
        match message:
            case SystemStarted() if child.phase is Phase.STARTING:
                self._started(child, message, now)
            case SystemStartFailed() if child.phase is Phase.STARTING:
                child.start_code = message.code
                self._told_of_crash(child, message.reason, now)
            case SystemCrashed():
                self._told_of_crash(child, message.reason, now)
            case Report():
                self._report(child, message, now)
            case SystemStopped():
                self._kill_later(child, EXIT_GRACE, now)

    def _report(self, child: Child, report: Report, now: float) -> None:
        child.taken = max(child.taken, report.taken)
        was_connected = child.is_connected
        child.is_connected = report.is_connected
        if report.is_connected != was_connected:
            kind = EventKind.CONNECTED if report.is_connected else EventKind.DISCONNECTED
            self._publish(child, kind)
        for ref, reply in report.replies:
            pending = self._router.settle(child, ref, reply)
            if pending is not None and isinstance(pending.request, ConnectSystem):
                self._connect_ended(child, pending, reply, now)
        if report.tapped:
            child.received += len(report.tapped)
            for client in self._subscriptions.for_data(child.name):
                self._actions.append(TellClient(client, DataArrived(child.name, report.tapped)))
        self._router.touch(child)

    def _connect_ended(self, child: Child, pending: Pending, reply: Reply, now: float) -> None:
        if isinstance(reply, SystemConnected):
            child.wanted = True
            child.connect_failures = 0
        elif pending.own and isinstance(reply, Failure) and child.wanted:
            self._connect_later(child, reply.text, now)

    def _connect_later(self, child: Child, why: str, now: float) -> None:
        child.connect_failures += 1
        delay = backoff_delay(child.spec.reconnect, child.connect_failures, self._random)
        level = logging.WARNING if child.connect_failures == 1 else logging.DEBUG
        self._actions.append(Log(level, f"{why}; connecting again until it works"))
        incarnation = child.incarnation
        self._timers.add(now + delay, lambda then: self._connect_again(child, incarnation, then))

    def _connect_again(self, child: Child, incarnation: int, now: float) -> None:
        if (
            child.incarnation == incarnation
            and child.phase is Phase.RUNNING
            and child.wanted
            and not child.is_connected
        ):
            self._router.connect_on_its_own(child, now)

    # ---- ending -----------------------------------------------------------------------------

    def _told_of_crash(self, child: Child, reason: Reason, now: float) -> None:
        """It waits to be killed: its exit, noticed as for any other, decides what follows."""
        child.crash = reason
        if child.phase is not Phase.ENDING:
            child.phase, child.purpose = Phase.ENDING, Purpose.CRASH
        self._kill(child, now)

    def child_exited(self, name: str, incarnation: int, how: Reason | None, now: float) -> None:
        """A system actor's process is gone.

        Args:
            how: what ended it, as far as the shell can tell.
        """
        child = self._children.get(name)
        if child is None or child.incarnation != incarnation or not child.has_process:
            return
        if child.crash is None:
            child.crash = how or Reason("exit", "its process ended without a word")
        self._exited(child, now)

    def _exited(self, child: Child, now: float) -> None:
        purpose = child.purpose or Purpose.CRASH
        reason = child.crash or Reason("exit", "its process ended without a word")
        self._actions.append(ForgetChild(child.name, child.incarnation))
        child.is_connected = False
        if purpose is Purpose.CRASH:
            self._crashed(child, reason, now)
            return
        self._publish(child, EventKind.STOPPED)
        self._router.fail_delivered(child, FailureCode.UNAVAILABLE, "the system was stopped")
        if purpose is Purpose.RESTART:
            self._start(child, now)
        else:
            self._remove(child)

    def _crashed(self, child: Child, reason: Reason, now: float) -> None:
        never_built = not child.was_up and not child.keep
        child.last_crash = reason
        self._publish(child, EventKind.CRASHED, reason)
        self._actions.append(Log(logging.ERROR, _crash_text(child.name, child.incarnation, reason)))
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
        self._publish(child, EventKind.RESTARTING, delay=delay)
        if delay == 0.0:
            self._start(child, now)
            return
        child.phase = Phase.WAITING
        self._router.fail_queued_data(child, FailureCode.SYSTEM_CRASHED, text)
        incarnation = child.incarnation
        self._timers.add(now + delay, lambda then: self._waited(child, incarnation, then))

    def _waited(self, child: Child, incarnation: int, now: float) -> None:
        if child.phase is Phase.WAITING and child.incarnation == incarnation:
            self._start(child, now)

    def _quarantine(self, child: Child, reason: Reason) -> None:
        child.phase = Phase.QUARANTINED
        policy = child.spec.restart
        text = (
            f"quarantined: more than {policy.max_restarts} crashes within {policy.period:g} s, "
            f"the last: {reason.text}"
        )
        self._publish(child, EventKind.QUARANTINED, reason)
        self._actions.append(
            Log(logging.ERROR, f"{child.name}: {text}; mend the cause, then restart it")
        )
        self._fail_start_waiters(child, FailureCode.UNAVAILABLE, text)
        self._router.fail_open(child, FailureCode.UNAVAILABLE, text)

    def _restart_by_hand(
        self, child: Child, client: Client, request: RestartSystem, now: float
    ) -> None:
        if child.end_waiters or self._stop_requests:
            failure = request.failure(FailureCode.UNAVAILABLE, "the system is being stopped")
            self._actions.append(TellClient(client, failure))
            return
        child.start_waiters.append((client, request))
        child.history.clear()
        if child.phase in (Phase.WAITING, Phase.QUARANTINED):
            self._start(child, now)
        elif child.phase is Phase.RUNNING:
            self._end(child, Purpose.RESTART, now)

    def _end(self, child: Child, purpose: Purpose, now: float) -> None:
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
            grace = child.spec.shutdown
            self._actions.append(TellChild(child.name, child.incarnation, StopSystem(grace)))
            self._kill_later(child, grace + EXIT_GRACE, now)
        else:
            self._kill(child, now)

    def _kill_later(self, child: Child, delay: float, now: float) -> None:
        incarnation = child.incarnation

        def kill(then: float) -> None:
            if child.incarnation == incarnation and child.phase is Phase.ENDING:
                self._kill(child, then)

        self._timers.add(now + delay, kill)

    def _kill(self, child: Child, now: float) -> None:
        """Kill it, and go on without it if even that is not noticed to end it: a process
        in an uninterruptible call, or one that died before Thespian knew its address."""
        incarnation = child.incarnation
        self._actions.append(KillChild(child.name, incarnation))

        def abandon(then: float) -> None:
            if child.incarnation == incarnation and child.phase is Phase.ENDING:
                self._actions.append(
                    Log(logging.WARNING, f"{child.name}: no exit seen after SIGKILL; going on")
                )
                self._exited(child, then)

        self._timers.add(now + EXIT_GRACE, abandon)

    def _remove(self, child: Child) -> None:
        text = "the system was unregistered"
        self._router.fail_open(child, FailureCode.UNAVAILABLE, text)
        self._fail_start_waiters(child, FailureCode.UNAVAILABLE, text)
        del self._children[child.name]
        self._publish(child, EventKind.UNREGISTERED)
        for client, request in child.end_waiters:
            reply = SystemUnregistered(request_id=request.request_id, system_name=child.name)
            self._actions.append(TellClient(client, reply))
        self._finish_if_empty()

    def _finish_if_empty(self) -> None:
        if self._stop_requests and not self._children and not self._finished:
            self._finished = True
            for client, request in self._stop_requests:
                reply = SupervisorStopped(request_id=request.request_id)
                self._actions.append(TellClient(client, reply))
            self._actions.append(Finish())

    # ---- telling ----------------------------------------------------------------------------

    def _publish(
        self,
        child: Child,
        kind: EventKind,
        reason: Reason | None = None,
        delay: float | None = None,
    ) -> None:
        self._sequence += 1
        event = LifecycleEvent(
            sequence=self._sequence,
            time=self._wall_clock(),
            kind=kind,
            system_name=child.name,
            incarnation=child.incarnation,
            reason=reason,
            delay=delay,
        )
        for client in self._subscriptions.for_lifecycle():
            self._actions.append(TellClient(client, event))

    def _adjust_taps(self) -> None:
        for child in self._children.values():
            self._adjust_tap(child)

    def _adjust_tap(self, child: Child) -> None:
        wanted = self._subscriptions.wants_data(child.name)
        if child.phase is Phase.RUNNING and wanted != child.tapped:
            child.tapped = wanted
            self._actions.append(TellChild(child.name, child.incarnation, TapData(wanted)))


def _crash_text(name: str, incarnation: int, reason: Reason) -> str:
    text = f"{name}: incarnation {incarnation} crashed: {reason.text}"
    return f"{text}\n{reason.traceback}" if reason.traceback else text
