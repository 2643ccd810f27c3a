"""Carries out requests on one system; runs on the system actor's event loop.

Connects, disconnects and sends go through one lane, in the order they were asked for.
Receives, commands and health checks each go their own way and never hold up the lane.
Nothing here knows of actors: requests come in, and answers go where each came from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from actors.interface import ExternalSystemInterface
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    Fence,
    InvalidateCache,
    Outcome,
    QueryData,
    Reason,
    ReceiveData,
    ReceiveMany,
    Reply,
    Request,
    SendData,
    SendMany,
)
from actors.messages.supervision import MAX_PAYLOAD_BYTES
from actors.resilience.policy import NO_POLICY, Policy
from actors.system_actor.asking import LATE, Asker
from actors.system_actor.batching import is_forgotten
from actors.system_actor.beside import Beside
from actors.system_actor.calling import Caller
from actors.system_actor.connecting import connect
from actors.system_actor.deduplicating import Repetitions
from actors.system_actor.down_waiting import PastTheLane
from actors.system_actor.dropping import DropLink, drop_link
from actors.system_actor.face import answered_at_once
from actors.system_actor.guards import Guards, guarded
from actors.system_actor.lane import STOPPING, Job, Lane
from actors.system_actor.liveness import SendPing, look_after
from actors.system_actor.losses import Losses
from actors.system_actor.receiving import Receiver, Together, Work
from actors.system_actor.renewing import NOBODY, Renew, renew
from actors.system_actor.reports import Origin, Reporting
from actors.system_actor.sender import Sender
from actors.system_actor.stopping import disconnect_last, end_connection


class Engine:
    def __init__(
        self,
        system: ExternalSystemInterface,
        reports: Reporting,
        on_crash: Callable[[Reason], None],
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        guards: Guards | None = None,
        together: Together | None = None,
        policy: Policy = NO_POLICY,
        repetitions: Repetitions | None = None,
    ) -> None:
        """
        Args:
            together: of an engine for one of several connections, what those have in common.
            policy: what is to be done beside the calls that it has guards for.
            repetitions: knows of items that have come before, on any connection.
            max_payload_bytes: above which an answer is a failure.
            guards: stand around the calls of the connector; None if nothing does.
            on_crash: called once, with the reason, when the connector raised something
                it must not; the engine does nothing more after that.
        """
        self._system = system
        self._reports = reports
        self._on_crash = on_crash
        self._guards = guards
        self._losses = Losses(system, self._lost, self._give_up)
        reports.take_loss = self._losses.take
        self._receiver = Receiver(
            system,
            reports,
            self._guard,
            self._is_connecting,
            max_payload_bytes,
            self._losses.failed,
            together,
        )
        self._receiver.repetitions = repetitions
        self._asker = Asker(
            system,
            self._receiver,
            self._losses.failed,
            reports.drop,
            self._tainted,
            max_payload_bytes,
        )
        self._must_renew = False
        """Whether the connection has become of no use for a question, and nothing was done."""
        self._caller = Caller(system, self._losses.failed, max_payload_bytes)
        self._lane = Lane(
            self._carry_out, self._guard, self._outcome_of, self._done, self._crash, self._rest
        )
        # A command may bring data, or the connection.
        self._beside = Beside(self._guard, self._receiver.run, self._rest)
        self._last_disconnect: asyncio.Task[None] | None = None
        self._not_disconnected: Reason | None = None
        """Why the last disconnect failed."""
        self._crashed = False
        self.is_renewing = False
        """Whether it makes the connection anew."""
        self.on_rest: Callable[[], None] = lambda: None
        """Called when something is over that it did, and something else may be given to it."""
        self._changing = asyncio.Lock()
        """Held while the connection is made or ended."""
        down = None if guards is None else guards.down
        self._past = PastTheLane(down, self._lane, self._connect_beside)
        self._liveness = look_after(
            policy, system, self._asker, self._receiver, self._lane, self._guard, self._crash
        )
        self._guards = self._liveness.among(guards)
        batch, failed = policy.batch, self._losses.failed
        self._sender = Sender(system, self._lane, failed, self._guards, batch)

    @property
    def is_stopping(self) -> bool:
        """Whether it begins nothing more."""
        return self._last_disconnect is not None

    @property
    def is_tapped(self) -> bool:
        """Whether it receives for subscribers, who are shown every item."""
        return self._receiver.is_tapped

    @property
    def is_connected(self) -> bool:
        """What the connector says."""
        return bool(self._system.is_connected)

    @property
    def may_have_lost(self) -> bool:
        """Whether an error of something in the background may be that of a lost connection."""
        return not self.is_connected

    @property
    def may_have_data(self) -> bool:
        """Whether something may be received."""
        return self._receiver.may_have_data

    def is_done_with(self, origin: Origin) -> bool:
        """Whether it does nothing more for a request that is answered or forgotten, and nothing
        that follows from it."""
        return self._lane.task is None and origin not in self._beside

    # ---- what the actor asks for --------------------------------------------------------

    def submit(self, origin: Origin, request: Request) -> None:
        """Begin a request, or put it in line."""
        if self._crashed:
            return
        if self._last_disconnect is not None:
            origin.reply(request.failure(FailureCode.UNAVAILABLE, STOPPING))
            return
        match request:
            case ConnectSystem() if self._past.goes():
                self._connect_beside(Job(origin, request), request)
            case SendData() | SendMany() | QueryData() | ConnectSystem() | DisconnectSystem():
                self._past.look_at(request)
                self._lane.enter(Job(origin, request))
            case ReceiveData() | ReceiveMany():
                self._receiver.add(origin, request)
            case CallCommand():
                self._run_beside(origin, request, lambda: self._caller.call(request))
            case CheckHealth():
                self._run_beside(origin, request, lambda: self._caller.check_health(request))
            case Fence() | InvalidateCache():
                origin.reply(answered_at_once(request))
            case _:
                text = f"a system actor does not understand {type(request).__name__}"
                origin.reply(request.failure(FailureCode.INVALID_REQUEST, text))

    def forget(self, origins: frozenset[Origin]) -> None:
        """Nobody waits for these any more: what has not begun never does, and what runs
        is cancelled, but for the system's receive."""
        self._lane.take_out(lambda job: job.origin in origins)
        running = self._lane.running
        if running is not None and is_forgotten(running, origins):
            self._lane.cut("its caller's time ran out")
        self._beside.forget(origins)
        self._receiver.forget(origins)
        self._receiver.run()  # there may be no connect left to wait for

    def look(self) -> None:
        """Go on with what a connector changed on its own account, such as its connection."""
        if not self._crashed:
            self._receiver.run()
            self._liveness.look()

    def background_failed(self, error: Exception) -> None:
        """Something of the connector's own ended by an expected error."""
        self._losses.failed(error)

    def take_back(self, items: tuple[Any, ...]) -> None:
        self._receiver.take_back(items)

    def set_tap(self, on: bool) -> None:
        self._receiver.set_tap(on)

    def cut_off(self, why: str) -> None:
        """Cut off what runs in the lane; the rest goes on."""
        self._lane.cut(why)

    async def stop(self, grace: float) -> Reason | None:
        """Disconnect within ``grace`` seconds, and answer whoever still waits, or comes.

        Returns:
            why it could not disconnect in order; None if it did.
        """
        self._past.wait_no_more()
        self._liveness.close()
        self._sender.hurry()
        if self._last_disconnect is None:
            self._last_disconnect = asyncio.create_task(
                self._guard(lambda: self._disconnect_last(grace)), name="stop"
            )
        await asyncio.wait({self._last_disconnect}, timeout=grace)
        self._lane.fail_waiting(FailureCode.UNAVAILABLE, STOPPING)
        self._receiver.fail_all(FailureCode.UNAVAILABLE, STOPPING)
        running = self._lane.running
        if running is not None:  # it does not give way, or had no time to
            running.origin.reply(running.cut or self._stopped(running.request))
        self._beside.stop(self._stopped)
        if not self._last_disconnect.done():
            return Reason("timeout", f"did not disconnect within {grace:g} s")
        return self._not_disconnected

    def _lost(self, why: str) -> None:
        if not self._system.is_connected:
            self._asker.connection_lost(why)
        self._liveness.connection_ended()  # there may be another by now
        asyncio.get_running_loop().call_soon(self.look)
        self._reports.schedule()

    # ---- the lane -----------------------------------------------------------------------

    def _outcome_of(self, request: Request) -> Outcome:
        if isinstance(request, QueryData):
            return self._asker.outcome
        return Outcome.NOT_SENT if self._is_held(request) else Outcome.UNKNOWN

    def _stopped(self, request: Request) -> Failure:
        outcome = Outcome.NOT_SENT if self._is_held(request) else Outcome.UNKNOWN
        return request.failure(FailureCode.UNAVAILABLE, STOPPING, outcome)

    def _is_held(self, request: Request) -> bool:
        """Whether its call waits for leave to begin."""
        held_back = self._guards is not None and self._guards.holds(request)
        return held_back or self._sender.holds(request)

    def _done(self, request: Request) -> None:
        if isinstance(request, ConnectSystem):
            self._receiver.run()
        self._renew_next()
        if not isinstance(request, SendData | SendMany | QueryData):
            self._liveness.look()

    def _rest(self) -> None:
        if not self._crashed:
            self.on_rest()

    async def _carry_out(self, job: Job) -> None:
        match request := job.request:
            case SendData() | SendMany():
                await self._sender.carry_out(job)
            case QueryData() if type(self._system).concurrent_queries:
                self._run_beside(job.origin, request, lambda: self._asker.ask(request))
                self._lane.running = None  # it is answered there, also when it is cut off
                await asyncio.sleep(0)  # it goes out before what was asked for after it
            case QueryData():
                await self._renew()
                why = self._asker.why_tainted
                if why is not None:
                    text = f"{LATE.format(why)}, and the connection cannot be closed"
                    job.fail(FailureCode.NOT_CONNECTED, text)
                    return
                await self._guarded(job, lambda: self._asker.ask(request))
            case Renew():
                await self._renew()
            case SendPing():
                await self._renew()
                await self._liveness.ping()
            case DropLink(why=reason):
                await drop_link(self._system, reason, self._receiver, self._losses)
            case ConnectSystem():
                await self._guarded(job, lambda: self._connect(request))
            case DisconnectSystem():
                await self._guarded(job, lambda: self._disconnect(request))

    async def _guarded(self, job: Job, work: Work[Reply]) -> None:
        """Answer a request with what the call gives that it is for."""
        job.origin.reply(await guarded(self._guards, job.request, work))

    def _is_connecting(self) -> bool:
        jobs = (*self._lane, *self._beside)
        return any(isinstance(request, ConnectSystem) for request in jobs)

    async def _connect(self, request: ConnectSystem) -> Reply:
        async with self._changing:
            if not self._system.is_connected:
                self._asker.connection_ended()
            return await connect(self._system, request, self._losses, self._liveness.prove)

    def _connect_beside(self, job: Job, request: ConnectSystem) -> None:
        self._run_beside(job.origin, request, lambda: self._connect(request))

    async def _disconnect(self, request: DisconnectSystem) -> Reply:
        async with self._changing:
            return await end_connection(
                self._system, request, self._receiver, self._asker, self._losses
            )

    async def _renew(self) -> None:
        self.is_renewing = True
        try:
            proof = self._liveness.prove
            await renew(self._system, self._asker, self._receiver, self._losses, proof)
        finally:
            self.is_renewing = False

    def _give_up(self, why: Reason) -> None:
        """Nobody can do anything with the connection any more."""
        is_closing = isinstance(self._lane.next, DisconnectSystem)
        if not is_closing and not self.is_stopping and not self._crashed:
            self._lane.enter_first(Job(NOBODY, DropLink(self._system.system_name, why)))

    def _tainted(self) -> None:
        self._must_renew = True
        if self._lane.task is None and not self.is_stopping and not self._crashed:
            self._must_renew = False  # a command had asked
            self._lane.enter(Job(NOBODY, Renew(self._system.system_name)))

    def _renew_next(self) -> None:
        """Unless the connection is about to be closed."""
        must_renew, self._must_renew = self._must_renew, False
        closing = isinstance(self._lane.next, DisconnectSystem | DropLink)
        if must_renew and not closing and not self.is_stopping:
            self._lane.enter_first(Job(NOBODY, Renew(self._system.system_name)))

    async def _disconnect_last(self, grace: float) -> None:
        self._not_disconnected = await disconnect_last(
            self._system, self._lane, self._receiver, grace
        )

    def _run_beside(self, origin: Origin, request: Request, work: Work[Reply]) -> None:
        def call() -> Awaitable[Reply]:
            return guarded(self._guards, request, work, beside=True)

        self._beside.run(origin, request, call)

    # ---- failures and crashes -----------------------------------------------------------

    async def _guard(self, work: Work[None]) -> None:
        """Run a connector's code; whatever escapes it is a crash.

        Also SystemExit and KeyboardInterrupt, which would end the loop's thread and
        leave the process deaf.
        """
        try:
            await work()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._crash(error)  # the connector's own doing
        except BaseException as error:
            self._crash(error)

    def _crash(self, error: BaseException) -> None:
        if self._crashed:
            return
        self._crashed = True
        self._lane.clear()
        self._liveness.close()
        self._receiver.close()
        self._reports.flush()  # what was done before is an answer, not a victim
        self._on_crash(Reason.of(error))
        self._beside.cancel()
        if self._lane.task is not None and self._lane.task is not asyncio.current_task():
            self._lane.task.cancel()
