"""The guardian as a Thespian actor: it restarts a killed supervisor, with its systems.

It does so little that nothing is left to kill it but a signal from outside. It keeps the
supervisor's record; what it decides is in :mod:`supervisor.runtime.guarding`.
"""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from typing import Any, Final

import attrs
from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)

from actors import loggers
from actors.messages import Failure, invalid_request
from actors.processes.actor_start import begin_actor
from supervisor.core.exits import ProcessExit
from supervisor.messages import Ping, Pong, SupervisorClosing, SupervisorReady
from supervisor.messages.record import ConfigureSupervisor, KeepRecord, RecordChanged, RecordGiven
from supervisor.runtime.blocking_connection import BlockingConnection
from supervisor.runtime.guarding import Decision, GivingUp, Guarding, Look, StartSupervisor
from supervisor.runtime.limits import EXIT_SUPERVISOR_DIED
from supervisor.runtime.processes import newest_process, wait_readable
from supervisor.runtime.supervisor_actor import Supervisor

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks whether the supervisor ended unnoticed."""
_START_TIMEOUT: Final = 10.0
"""Seconds that a supervisor may take to be ready, before it is killed."""
_LAST_WORDS: Final = 0.5
"""Seconds in which the end of a dead supervisor's line is to show."""


@attrs.define(eq=False)
class _Ward:
    """The supervisor that runs now."""

    life: int
    address: ActorAddress
    process: Any
    """Its multiprocessing.Process, where the base has one: it knows the exit code."""
    start_by: float | None
    """When it is to be ready; None once it is."""
    line: BlockingConnection | None = None
    """On which it tells its record. Unlike Thespian's messages, what it wrote there is not
    lost when it is killed, and is there before any client is answered."""


