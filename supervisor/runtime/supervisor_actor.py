"""The supervisor as a Thespian actor: a thin shell around :mod:`supervisor.core.core`.

Messages and clients' requests go into the core, its actions are carried out here.
"""

from __future__ import annotations

import heapq
import logging
import os
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, ParamSpec

from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)

from actors import loggers
from actors.errors import describe
from actors.messages import (
    FailureCode,
    HeartbeatAnswered,
    Reason,
    Reply,
    Report,
    SystemBegun,
    SystemCrashed,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
    invalid_request,
)
from actors.processes.actor_start import begin_actor
from actors.processes.forking import prepare_kind, prepare_loop, share_memory_with_forks
from actors.processes.shortages import in_words
from actors.system_actor.actor import SystemActor
from actors.unix_base import creation_error, never_wait, prepare_children, use_nursery
from actors.unix_base.kernel.private_directory import NotPrivateError
from actors.wire.front_door import Arrived, DoorClient, WatchedDoor
from supervisor.core.actions import (
    Client,
    CoreAction,
    Finish,
    ForgetActor,
    KillActor,
    KillJournal,
    Log,
    StartActor,
    StartJournal,
    TellActor,
    TellClient,
    TellJournal,
)
from supervisor.core.core import SupervisorCore
from supervisor.core.exits import ProcessExit
from supervisor.messages import SupervisorClosing, SupervisorReady
from supervisor.messages.record import ConfigureSupervisor
from supervisor.runtime.actor_handle import ActorClient, ActorHandle, ActorHandles
from supervisor.runtime.doors import DirectoryOfDoors, open_doors
from supervisor.runtime.journal_process import JournalProcess, has_journal
from supervisor.runtime.limits import processes_at_once
from supervisor.runtime.oom import OomCounter
from supervisor.runtime.processes import newest_process
from supervisor.runtime.shortages import require_descriptors
from supervisor.specs.options import SupervisorOptions

P = ParamSpec("P")

_POLL: Final = 0.005
"""Seconds between two looks at the front door where Thespian cannot watch a descriptor."""
_LONGEST_NAP: Final = 3600.0
"""Seconds: a timedelta cannot hold every number."""


