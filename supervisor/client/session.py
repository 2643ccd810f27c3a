"""A host's session with a supervisor: its own embedded one, or a standalone one.

Everything here runs on the host's event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from actors import loggers
from actors.errors import describe
from actors.messages import FailureCode, Reply, Request
from supervisor.client import waiting
from supervisor.client.connection import STOPPED, Event, SupervisorConnection
from supervisor.client.own_process import OwnProcess
from supervisor.client.recovery import Recovery
from supervisor.client.waiting import WaitingRequests
from supervisor.messages import ReturnData, StopSupervisor, Subscribe, SupervisorRequest
from supervisor.specs.options import SupervisorOptions

_log = logging.getLogger(loggers.MANAGER)


class Session:
    """From the first request to the last. Ends with :meth:`close`, with the supervisor if
    that is not to be had again, or with the event loop, whichever comes first. While a
    supervisor that was lost is restarted, requests wait.
    """

    def __init__(
        self,
        options: SupervisorOptions,
        on_event: Callable[[Event], None],
        on_back: Callable[[SupervisorConnection], Awaitable[None]],
        on_lost: Callable[[str, bool], None],
        on_over: Callable[[str], None],
    ) -> None:
        """
        Args:
            options: of an embedded supervisor, which it is until :meth:`attach_to`.
            on_event: called with each event subscribed to.
            on_back: awaited when the supervisor is there again, before any request that
                waited is sent.
            on_lost: called with the reason when the supervisor has ended, and whether that
                is for good.
            on_over: called, with the reason, once nothing can be asked any more, however
                that came about; perhaps more than once.
        """
        self._on_over = on_over
        self._waiting = WaitingRequests(self.ask_stream)
        self._recovery = Recovery(options, self._waiting, on_event, on_back, on_lost)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: OwnProcess | None = None
        """Where it is in use; None before that."""
        self._keeper: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        """Held while it opens or ends: neither must see the other half done."""

    def attach_to(self, socket_path: str) -> None:
        """Have the supervisor at this socket; before anything is asked."""
        self._recovery.attach_to(socket_path)

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not ended; also while a supervisor is restarted."""
        recovery = self._recovery
        return recovery.connection is not None and recovery.over is None

    @property
    def is_attached(self) -> bool:
        """Whether the supervisor is somebody else's, and may have systems already."""
        return self._recovery.is_attached

    @property
    def over(self) -> str | None:
        """Why nothing can be asked any more; None while it can."""
        return self._recovery.over

    @property
    def supervisor_pid(self) -> int | None:
        """The supervisor's process; None while there is none, or where nobody can tell."""
        connection = self._recovery.connection
        if self.over is not None or connection is None or not connection.is_open:
            return None
        return connection.peer_pid

    @property
    def max_payload_bytes(self) -> int | None:
        """The size of an item that the supervisor takes, once it has said so."""
        connection = self._recovery.connection
        return None if connection is None else connection.max_payload_bytes

    @property
    def state_dir(self) -> str | None:
        """Where the supervisor's journal is, or would be, once it has said so."""
        connection = self._recovery.connection
        return None if connection is None else connection.state_dir

    @property
    def is_in_fork(self) -> bool:
        """Whether this is a copy, in a fork of the process that has it."""
        return self._process is not None and not self._process.is_here

    def check_process(self) -> None:
        """Make sure that this is no copy in a fork, once it is in use.

        Raises:
            RuntimeError: it is one.
        """
        if self._process is not None:
            self._process.check()

    def check_loop(self) -> None:
        """Belong to the running event loop from now on.

        Raises:
            RuntimeError: it belongs to another one, or to another process.
        """
        self.check_process()
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._process = OwnProcess("an ExternalSystemManager")
        elif self._loop is not loop:
            raise RuntimeError("an ExternalSystemManager belongs to the event loop it started on")

    async def open(self) -> None:
        """Start the runtime, or find the supervisor, and connect to it.

        Raises:
            RuntimeError: the runtime did not start, or the session is over.
            OSError: there is no supervisor to attach to, or it is of another version.
        """
        async with self._changing:
            if self.over is None and self._recovery.connection is None:
                # First of all: from here on the end of the loop ends the runtime.
                self._keeper = self._keeper or asyncio.create_task(
                    self._keep(), name="extsys-keeper"
                )
                await self._recovery.connect_first()
        if self.over is not None:  # it may have been closed meanwhile
            raise (
                ConnectionError(self.over) if self._recovery.is_refused else RuntimeError(self.over)
            )

    # ---- asking --------------------------------------------------------------------------

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Send a request and wait for its reply. Being cancelled takes the request back."""
        if self._waiting.is_needed and self.is_open:
            failure = await self._waiting.wait(request)
            if failure is not None:
                return failure
        connection = self._recovery.connection
        if self.over is not None or connection is None:
            return request.failure(FailureCode.UNAVAILABLE, self.over or "not started")
        return await connection.ask(request)

    def ask_stream(self, request: Request | Subscribe, on_part: Callable[[Any], None]) -> None:
        """Send a request that may be answered in parts, or whose answer must be heard before
        what follows it."""
        connection = self._recovery.connection
        if self.over is not None or connection is None:
            on_part(request.failure(FailureCode.UNAVAILABLE, self.over or "not started"))
        elif self._waiting.is_needed:
            self._waiting.hold(request, on_part)
        else:
            connection.ask_stream(request, on_part)

    def cancel(self, request_id: int) -> None:
        """Take back what was asked with :meth:`ask_stream`; nothing more is heard of it."""
        connection = self._recovery.connection
        if not self._waiting.cancel(request_id) and connection is not None:
            connection.cancel(request_id)

    def give_back(self, message: ReturnData) -> None:
        """Items that reached nobody are for the next caller."""
        if self._recovery.connection is not None:
            self._recovery.connection.give_back(message)

    # ---- ending --------------------------------------------------------------------------

    async def stop_supervisor(self) -> None:
        """End the supervisor and its systems, also an attached one, and close."""
        await self._end(STOPPED, stop=True)

    async def close(self) -> None:
        """End an embedded runtime; leave an attached supervisor running."""
        await self._end("the manager is closed", stop=not self.is_attached)

    async def _end(self, why: str, *, stop: bool) -> None:
        self.check_process()
        recovery = self._recovery
        if stop and self.is_attached and self.is_open:
            await self._waiting.wait_for(waiting.RECOVERY_PATIENCE)
        is_first = self.over is None
        if is_first:
            recovery.over = why
        async with self._changing:
            if self._loop is not None and self._loop.is_closed():
                recovery.connection = self._keeper = None  # nothing of them runs any more
            else:
                if self._keeper is not None and self._waiting.is_needed:
                    self._keeper.cancel()  # it may be starting a runtime
                    await asyncio.wait([self._keeper])
                connection = recovery.connection
                if connection is not None:
                    if is_first and stop:
                        await connection.ask(StopSupervisor())
                    await connection.close()
                self._waiting.end()
                self._on_over(self.over or why)
            if self._keeper is not None:
                self._keeper.cancel()
            runtime, recovery.runtime = recovery.runtime, None
            if runtime is not None:
                await asyncio.to_thread(runtime.stop)

    async def _keep(self) -> None:
        """Lives as long as the event loop, whose end cancels it: a clean end for a host
        that never calls close."""
        recovery = self._recovery
        try:
            await recovery.watch()
        except Exception as error:  # a bug, but those who wait shall not wait for ever
            _log.exception("the supervisor cannot be kept")
            recovery.give_up(f"the supervisor cannot be kept: {describe(error)}")
        finally:
            if not self.is_in_fork:  # whose loop is a copy, too
                self._end_with_loop()

    def _end_with_loop(self) -> None:
        recovery = self._recovery
        if recovery.over is None:
            recovery.over = "the manager's event loop has ended"
        if recovery.runtime is not None:
            recovery.runtime.let_go()
        # A loop closed under this task allows no more calls.
        if self._loop and not self._loop.is_closed():
            if recovery.connection is not None:
                recovery.connection.abort()
            self._on_over(recovery.over)
