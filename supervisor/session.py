"""A host's session with a supervisor: its own embedded one, or a standalone one.

Everything here runs on the host's event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable

from actors.messages import Failure, FailureCode, ManySent, Reply, Request, SendMany
from supervisor.connection import STOPPED, Event, SupervisorConnection
from supervisor.embedded import EmbeddedRuntime
from supervisor.messages import Ping, StopSupervisor, SupervisorRequest
from supervisor.options import SupervisorOptions

PING_EVERY = 5.0
"""Seconds between two questions whether the supervisor hangs."""
PING_PATIENCE = 10.0
"""Seconds that it may take to answer; it is asked twice."""


class Session:
    """From the first request to the last. Ends with :meth:`close`, with the supervisor, or
    with the event loop, whichever comes first."""

    def __init__(
        self,
        options: SupervisorOptions,
        socket_path: str | None,
        on_event: Callable[[Event], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """
        Args:
            options: of an embedded supervisor.
            socket_path: of a standalone one; None starts an embedded one.
            on_event: called with each event subscribed to.
            on_lost: called with the reason when the supervisor ends unasked.
        """
        self._options = options
        self._socket_path = socket_path
        self._on_event = on_event
        self._on_lost = on_lost
        self._runtime: EmbeddedRuntime | None = None
        self._connection: SupervisorConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        """Held while it opens or ends: neither must see the other half done."""
        self.over: str | None = None
        """Why nothing can be asked any more; None while it can."""

    @property
    def is_open(self) -> bool:
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

    async def open(self) -> None:
        """Start the runtime, or find the supervisor, and connect to it.

        Raises:
            RuntimeError: the runtime did not start, or the session is over.
            OSError: there is no supervisor to attach to.
        """
        async with self._changing:
            if self.over is None:
                # First of all: from here on the end of the loop ends the runtime.
                self._keeper = self._keeper or asyncio.create_task(
                    self._keep(), name="extsys-keeper"
                )
                await self._connect()
        if self.over is not None:  # it may have been closed meanwhile
            raise RuntimeError(self.over)

    async def _connect(self) -> None:
        path = self._socket_path
        if path is None:
            if self._runtime is None:
                self._runtime = await _start_runtime(self._options)
            path = self._runtime.socket_path
        try:
            self._connection = await SupervisorConnection.open(path, self._on_event, self._lose)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ConnectionError(
                f"no supervisor runs at {path}; start one with 'extsys run'"
            ) from error

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Send a request and wait for its reply. Being cancelled takes the request back."""
        if self.over is not None or self._connection is None:
            return request.failure(FailureCode.UNAVAILABLE, self.over or "not started")
        return await self._connection.ask(request)

    def ask_stream(self, request: SendMany, on_part: Callable[[ManySent | Failure], None]) -> None:
        """Send a request that is answered in parts."""
        if self.over is not None or self._connection is None:
            on_part(request.failure(FailureCode.UNAVAILABLE, self.over or "not started"))
        else:
            self._connection.ask_stream(request, on_part)

    async def stop_supervisor(self) -> None:
        """End the supervisor and its systems, also an attached one, and close."""
        await self._end(STOPPED, stop=True)

    async def close(self) -> None:
        """End an embedded runtime; leave an attached supervisor running."""
        await self._end("the manager is closed", stop=not self.is_attached)

    async def _end(self, why: str, *, stop: bool) -> None:
        is_first = self.over is None
        if is_first:
            self.over = why
        async with self._changing:
            connection = self._connection
            if self._loop is not None and self._loop.is_closed():
                self._connection = self._keeper = None  # nothing of them runs any more
            elif connection is not None:
                if is_first and stop:
                    await connection.ask(StopSupervisor())
                await connection.close()
            if self._keeper is not None:
                self._keeper.cancel()
            runtime, self._runtime = self._runtime, None
            if runtime is not None:
                await asyncio.to_thread(runtime.stop)

    async def _keep(self) -> None:
        """Lives as long as the event loop, whose end cancels it: a clean end for a host
        that never calls close."""
        try:
            await self._watch()
        finally:
            if self.over is None:
                self.over = "the manager's event loop has ended"
            if self._runtime is not None:
                self._runtime.let_go()
            # A loop closed under this task allows no more calls.
            if self._connection is not None and self._loop and not self._loop.is_closed():
                self._connection.abort()

    async def _watch(self) -> None:
        """See that the supervisor answers; one that hangs is given up."""
        while True:
            await asyncio.sleep(PING_EVERY)
            connection = self._connection
            if connection is None or not connection.is_open:
                continue
            # Once more after the first silence: the whole machine may have stood still.
            if not await _answers(connection) and not await _answers(connection):
                connection.give_up("the supervisor does not answer")
                if self._runtime is not None:
                    self._runtime.let_go()

    def _lose(self, why: str) -> None:
        if self.over is None:
            self.over = why
            self._on_lost(why)


async def _answers(connection: SupervisorConnection) -> bool:
    try:
        async with asyncio.timeout(PING_PATIENCE):
            await connection.ask(Ping())
    except TimeoutError:
        return False
    return True


async def _start_runtime(options: SupervisorOptions) -> EmbeddedRuntime:
    """Start a runtime in a thread; being cancelled has it end as soon as it is started."""
    started: concurrent.futures.Future[EmbeddedRuntime] = concurrent.futures.Future()

    def start() -> None:
        started.set_result(EmbeddedRuntime.start(options))

    try:
        await asyncio.to_thread(start)
    except asyncio.CancelledError:
        started.add_done_callback(lambda done: done.result().let_go())
        raise
    return started.result()