class Supervisor(Actor):  # type: ignore[misc]  # Thespian has no types
    """Keeps external systems alive, and routes requests to them by name.

    Create it with ``ActorSystem.createActor(Supervisor)`` and send it the requests of
    :mod:`actors.messages` and :mod:`supervisor.messages`. It never has threads: it forks.
    """

    def __init__(self, capabilities: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._watches = bool((capabilities or {}).get("Thespian Watch Supported"))
        self._core = SupervisorCore(
            SupervisorOptions(), random.Random(), time.time, on_bug=_log_bug
        )
        self._door: WatchedDoor | None = None
        self._doors: DirectoryOfDoors | None = None
        self._starter: ActorAddress | None = None
        """Who configured this supervisor, and may restart it."""
        self._handles = ActorHandles()
        self._journal = JournalProcess(self)
        self._wakeups: list[float] = []
        """When the wakeups asked for come, as a heap."""
        self._core.begin(time.monotonic())
        self._set_up = False
        self._exits = False
        self._oom = OomCounter()

    def receiveMessage(self, message: Any, sender: ActorAddress) -> Any:
        # An exception that left here would make Thespian call again with the same message. One
        # step that fails shall not keep the next from being made: without a wakeup asked for,
        # nothing would run out any more.
        what = type(message).__name__
        if not self._set_up:
            self._set_up = True
            self._guard(what, self._prepare)
        self._guard(what, self._receive, message, sender)
        self._guard(what, self._carry_out)
        self._guard(what, self._schedule)
        if self._door is not None and self._watches:
            return ThespianWatch([self._door.fileno()])
        return None

    def _prepare(self) -> None:
        begin_actor()
        share_memory_with_forks()
        prepare_loop()
        use_nursery(self)
        never_wait(self)  # the core bounds what goes to each system

    def _guard(self, what: str, call: Callable[P, object], *args: P.args, **kw: P.kwargs) -> None:
        try:
            call(*args, **kw)
        except Exception as error:
            _log_bug(what, error)

    # ---- in --------------------------------------------------------------------------

    def _receive(self, message: Any, sender: ActorAddress) -> None:
        now = time.monotonic()
        match message:
            case WatchMessage():
                self._serve_door(now)
            case WakeupMessage():
                heapq.heappop(self._wakeups)
                if not self._watches:
                    self._serve_door(now)
                self._core.tick(now)
                if now >= self._handles.look_at:
                    self._look_for_exits(now)
                    if self._doors is not None and self._door is not None:
                        self._doors.look(self._door)
            case (
                SystemBegun()
                | SystemStarted()
                | SystemStartFailed()
                | SystemCrashed()
                | SystemStopped()
                | Report()
                | HeartbeatAnswered()
            ):
                self._hear_child(message, sender, now)
            case ChildActorExited():
                self._hear_exit(message.childAddress, sender, now)
            case ConfigureSupervisor():
                self._configure(message, sender)
            case ActorExitRequest():
                self._exits = True
                if self._door is not None:
                    self._door.close()
                    self._door = None
                if self._doors is not None:
                    self._doors.close()
                    self._doors = None
            case _ if self._journal.is_it(sender) and not isinstance(message, ActorSystemMessage):
                self._core.journal_said(self._journal.life, message, now)
            case Reply() | ActorSystemMessage():
                pass
            case _:
                self._ask_core(ActorClient(sender, str(sender)), message, now)

    def _ask_core(self, client: ActorClient | DoorClient, message: Any, now: float) -> None:
        try:
            self._core.request(client, message, now)
        except Exception as error:
            # A bug, but the asker shall not wait for ever, nor others suffer for it.
            _log_bug(type(message).__name__, error)
            text = f"{type(message).__name__}: the supervisor failed: {describe(error)}"
            self._do(TellClient(client, invalid_request(message, text)))

    def _serve_door(self, now: float) -> None:
        if self._door is None:
            return
        for event in self._door.serve():
            if isinstance(event, Arrived):
                self._ask_core(event.client, event.message, now)
            else:
                self._guard("a client that left", self._core.client_gone, event.client)

    def _hear_child(
        self,
        message: SystemBegun
        | SystemStarted
        | SystemStartFailed
        | SystemCrashed
        | SystemStopped
        | Report
        | HeartbeatAnswered,
        sender: ActorAddress,
        now: float,
    ) -> None:
        # A name may be registered anew, and its incarnations count from 1 again: only the
        # address tells the last words of an abandoned process from its successor's.
        handle = self._handles.find(message.system_name, message.incarnation)
        if handle is None or handle.address != sender:
            return
        if isinstance(message, SystemBegun | SystemStarted):
            handle.pid = message.pid
        self._core.child_said(message.system_name, message.incarnation, message, now)

    def _hear_exit(self, address: ActorAddress, sender: ActorAddress, now: float) -> None:
        """
        Args:
            sender: the actor itself where it was told to exit, and says so before its process
                ends; else this one, whose base noticed the end of the process.
        """
        if self._exits:
            return  # its systems are told to exit with it
        handle = self._handles.at(address)
        if handle is not None:
            self._tell_exit(handle, now, told_to=sender == address and handle.pid is not None)
            self._handles.look_soon(now)
        elif self._journal.is_it(address):
            self._core.journal_exited(*self._journal.ended(), now)

    def _look_for_exits(self, now: float) -> None:
        self._oom.watch(now)
        for handle in self._handles.look(now):
            self._guard(f"the end of {handle.name}", self._tell_exit, handle, now)
        if self._journal.is_lost:
            self._core.journal_exited(*self._journal.ended(), now)

    def _tell_exit(self, handle: ActorHandle, now: float, told_to: bool = False) -> None:
        # A supervisor has its systems end in another way.
        how = ProcessExit(told_to=True, out_of_memory=False)
        if not told_to:
            how = handle.how_it_ended(now, self._oom)
        self._core.child_exited(handle.name, handle.incarnation, how, now)

    def _configure(self, message: ConfigureSupervisor, sender: ActorAddress) -> None:
        if self._handles or self._door is not None:
            text = "ConfigureSupervisor comes first, and once"
            self.send(sender, invalid_request(message, text))
            return
        if message.socket_path is not None:
            try:
                limit, has_scribe = message.options.max_payload_bytes, message.has_scribe
                self._door, self._doors = open_doors(message.socket_path, limit, has_scribe)
            except (OSError, NotPrivateError) as error:
                text = f"cannot listen on {message.socket_path}: {describe(error)}"
                self.send(sender, invalid_request(message, text))
                return
        try:
            core = SupervisorCore(
                message.options,
                random.Random(),
                time.time,
                message.tree,
                message.record,
                self._doors,
                at_once=processes_at_once(),
                on_bug=_log_bug,
                unread=self._unread,
            )
            core.begin(time.monotonic(), has_journal=has_journal(message.options.state_dir))
        except Exception as error:  # a bug, but whoever waits shall hear of it
            _log().exception("the supervisor cannot begin")
            text = f"the supervisor cannot begin: {describe(error)}"
            self.send(sender, invalid_request(message, text))
            return
        self._core = core
        self._starter = sender
        ready = SupervisorReady(request_id=message.request_id, supervisor_pid=os.getpid())
        self.send(sender, ready)

    # ---- out -------------------------------------------------------------------------

    def _unread(self, client: Client) -> int:
        return 0 if self._door is None else self._door.unread(client)

    def _carry_out(self) -> None:
        # Carrying out one action may make the core decide more.
        while actions := self._core.take_actions():
            for action in actions:
                try:
                    self._do(action)
                except Exception as error:  # the others are owed to others
                    self._fail(action, error)
        if self._door is not None:
            self._door.flush()

    def _do(self, action: CoreAction) -> None:
        match action:
            case StartActor():
                self._start(action)
            case TellActor():
                handle = self._handles.find(action.name, action.incarnation)
                if handle is not None:
                    self.send(handle.address, action.message)
            case KillActor():
                handle = self._handles.find(action.name, action.incarnation)
                if handle is not None:
                    handle.kill()
            case ForgetActor():
                handle = self._handles.find(action.name, action.incarnation)
                if handle is not None:
                    self._handles.remove(handle)
                if self._doors is not None:
                    self._doors.remove(action.name, action.incarnation)
            case StartJournal() | TellJournal() | KillJournal():
                self._journal.do(action)
            case TellClient(client=DoorClient() as client):
                if self._door is not None:
                    self._door.tell(client, action.message)
            case TellClient(client=ActorClient() as client):
                self.send(client.address, action.message)
            case Log():
                _log().log(action.level, "%s", action.text)
            case Finish():
                closing = SupervisorClosing(action.reason, action.exit_code)
                if self._starter is not None:
                    self.send(self._starter, closing)
                if self._door is not None:
                    self._door.tell_for_good(closing)

    def _fail(self, action: CoreAction, error: Exception) -> None:
        if not isinstance(error, OSError):
            _log().exception("%s could not be carried out", type(action).__name__)
        if isinstance(action, StartActor):  # no process will ever tell
            name, incarnation, now = action.name, action.incarnation, time.monotonic()
            why = Reason(type(error).__name__, f"its process did not start: {in_words(error)}")
            failed = SystemStartFailed(name, incarnation, FailureCode.SYSTEM_CRASHED, why)
            self._core.child_said(name, incarnation, failed, now)
            self._core.child_exited(name, incarnation, None, now)
        elif isinstance(action, StartJournal):
            how = f"did not start: {in_words(error)}"
            self._core.journal_exited(action.life, how, time.monotonic())

    def _start(self, action: StartActor) -> None:
        require_descriptors()
        start = action.message() if self._doors is None else self._doors.start_message(action)
        prepare_children(self, prepare_kind, action.definition.kind)
        address = self.createActor(SystemActor)
        if (error := creation_error(self)) is not None:
            raise error
        self._handles.add(
            ActorHandle(action.name, action.incarnation, address, newest_process(self))
        )
        self.send(address, start)
        self._core.child_begun(action.name, action.incarnation)

    def _schedule(self) -> None:
        """Ask for a wakeup, unless an earlier one is on its way: none can be cancelled."""
        now = time.monotonic()
        due = self._core.next_due()
        if self._handles or self._door is not None:
            look_at = self._handles.look_at
            due = look_at if due is None else min(due, look_at)
        if self._door is not None and not self._watches:
            due = min(due, now + _POLL) if due is not None else now + _POLL
        if due is None:
            return
        due = min(due, now + _LONGEST_NAP)
        if self._wakeups and self._wakeups[0] <= due:
            return
        heapq.heappush(self._wakeups, due)
        self.wakeupAfter(timedelta(seconds=max(0.001, due - now)))


def _log_bug(what: str, error: Exception) -> None:
    _log().error("supervisor: %s could not be dealt with", what, exc_info=error)


def _log() -> logging.Logger:
    return logging.getLogger(loggers.SUPERVISOR)
