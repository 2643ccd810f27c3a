"""The Thespian actor around one external system.

A thin shell: messages go to the engine on the event-loop thread, what the engine has to
say goes to the supervisor. All decisions are in :mod:`actors.system_actor.engine` and in the
supervisor's core.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from datetime import timedelta
from typing import Any, Final

import attrs
from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystemMessage,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)

from actors import loggers
from actors.connectors.kinds import build_system
from actors.errors import ActorSetupError, ErrorKind, describe, kind_of
from actors.interface import ExternalSystemInterface, command_names
from actors.messages import (
    Deliver,
    FailureCode,
    Forget,
    Heartbeat,
    HeartbeatAnswered,
    Reason,
    Reply,
    StartSystem,
    StopSystem,
    SystemBegun,
    SystemCrashed,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
    TakeBack,
    TapData,
    Thread,
    invalid_request,
)
from actors.processes.actor_start import begin_actor
from actors.processes.orphans import Orphans
from actors.processes.shortages import in_words
from actors.processes.speaking import flush_streams, speak_into
from actors.system_actor.direct_clients import DirectClients, open_door
from actors.system_actor.engines import check_policy, engine_for
from actors.system_actor.face import SystemEngine
from actors.system_actor.first_connect import connect_first
from actors.system_actor.loop_thread import LoopThread, Mailslot
from actors.system_actor.reports import Origin, Reports
from actors.system_actor.unheeded import Unheeded

_POLL: Final = timedelta(milliseconds=5)
"""How often the mailslot is looked at where Thespian cannot watch a descriptor."""
_CONNECTION_POLL: Final = 0.5
"""Seconds between two looks at whether the connector lost its connection unasked."""
_LAST_RESORT: Final = 3.0
"""Seconds from the decision to exit until the process ends whatever a connector does."""


_ORDERS: Final = (Deliver, Forget, TakeBack, TapData, StopSystem, Heartbeat, StartSystem)
"""What only whoever started an actor may say to it: it is taken as it is."""


class SystemActor(Actor):  # type: ignore[misc]  # Thespian has no types
    """One external system. Created by a supervisor, which sends :class:`StartSystem` first."""

    def __init__(self, capabilities: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._watches = bool((capabilities or {}).get("Thespian Watch Supported"))
        self._supervisor: ActorAddress | None = None
        self._start: StartSystem | None = None
        self._mailslot: Mailslot | None = None
        self._loop: LoopThread | None = None
        self._side: _LoopSide | None = None
        self._orphans: Orphans | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> Any:
        # An exception that left here would make Thespian call again with the same message.
        try:
            self._receive(message, sender)
        except Exception as error:
            logging.getLogger(loggers.SYSTEM_ACTOR).exception(
                "system actor: %s", type(message).__name__
            )
            self._tell_crash(Reason.of(error))
        if self._mailslot is not None and self._watches:
            return ThespianWatch([self._mailslot.fileno()])
        return None

    def _receive(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case StartSystem() if self._start is None:
                self._begin(message, sender)
            case WatchMessage():
                self._pass_on()
            case WakeupMessage():
                self._pass_on()
                self.wakeupAfter(_POLL)
            case Deliver() | Forget() | TakeBack() | TapData() | StopSystem() | Heartbeat() if (
                self._side and sender == self._supervisor
            ):
                self._obey(message, self._side)
            case ActorExitRequest():
                self._exit()
            case Reply() | ActorSystemMessage():
                pass
            case _:
                self._refuse(message, sender)

    def _obey(
        self,
        message: Deliver | Forget | TakeBack | TapData | StopSystem | Heartbeat,
        side: _LoopSide,
    ) -> None:
        assert self._loop is not None
        if not isinstance(message, Heartbeat):
            self._loop.call(side.take, message)
            return
        self.send(self._supervisor, side.sign_of_life(Thread.MESSAGES, message))
        self._loop.call(side.answer, message)
        if self._orphans is not None:
            self._orphans.wait(time.monotonic())

    def _refuse(self, message: Any, sender: ActorAddress) -> None:
        text = f"a system actor does not understand {type(message).__name__}"
        if isinstance(message, _ORDERS):
            text = f"a system actor hears {type(message).__name__} from its supervisor alone"
        self.send(sender, invalid_request(message, text))

    def _begin(self, start: StartSystem, supervisor: ActorAddress) -> None:
        begin_actor()
        self._speak_into(start)
        if multiprocessing.parent_process() is not None:  # else it is the host's process
            self._orphans = Orphans()
        self._start, self._supervisor = start, supervisor
        name, incarnation = start.definition.system_name, start.incarnation
        self.send(supervisor, SystemBegun(name, incarnation, os.getpid()))
        try:
            self._mailslot = Mailslot()
            self._side = _LoopSide(start, self._mailslot)
            self._loop = LoopThread(on_escape=self._side.crash)
        except (OSError, RuntimeError) as error:  # no descriptor, or no thread, is left
            why = Reason(type(error).__name__, f"its process cannot begin: {in_words(error)}")
            failed = SystemStartFailed(name, incarnation, FailureCode.SYSTEM_CRASHED, why)
            self.send(supervisor, failed)
            self.send(self.myAddress, ActorExitRequest())
            return
        self._loop.call(self._side.begin)
        if not self._watches:
            self.wakeupAfter(_POLL)

    def _speak_into(self, start: StartSystem) -> None:
        if start.output is not None:
            try:
                speak_into(start.output)
            except OSError as error:
                name = start.definition.system_name
                log = logging.getLogger(loggers.SYSTEM_ACTOR)
                log.warning("%s: what it says is not kept: %s", name, describe(error))

    def _pass_on(self) -> None:
        assert self._mailslot is not None
        for said in self._mailslot.take():
            self.send(self._supervisor, said)
            if isinstance(said, SystemStopped | SystemStartFailed):
                self.send(self.myAddress, ActorExitRequest())
                _end_at_last()
            elif isinstance(said, SystemCrashed):
                _end_at_last()  # the supervisor is quicker, unless it is gone

    def _tell_crash(self, reason: Reason) -> None:
        if self._start is not None and self._mailslot is not None:
            self._mailslot.put(
                SystemCrashed(self._start.definition.system_name, self._start.incarnation, reason)
            )
            self._pass_on()

    def _exit(self) -> None:
        """Thespian ends the process after this message: at a SIGTERM, or a shutdown."""
        _end_at_last()
        if self._loop is None or self._side is None:
            return
        done = threading.Event()
        self._loop.call(self._side.end, done)
        done.wait(timeout=1.0)


def _end_at_last() -> None:
    """End this process after a while, even if a connector left a thread that never ends."""
    timer = threading.Timer(_LAST_RESORT, os._exit, args=(1,))
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:  # no thread is left
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _LAST_RESORT)


@attrs.define(eq=False)
class _LoopSide:
    """The half of the actor that lives in the event loop's thread."""

    _start: StartSystem
    _mailslot: Mailslot
    _engine: SystemEngine | None = None
    _reports: Reports | None = None
    _direct: DirectClients | None = None
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set)
    _crashed: bool = False
    _unheeded: Unheeded = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._unheeded = Unheeded(self.crash, self._may_have_lost, self._background_failed)

    def begin(self) -> None:
        definition, incarnation = self._start.definition, self._start.incarnation
        name = definition.system_name
        self._unheeded.watch(asyncio.get_running_loop())
        try:
            system = build_system(definition)
            check_policy(system, definition.policy)
        except ActorSetupError as error:
            self._fail_start(FailureCode.INVALID_REQUEST, error)
            return
        except BaseException as error:  # the constructor is the user's code
            self._fail_start(FailureCode.CONNECTOR_ERROR, error)
            return
        system._extsys_failed = self._start.failed
        self._reports = Reports(name, incarnation, self._connected, self._say)
        self._engine = engine_for(self._start, system, self._reports, self._say_crash)
        if self._start.door is not None:
            self._direct = open_door(
                self._start.door,
                name,
                incarnation,
                self._start.max_payload_bytes,
                self._engine,
                self._reports,
                self.crash,
            )
        if self._start.connect_within is None:
            self._started(system)
        else:
            self._spawn(self._connect_first(system, self._engine, self._start.connect_within))

    def _started(self, system: ExternalSystemInterface) -> None:
        name, incarnation = self._start.definition.system_name, self._start.incarnation
        self._say(SystemStarted(name, incarnation, os.getpid(), command_names(type(system))))
        self._look_at_connection()

    async def _connect_first(
        self, system: ExternalSystemInterface, engine: SystemEngine, within: float
    ) -> None:
        name, incarnation = self._start.definition.system_name, self._start.incarnation
        failure = await connect_first(engine, name, within)
        if failure is None:
            self._started(system)
        else:
            text = f"cannot be connected: {failure.text.removeprefix(f'{name}: ')}"
            reason = Reason(failure.code, text)
            self._say(SystemStartFailed(name, incarnation, failure.code, reason))

    def take(self, message: Deliver | Forget | TakeBack | TapData | StopSystem) -> None:
        if self._engine is None or self._reports is None:
            return  # the start failed, and the supervisor knows
        try:
            self._give(message, self._engine, self._reports)
        except Exception as error:  # such as a property of the connector that raises
            self.crash(error)

    def _give(
        self,
        message: Deliver | Forget | TakeBack | TapData | StopSystem,
        engine: SystemEngine,
        reports: Reports,
    ) -> None:
        if self._direct is not None:
            self._direct.serve_all()  # what was asked there before this came
        match message:
            case Deliver():
                if self._direct is not None:
                    self._direct.supervisor_delivers(message.requests)
                for ref, request in message.requests:
                    engine.submit(Origin(reports, ref), request)
                reports.taken(message.number)
            case Forget():
                if self._direct is not None:
                    self._direct.supervisor_forgets(message.refs)
                engine.forget(frozenset(Origin(reports, ref) for ref in message.refs))
            case TakeBack():
                engine.take_back(message.items)
            case TapData():
                engine.set_tap(message.on)
            case StopSystem():
                self._spawn(self._stop(message.grace))

    def answer(self, beat: Heartbeat) -> None:
        self._say(self.sign_of_life(Thread.LOOP, beat))

    def sign_of_life(self, thread: Thread, beat: Heartbeat) -> HeartbeatAnswered:
        """The answer of either thread; to be called in any."""
        definition, incarnation = self._start.definition, self._start.incarnation
        return HeartbeatAnswered(definition.system_name, incarnation, thread, beat.number)

    def end(self, done: threading.Event) -> None:
        if self._engine is None:
            done.set()
            return
        self._spawn(self._end(self._engine, done))

    def crash(self, error: BaseException) -> None:
        self._say_crash(Reason.of(error))

    async def _stop(self, grace: float) -> None:
        assert self._engine is not None
        assert self._reports is not None
        why_not = await self._engine.stop(grace)
        self._reports.flush()
        name, incarnation = self._start.definition.system_name, self._start.incarnation
        self._say(SystemStopped(name, incarnation, why_not))

    async def _end(self, engine: SystemEngine, done: threading.Event) -> None:
        await engine.stop(0.8)
        done.set()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_at_connection(self) -> None:
        assert self._reports is not None
        assert self._engine is not None
        try:
            self._engine.look()
        except Exception as error:  # a property of the user's
            self.crash(error)
        self._reports.look()
        if self._direct is not None:
            self._direct.look()
        asyncio.get_running_loop().call_later(_CONNECTION_POLL, self._look_at_connection)

    def _connected(self) -> bool:
        try:
            return self._engine is not None and self._engine.is_connected
        except Exception as error:  # a property of the user's
            self._say_crash(Reason.of(error))
            return False

    def _may_have_lost(self) -> bool:
        return self._engine is None or self._engine.may_have_lost

    def _background_failed(self, error: Exception) -> None:
        if self._engine is not None:
            self._engine.background_failed(error)

    def _fail_start(self, code: FailureCode, error: BaseException) -> None:
        self._say(
            SystemStartFailed(
                self._start.definition.system_name,
                self._start.incarnation,
                code,
                Reason.of(error),
                kind_of(error) is ErrorKind.RETRY,
            )
        )

    def _say_crash(self, reason: Reason) -> None:
        if self._crashed:
            return
        self._crashed = True
        flush_streams()
        self._say(
            SystemCrashed(self._start.definition.system_name, self._start.incarnation, reason)
        )

    def _say(self, message: Any) -> None:
        self._mailslot.put(message)
