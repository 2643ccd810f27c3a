"""A host's session with a supervisor: its own embedded one, or a standalone one.

Everything here runs on the host's event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from actors import loggers
from actors.errors import describe
from actors.messages import (
    RECEIVING_KINDS,
    FailureCode,
    Reply,
    Request,
)
from supervisor.client.connection import STOPPED, Event, SupervisorConnection, Told
from supervisor.messages import Ping, ReturnData, StopSupervisor, Subscribe, SupervisorRequest
from supervisor.messages.record import KeepRecord, Record, RecordChanged, RecordGiven
from supervisor.runtime.directory import RuntimeDirectory
from supervisor.runtime.embedded import EmbeddedRuntime
from supervisor.runtime.processes import kill
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.policies import RestartPolicy
from supervisor.specs.restarts import RestartHistory

PING_EVERY = 5.0
"""Seconds between two questions whether the supervisor hangs."""
PING_PATIENCE = 10.0
"""Seconds that it may take to answer; it is asked twice."""
RECOVERY_PATIENCE = 20.0
"""Seconds that a supervisor of one's own may take to come back."""
REATTACH_PATIENCE = 10.0
"""Seconds that somebody else's may take."""
RETRY: Final = 0.01
"""Seconds between two attempts to reach it."""
INTENSITY: Final = RestartPolicy(max_restarts=3, period=60.0, backoff_min=0.1, backoff_max=1.0)
"""More ends of a runtime's root process than that are not mended by one more start."""
_log = logging.getLogger(loggers.MANAGER)
RESTARTING: Final = "the supervisor is being restarted, which takes too long"

Held = tuple[Request | Subscribe, Callable[[Any], None], asyncio.TimerHandle]
"""A streamed request that waits for the recovery, and what ends its wait."""


