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
from actors.system_actor.calls import AT_ONCE, Turn
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
from actors.system_actor.renewing import Renew, renew
from actors.system_actor.reports import Origin, Reporting
from actors.system_actor.sender import Sender
from actors.system_actor.stopping import disconnect_last, end_connection
from actors.system_actor.turns import Turns
from actors.system_actor.urgent import Urgent


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
        request_timeout: float = 30.0,
    ) -> None:
        """
        Args:
            together: of an engine for one of several connections, what those have in common.
            policy: what is to be done beside the calls that it has guards for.
            repetitions: knows of items that have come before, on any connection.
            max_payload_bytes: above which an answer is a failure.
            guards: stand around the calls of the connector; None if nothing does.
            request_timeout: seconds that a request has which names none.
            on_crash: called once, with the reason, when the connector raised something
                it must not; the engine does nothing more after that.
        """
        self._system = system
        self._reports = reports
        self._on_crash = on_crash
        self._guards = guards
        self._losses = Losses(system, self._lost, lambda why: self._urgent.give_up(why))
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
            lambda: self._urgent.tainted(),
            max_payload_bytes,
        )
        self._caller = Caller(system, self._losses.failed, max_payload_bytes)
        self._lane = Lane(
            self._carry_out, self._guard, self._outcome_of, self._done, self._crash, self._rest
        )
        self._urgent = Urgent(
            system.system_name, self._lane, lambda: not self.is_stopping and not self._crashed
        )
        self._turns = Turns(
            self._lane, lambda: self.is_connected, self._urgent.next, request_timeout
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
        self._is_proving = False
        self._changing = asyncio.Lock()
        """Held while the connection is made or ended."""
        down = None if guards is None else guards.down
        self._past = PastTheLane(down, self._lane, self._connect_beside)
        self._liveness = look_after(
            policy, system, self._asker, self._receiver, self._lane, self._guard, self._crash
        )
        self._guards = self._liveness.among(guards)
        if self._guards is not None:
            self._lane.keeps_time = True
        batch, failed = policy.batch, self._losses.failed
        self._sender = Sender(system, self._lane, failed, self._guards, batch, self._turn)

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
        """What the connector says, once that is proved."""
        return bool(self._system.is_connected) and not self._is_proving

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
            case _:
                origin.reply(answered_at_once(request))

    def forget(self, origins: frozenset[Origin]) -> None:
        """Nobody waits for these any more: what has not begun never does, and what runs
        is cancelled, but for the system's receive."""
        self._lane.take_out(lambda job: job.origin in origins)
        for job in self._lane.begun:
            if is_forgotten(job, origins):
                self._lane.cut_one(job, "its caller's time ran out")
        self._beside.forget(origins)
        self._receiver.forget(origins)
        self._receiver.run()  # there may be no connect left to wait for

    def look(self) -> None:
        """Go on with what a connector changed on its own account, such as its connection."""
        if not self._crashed:
            self._lane.wake()
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
        for job in self._lane.begun:  # it does not give way, or had no time to
            job.origin.reply(job.cut or self._stopped(job.request))
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
        asked = isinstance(request, QueryData) and not type(self._system).concurrent_queries
        outcome = self._asker.outcome if asked else Outcome.UNKNOWN
        if self._sender.holds(request):
            return Outcome.NOT_SENT
        return outcome if self._guards is None else self._guards.outcome_of(request, outcome)

    def _stopped(self, request: Request) -> Failure:
        outcome = self._outcome_of(request)
        return request.failure(FailureCode.UNAVAILABLE, STOPPING, outcome)

    def _done(self, request: Request) -> None:
        if isinstance(request, ConnectSystem):
            self._receiver.run()
        self._urgent.next()
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
                turn = AT_ONCE if self._guards is None else self._turns.beside(job)
                self._run_beside(job.origin, request, lambda: self._asker.ask(request), turn)
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
        job.origin.reply(await guarded(self._guards, job.request, work, turn=self._turn(job)))

    def _turn(self, job: Job) -> Turn:
        return AT_ONCE if self._guards is None else self._turns.of(job)

    def _is_connecting(self) -> bool:
        jobs = (*self._lane, *self._beside)
        return any(isinstance(request, ConnectSystem) for request in jobs)

    async def _connect(self, request: ConnectSystem) -> Reply:
        async with self._changing:
            if not self._system.is_connected:
                self._asker.connection_ended()
            self._is_proving = not self._system.is_connected
            try:
                return await connect(self._system, request, self._losses, self._liveness.prove)
            finally:
                self._is_proving = False

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

    async def _disconnect_last(self, grace: float) -> None:
        self._not_disconnected = await disconnect_last(
            self._system, self._lane, self._receiver, grace
        )

    def _run_beside(
        self, origin: Origin, request: Request, work: Work[Reply], turn: Turn = AT_ONCE
    ) -> None:
        def call() -> Awaitable[Reply]:
            return guarded(self._guards, request, work, turn=turn, beside=True)

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