class Guardian(Actor):  # type: ignore[misc]  # Thespian has no types
    """Sent a :class:`ConfigureSupervisor`, it starts a supervisor, and answers with
    :class:`SupervisorReady` once that listens. It never has threads: it forks."""

    def __init__(self, capabilities: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._watches = bool((capabilities or {}).get("Thespian Watch Supported"))
        self._set_up = False
        self._guarding: Guarding | None = None
        self._ward: _Ward | None = None
        self._asker: ActorAddress | None = None
        """Who waits for the first supervisor to be ready."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> Any:
        # An exception that left here would make Thespian call again with the same message.
        try:
            if not self._set_up:
                self._set_up = True
                begin_actor()
            self._receive(message, sender)
        except Exception:
            _log().exception("guardian: %s could not be dealt with", type(message).__name__)
        line = None if self._ward is None else self._ward.line
        return ThespianWatch([line.fileno()]) if line is not None and self._watches else None

    def _receive(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case ConfigureSupervisor():
                self._begin(message, sender)
            case ChildActorExited():
                if self._ward is not None and message.childAddress == self._ward.address:
                    self._ended(self._ward)
            case WakeupMessage(payload=StartSupervisor() as start):
                self._start(start)
            case WakeupMessage():
                self._look()
            case WatchMessage():
                if self._ward is not None:
                    self._read(self._ward)
            case ActorExitRequest():
                self._guarding = None  # all is being shut down
            case _ if self._ward is not None and sender == self._ward.address:
                self._hear(message, self._ward)

    def _begin(self, message: ConfigureSupervisor, sender: ActorAddress) -> None:
        if self._guarding is not None:
            text = "ConfigureSupervisor comes first, and once"
            self.send(sender, invalid_request(message, text))
            return
        self._asker = sender
        self._guarding = Guarding(message)
        self._decided(self._guarding.begin())
        self.wakeupAfter(timedelta(seconds=_LOOK_EVERY))

    # ---- the supervisor ------------------------------------------------------------------

    def _hear(self, message: Any, ward: _Ward) -> None:
        assert self._guarding is not None
        match message:
            case SupervisorReady():
                ward.start_by = None
                self._have_it_tell(ward)
                if self._asker is not None:
                    self._answer(
                        SupervisorReady(
                            request_id=self._guarding.setup.request_id,
                            supervisor_pid=message.supervisor_pid,
                            guardian_pid=os.getpid(),
                            admin_pid=os.getppid(),
                        )
                    )
            case Failure() if ward.start_by is not None:
                _log().error("the supervisor does not start: %s", message.text)
                if self._asker is not None:
                    failure = attrs.evolve(message, request_id=self._guarding.setup.request_id)
                    self._answer(failure)
                _kill(ward)
            case Pong():
                self._guarding.answered()
            case RecordGiven() | RecordChanged():
                self._guarding.keeper.hear(message)
            case SupervisorClosing():
                self._guarding.closing = message

    def _have_it_tell(self, ward: _Ward) -> None:
        assert self._guarding is not None
        path = self._guarding.setup.socket_path
        if path is None:
            self.send(ward.address, KeepRecord())
            return
        try:
            ward.line = BlockingConnection(path)
        except OSError as error:
            _log().error("cannot reach the supervisor: %s", error)
            _kill(ward)
        else:
            ward.line.send(KeepRecord())

    def _read(self, ward: _Ward, seconds: float = 0.0) -> None:
        """Hear what it said on its line.

        Args:
            seconds: how long to wait for more.
        """
        line = ward.line
        while line is not None and wait_readable([line.fileno()], seconds):
            for message in line.read():
                self._hear(message, ward)
            if line.at_end:
                line.close()
                ward.line = line = None

    def _answer(self, reply: SupervisorReady | Failure) -> None:
        self.send(self._asker, reply)
        self._asker = None

    def _ended(self, ward: _Ward) -> None:
        if self._guarding is None:
            return
        self._read(ward, _LAST_WORDS)
        if ward.line is not None:
            ward.line.close()
        self._ward = None
        how = ProcessExit.of(getattr(ward.process, "exitcode", None)).how or "ended"
        decision = self._guarding.supervisor_ended(ward.life, how, time.monotonic())
        if isinstance(decision, StartSupervisor):
            _log().error("the supervisor %s; starting the next", how)
        if decision is not None:
            self._decided(decision)

    def _decided(self, decision: Decision) -> None:
        if isinstance(decision, GivingUp):
            _log().error("giving up: %s", decision.reason)
            os._exit(EXIT_SUPERVISOR_DIED)  # the root notices; nothing of this process is needed
        elif decision.delay > 0.0:
            self.wakeupAfter(timedelta(seconds=decision.delay), payload=decision)
        else:
            self._start(decision)

    def _start(self, start: StartSupervisor) -> None:
        if self._guarding is None:
            return
        try:
            address = self.createActor(Supervisor)
        except Exception as error:  # no process will ever tell
            how = f"could not be started: {error}"
            decision = self._guarding.supervisor_ended(start.life, how, time.monotonic())
            _log().error("the supervisor %s", how)
            if decision is not None:
                self._decided(decision)
            return
        deadline = time.monotonic() + _START_TIMEOUT
        self._ward = _Ward(start.life, address, newest_process(self), deadline)
        self.send(address, self._guarding.configuration())

    def _look(self) -> None:
        """Notice what nobody told of: Thespian loses some notices of exits, and a process
        may stand still."""
        self.wakeupAfter(timedelta(seconds=_LOOK_EVERY))
        ward = self._ward
        if ward is None:
            return
        self._read(ward)
        if ward.process is not None and not ward.process.is_alive():
            self._ended(ward)
        elif ward.start_by is None:
            self._see_that_it_tells(ward)
            self._see_whether_it_hangs(ward)
        elif time.monotonic() >= ward.start_by:
            _log().error("the supervisor was not ready within %g s", _START_TIMEOUT)
            ward.start_by = None
            _kill(ward)

    def _see_that_it_tells(self, ward: _Ward) -> None:
        assert self._guarding is not None
        if ward.line is None and self._guarding.setup.socket_path is not None:
            # It hung up, and lives: this process may have stood still for too long.
            self._have_it_tell(ward)

    def _see_whether_it_hangs(self, ward: _Ward) -> None:
        assert self._guarding is not None
        match self._guarding.looked():
            case Look.ASK:
                self.send(ward.address, Ping())
            case Look.HANGS:
                _log().error("the supervisor hangs: it is killed")
                self._guarding.answered()
                _kill(ward)


def _kill(ward: _Ward) -> None:
    if ward.process is not None:
        ward.process.kill()  # does nothing once the process was waited for


def _log() -> logging.Logger:
    return logging.getLogger(loggers.GUARDIAN)