class Session:
    """From the first request to the last. Ends with :meth:`close`, with the supervisor if
    that is not to be had again, or with the event loop, whichever comes first.

    A supervisor that was killed is restarted by its guardian, or by its root process; a
    root process by this session. Meanwhile requests wait.
    """

    def __init__(
        self,
        options: SupervisorOptions,
        socket_path: str | None,
        on_event: Callable[[Event], None],
        on_back: Callable[[SupervisorConnection], Awaitable[None]],
        on_lost: Callable[[str, bool], None],
        on_over: Callable[[str], None],
    ) -> None:
        """
        Args:
            options: of an embedded supervisor.
            socket_path: of a standalone one; None starts an embedded one.
            on_event: called with each event subscribed to.
            on_back: awaited when the supervisor is there again, before any request that
                waited is sent.
            on_lost: called with the reason when the supervisor has ended, and whether that
                is for good.
            on_over: called, with the reason, once nothing can be asked any more, however
                that came about; perhaps more than once.
        """
        self._options = options
        self._socket_path = socket_path
        self._on_event = on_event
        self._on_back = on_back
        self._on_lost = on_lost
        self._on_over = on_over
        self._runtime: EmbeddedRuntime | None = None
        self._connection: SupervisorConnection | None = None
        self._record: Record | None = None
        """What a new runtime comes back from; kept for an embedded one."""
        self._history = RestartHistory(INTENSITY)
        self._random = Random()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        """Held while it opens or ends: neither must see the other half done."""
        self._serving = asyncio.Event()
        """Set while requests need not wait: there is a supervisor, or it is over."""
        self._lost = asyncio.Event()
        """Set from the loss of a connection until it is dealt with."""
        self._why_lost = ""
        self._held: dict[int, Held] = {}
        """By request id, in order."""
        self.over: str | None = None
        """Why nothing can be asked any more; None while it can."""
        self._is_refused = False
        """Whether a supervisor to attach to ended it, or one that cannot be spoken with."""

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not ended; also while a supervisor is restarted."""
        return self._connection is not None and self.over is None

    @property
    def is_attached(self) -> bool:
        """Whether the supervisor is somebody else's, and may have systems already."""
        return self._socket_path is not None

    def check_loop(self) -> None:
        """Belong to the running event loop from now on.

        Raises:
            RuntimeError: it belongs to another one.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("an ExternalSystemManager belongs to the event loop it started on")

    @property
    def supervisor_pid(self) -> int | None:
        """The supervisor's process; None while there is none, or where nobody can tell."""
        connection = self._connection
        if self.over is not None or connection is None or not connection.is_open:
            return None
        return connection.supervisor_pid

    async def open(self) -> None:
        """Start the runtime, or find the supervisor, and connect to it.

        Raises:
            RuntimeError: the runtime did not start, or the session is over.
            OSError: there is no supervisor to attach to, or it is of another version.
        """
        async with self._changing:
            if self.over is None and self._connection is None:
                # First of all: from here on the end of the loop ends the runtime.
                self._keeper = self._keeper or asyncio.create_task(
                    self._keep(), name="extsys-keeper"
                )
                await self._connect_first()
        if self.over is not None:  # it may have been closed meanwhile
            raise ConnectionError(self.over) if self._is_refused else RuntimeError(self.over)

    async def _connect_first(self) -> None:
        if self._socket_path is None and self._runtime is None:
            self._runtime = await _start_runtime(self._options, None)
        deadline = time.monotonic() + REATTACH_PATIENCE
        while True:
            try:
                self._connection = await self._dial()
                if self._connection.is_open:
                    self._serving.set()
                return
            except (FileNotFoundError, ConnectionRefusedError) as error:
                # A supervisor that is being restarted is there, in a way.
                if _is_held(self._path) and time.monotonic() < deadline:
                    await asyncio.sleep(RETRY)
                    continue
                raise ConnectionError(
                    f"no supervisor runs at {self._path}; start one with 'extsys run'"
                ) from error

    @property
    def _path(self) -> str:
        if self._socket_path is not None:
            return self._socket_path
        return "" if self._runtime is None else self._runtime.socket_path

    async def _dial(self) -> SupervisorConnection:
        connection = await SupervisorConnection.open(self._path, self._hear, self._lose)
        if not self.is_attached:
            connection.ask_stream(KeepRecord(), self._take_record)
        return connection

    def _take_record(self, reply: Reply) -> None:
        if isinstance(reply, RecordGiven):
            self._record = reply.record

    def _hear(self, event: Told) -> None:
        if not isinstance(event, RecordChanged):
            self._on_event(event)
        elif self._record is not None:
            for change in event.changes:
                self._record.apply(change)

    # ---- asking --------------------------------------------------------------------------

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Send a request and wait for its reply. Being cancelled takes the request back."""
        if not self._serving.is_set() and self.is_open:
            try:
                async with asyncio.timeout(_patience(request)):
                    await self._serving.wait()
            except TimeoutError:
                return request.failure(FailureCode.UNAVAILABLE, RESTARTING)
        if self.over is not None or self._connection is None:
            return request.failure(FailureCode.UNAVAILABLE, self.over or "not started")
        return await self._connection.ask(request)

    def ask_stream(self, request: Request | Subscribe, on_part: Callable[[Any], None]) -> None:
        """Send a request that may be answered in parts, or whose answer must be heard before
        what follows it."""
        if self.over is not None or self._connection is None:
            on_part(request.failure(FailureCode.UNAVAILABLE, self.over or "not started"))
        elif self._serving.is_set():
            self._connection.ask_stream(request, on_part)
        else:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(_patience(request), self._drop, request.request_id)
            self._held[request.request_id] = (request, on_part, timer)

    def cancel(self, request_id: int) -> None:
        """Take back what was asked with :meth:`ask_stream`; nothing more is heard of it."""
        held = self._held.pop(request_id, None)
        if held is not None:
            held[2].cancel()
        elif self._connection is not None:
            self._connection.cancel(request_id)

    def give_back(self, message: ReturnData) -> None:
        """Items that reached nobody are for the next caller."""
        if self._connection is not None:
            self._connection.give_back(message)

    def _drop(self, request_id: int) -> None:
        request, on_part, _ = self._held.pop(request_id)
        on_part(request.failure(FailureCode.UNAVAILABLE, RESTARTING))

    def _serve_again(self) -> None:
        """Let go on what waited, also when there is nothing to wait for any more."""
        self._serving.set()
        held, self._held = self._held, {}
        for request, on_part, timer in held.values():
            timer.cancel()
            self.ask_stream(request, on_part)

    # ---- ending --------------------------------------------------------------------------

    async def stop_supervisor(self) -> None:
        """End the supervisor and its systems, also an attached one, and close."""
        await self._end(STOPPED, stop=True)

    async def close(self) -> None:
        """End an embedded runtime; leave an attached supervisor running."""
        await self._end("the manager is closed", stop=not self.is_attached)

    async def _end(self, why: str, *, stop: bool) -> None:
        if stop and self.is_attached and self.over is None and self.is_open:
            await self._wait_until_serving()
        is_first = self.over is None
        if is_first:
            self.over = why
        async with self._changing:
            connection = self._connection
            if self._loop is not None and self._loop.is_closed():
                self._connection = self._keeper = None  # nothing of them runs any more
            else:
                if self._keeper is not None and not self._serving.is_set():
                    self._keeper.cancel()  # it may be starting a runtime
                    await asyncio.wait([self._keeper])
                    connection = self._connection
                if connection is not None:
                    if is_first and stop:
                        await connection.ask(StopSupervisor())
                    await connection.close()
                self._serve_again()
                self._on_over(self.over or why)
            if self._keeper is not None:
                self._keeper.cancel()
            runtime, self._runtime = self._runtime, None
            if runtime is not None:
                await asyncio.to_thread(runtime.stop)

    async def _wait_until_serving(self) -> None:
        try:
            async with asyncio.timeout(RECOVERY_PATIENCE):
                await self._serving.wait()
        except TimeoutError:
            pass

    # ---- keeping -------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Lives as long as the event loop, whose end cancels it: a clean end for a host
        that never calls close."""
        try:
            await self._watch()
        except Exception as error:  # a bug, but those who wait shall not wait for ever
            _log.exception("the supervisor cannot be kept")
            self._give_up(f"the supervisor cannot be kept: {describe(error)}")
        finally:
            if self.over is None:
                self.over = "the manager's event loop has ended"
            if self._runtime is not None:
                self._runtime.let_go()
            # A loop closed under this task allows no more calls.
            if self._loop and not self._loop.is_closed():
                if self._connection is not None:
                    self._connection.abort()
                self._on_over(self.over)

    async def _watch(self) -> None:
        """See that the supervisor answers, and have it again when it is lost."""
        while True:
            try:
                async with asyncio.timeout(PING_EVERY):
                    await self._lost.wait()
            except TimeoutError:
                await self._see_that_it_answers()
            else:
                await self._recover()

    async def _see_that_it_answers(self) -> None:
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        # Once more after the first silence: the whole machine may have stood still.
        if await _answers(connection) or await _answers(connection) or not connection.is_open:
            return
        pid = connection.supervisor_pid
        connection.give_up("the supervisor does not answer")
        if self._runtime is None:
            return
        if pid is None:
            self._runtime.kill()
        else:
            kill(pid)  # its guardian starts the next

    async def _recover(self) -> None:
        """Have a supervisor again, whatever of its runtime was killed."""
        patience = REATTACH_PATIENCE if self.is_attached else RECOVERY_PATIENCE
        deadline = time.monotonic() + patience
        why = self._why_lost
        while self.over is None and time.monotonic() < deadline:
            self._lost.clear()
            if not self.is_attached and (self._runtime is None or not self._runtime.is_running):
                delay = self._history.next_delay(time.monotonic(), self._random)
                if delay is None:
                    break
                await asyncio.sleep(delay)
                try:
                    await self._replace_runtime()
                except (RuntimeError, OSError) as error:
                    why = str(error)
                    continue
                deadline = time.monotonic() + patience
            try:
                async with asyncio.timeout_at(_on_loop(deadline)):
                    if await self._reconnect():
                        return
            except TimeoutError:
                break
            await asyncio.sleep(RETRY)
        self._lost.clear()  # or who waits for it would go round for ever, and all others stand
        self._give_up(why)

    async def _replace_runtime(self) -> None:
        if self._runtime is not None:
            _log.warning("the runtime's root process ended; starting the runtime anew")
            await asyncio.to_thread(self._runtime.stop)
            self._runtime = None  # not before: this may be cancelled, and is done then by close
        self._runtime = await _start_runtime(self._options, self._record)

    async def _reconnect(self) -> bool:
        """One attempt; False if it is not there yet, or not any more."""
        try:
            connection = await self._dial()
        except OSError:
            return False
        try:
            await self._on_back(connection)
        except BaseException:
            connection.abort()
            raise
        if not connection.is_open:
            return False
        self._lost.clear()
        self._connection = connection
        self._serve_again()
        return True

    def _lose(self, why: str, for_good: bool) -> None:
        """A connection ended, asked for or not."""
        if self.over is not None:
            return
        if for_good:
            self._give_up(why)
        elif self._connection is None or not self._connection.is_open:  # else it is a former one
            self._why_lost = why
            if self._serving.is_set():
                self._serving.clear()
                self._on_lost(why, False)
            self._lost.set()

    def _give_up(self, why: str) -> None:
        if self.over is None:
            self.over = why
            self._is_refused = self.is_attached
            self._serve_again()
            if self._runtime is not None:
                self._runtime.let_go()
            self._on_lost(why, True)


