"""Having a supervisor, and having it again when it is lost.

A supervisor that was killed is restarted by its guardian, or by its root process; a root process
from here. Everything here runs on the host's event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Final

from actors import loggers
from actors.messages import Reply
from actors.unix_base.kernel.kinship import kill
from supervisor.client import waiting
from supervisor.client.connection import Event, SupervisorConnection, Told
from supervisor.client.waiting import WaitingRequests
from supervisor.messages import Ping
from supervisor.messages.record import KeepRecord, Record, RecordChanged, RecordKeeper
from supervisor.runtime.directory import RuntimeDirectory
from supervisor.runtime.embedded import EmbeddedRuntime
from supervisor.runtime.limits import RUNTIME_INTENSITY, SESSION_INTENSITY
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.restarts import RestartHistory

PING_EVERY = 5.0
"""Seconds between two questions whether the supervisor hangs."""
PING_PATIENCE = 10.0
"""Seconds that it may take to answer; it is asked twice."""
REATTACH_PATIENCE = 10.0
"""Seconds that somebody else's supervisor may take to come back."""
RETRY: Final = 0.01
"""Seconds between two attempts to reach it."""

_log = logging.getLogger(loggers.MANAGER)


class Recovery:
    """Of one session; what is asked meanwhile waits."""

    def __init__(
        self,
        options: SupervisorOptions,
        waiting_requests: WaitingRequests,
        on_event: Callable[[Event], None],
        on_back: Callable[[SupervisorConnection], Awaitable[None]],
        on_lost: Callable[[str, bool], None],
    ) -> None:
        """
        Args:
            options: of an embedded supervisor.
            waiting_requests: let go on when there is a supervisor, or none to be had.
            on_event: as of :class:`~supervisor.client.session.Session`; also the others.
        """
        self._options = options
        self._socket_path: str | None = None
        """Of a standalone supervisor."""
        self._waiting = waiting_requests
        self._on_event = on_event
        self._on_back = on_back
        self._on_lost = on_lost
        self.runtime: EmbeddedRuntime | None = None
        self.connection: SupervisorConnection | None = None
        self.lost = asyncio.Event()
        """Set from the loss of a connection until it is dealt with."""
        self.over: str | None = None
        """Why there is no supervisor any more, for good; None while there may be one."""
        self.is_refused = False
        """Whether a supervisor to attach to ended it, or one that cannot be spoken with."""
        self._keeper = RecordKeeper()
        """What an embedded supervisor has registered, for the runtime after this one."""
        self._history = RestartHistory(RUNTIME_INTENSITY)
        self._losses = RestartHistory(SESSION_INTENSITY)
        self._random = Random()
        self._why_lost = ""

    @property
    def is_attached(self) -> bool:
        """Whether the supervisor is somebody else's, and may have systems already."""
        return self._socket_path is not None

    @property
    def path(self) -> str:
        if self._socket_path is not None:
            return self._socket_path
        return "" if self.runtime is None else self.runtime.socket_path

    def attach_to(self, socket_path: str) -> None:
        """Have somebody else's supervisor; there is none yet."""
        self._socket_path = socket_path

    async def connect_first(self) -> None:
        if self._socket_path is None and self.runtime is None:
            self.runtime = await _start_runtime(self._options, None)
        deadline = time.monotonic() + REATTACH_PATIENCE
        while True:
            try:
                self.connection = await self._dial()
                if self.connection.is_open:
                    self._waiting.end()
                return
            except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
                # A supervisor that is being restarted is there, in a way.
                if _is_held(self.path) and time.monotonic() < deadline:
                    await asyncio.sleep(RETRY)
                    continue
                raise ConnectionError(
                    f"no supervisor runs at {self.path}; start one with 'extsys run'"
                ) from error
            except OSError as error:
                if error.strerror is None:
                    raise  # it says itself who is there
                text = f"no supervisor can be reached at {self.path}: {error.strerror}"
                raise ConnectionError(text) from error

    async def watch(self) -> None:
        """See that the supervisor answers, and have it again when it is lost."""
        while True:
            try:
                async with asyncio.timeout(PING_EVERY):
                    await self.lost.wait()
            except TimeoutError:
                await self._see_that_it_answers()
            else:
                await self._recover()

    async def _see_that_it_answers(self) -> None:
        connection = self.connection
        if connection is None or not connection.is_open:
            return
        # Once more after the first silence: the whole machine may have stood still.
        if await _answers(connection) or await _answers(connection) or not connection.is_open:
            return
        pid = connection.peer_pid
        connection.give_up("the supervisor does not answer")
        if self.runtime is None:
            return
        if pid is None:
            self.runtime.kill()
        else:
            kill(pid)  # its guardian starts the next

    async def _recover(self) -> None:
        """Have a supervisor again, whatever of its runtime was killed."""
        patience = REATTACH_PATIENCE if self.is_attached else waiting.RECOVERY_PATIENCE
        deadline = time.monotonic() + patience
        why = self._why_lost
        pause = self._losses.next_delay(time.monotonic(), self._random)
        if pause is None:
            # It answers, and hangs up on all that follows: no next attempt will be better.
            self.lost.clear()
            self.give_up(f"{why}, again and again")
            return
        await asyncio.sleep(pause)
        while self.over is None and time.monotonic() < deadline:
            self.lost.clear()
            if not self.is_attached and (self.runtime is None or not self.runtime.is_running):
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
        self.lost.clear()  # or who waits for it would go round for ever, and all others stand
        self.give_up(why)

    async def _replace_runtime(self) -> None:
        if self.runtime is not None:
            _log.warning("the runtime's root process ended; starting the runtime anew")
            await asyncio.to_thread(self.runtime.stop)
            self.runtime = None  # not before: this may be cancelled, and is done then by close
        self.runtime = await _start_runtime(self._options, self._keeper.record)

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
        self.lost.clear()
        self.connection = connection
        self._waiting.end()
        return True

    # ---- the connection ------------------------------------------------------------------

    async def _dial(self) -> SupervisorConnection:
        connection = await SupervisorConnection.open(self.path, self._hear, self._lose)
        if not self.is_attached:
            connection.ask_stream(KeepRecord(), self._take_record)
        return connection

    def _take_record(self, reply: Reply) -> None:
        self._keeper.hear(reply)

    def _hear(self, event: Told) -> None:
        if isinstance(event, RecordChanged):
            self._keeper.hear(event)
        else:
            self._on_event(event)

    def _lose(self, why: str, for_good: bool) -> None:
        """A connection ended, asked for or not."""
        if self.over is not None:
            return
        if for_good:
            self.give_up(why)
        elif self.connection is None or not self.connection.is_open:  # else it is a former one
            self._why_lost = why
            if not self._waiting.is_needed:
                self._waiting.begin()
                self._on_lost(why, False)
            self.lost.set()

    def give_up(self, why: str) -> None:
        if self.over is None:
            self.over = why
            self.is_refused = self.is_attached
            self._waiting.end()
            if self.runtime is not None:
                self.runtime.let_go()
            self._on_lost(why, True)


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