def _patience(request: Request | SupervisorRequest) -> float:
    """Seconds that a request may wait for a supervisor to be restarted."""
    times = [RECOVERY_PATIENCE, request.timeout]
    if isinstance(request, RECEIVING_KINDS):
        times.append(request.wait)
    return min(time for time in times if time is not None)


def _on_loop(deadline: float) -> float:
    return asyncio.get_running_loop().time() + deadline - time.monotonic()


def _is_held(path: str) -> bool:
    """Whether a runtime holds the directory of a socket."""
    return not RuntimeDirectory(Path(path).parent).wait_until_free(0.0)


async def _answers(connection: SupervisorConnection) -> bool:
    try:
        async with asyncio.timeout(PING_PATIENCE):
            await connection.ask(Ping())
    except TimeoutError:
        return False
    return True


async def _start_runtime(options: SupervisorOptions, record: Record | None) -> EmbeddedRuntime:
    """Start a runtime in a thread; being cancelled has it end as soon as it is started."""
    started: concurrent.futures.Future[EmbeddedRuntime] = concurrent.futures.Future()

    def start() -> None:
        started.set_result(EmbeddedRuntime.start(options, record))

    try:
        await asyncio.to_thread(start)
    except asyncio.CancelledError:
        started.add_done_callback(lambda done: done.result().let_go())
        raise
    return started.result()
