"""The root process of a runtime: small and clean, for everything else is forked from it.

It starts the actor system and the guardian in it, which starts the supervisor. It starts
both again when they are killed, and leaves nothing behind when it ends. Above it is its reaper
(``reaper``): the process that a host started (``embedded_root``), or ``extsys run``.
"""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from actors import loggers
from actors.messages import Failure
from actors.processes.lifeline import can_die_with_parent, end_descendants_with_parents
from actors.unix_base.kernel.kinship import child_pids, kill
from supervisor.messages import (
    StopSupervisor,
    SupervisorClosing,
    SupervisorReady,
)
from supervisor.messages.record import ConfigureSupervisor, KeepRecord, Record, RecordKeeper
from supervisor.runtime.blocking_connection import BlockingConnection
from supervisor.runtime.directory import RuntimeDirectory
from supervisor.runtime.limits import RUNTIME_INTENSITY
from supervisor.runtime.processes import (
    WatchedProcess,
    wait_for_children,
    wait_readable,
)
from supervisor.runtime.scribe import Scribe
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.restarts import RestartHistory
from supervisor.specs.spec import GroupSpec

START_TIMEOUT: Final = 20.0
"""Seconds the supervisor may take to answer for the first time, or to come back."""
LAST_WORDS: Final = 1.0
"""Seconds that a supervisor which ends may take to tell its clients so."""

_RETRY: Final = 0.01
"""Seconds between two looks whether the next supervisor listens."""
_SWEEP: Final = 1.0
"""Seconds in which what a killed supervisor left behind is looked for."""
_LISTEN: Final = 0.1
"""Seconds between two looks, at the start, whether that is to be given up."""
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the directory, and at processes that the system has no
descriptors for."""


class Interrupted(Exception):
    """The runtime is to end before it was up."""


class Root:
    """One runtime, from start to end. Everything here runs in the root process, whose children
    are all the runtime's."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        options: SupervisorOptions,
        tree: GroupSpec | None = None,
        record: Record | None = None,
        scribe: Scribe | None = None,
        on_up: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            tree: the systems to start with.
            record: what to come back from; it has precedence over ``tree``.
            scribe: the child of this process that reads what all say, if there is one: it ends
                after the runtime.
            on_up: called once, when all systems have been started.
        """
        self._scribe = scribe
        self._on_up: Callable[[], None] | None = on_up
        self._directory = directory
        self._options = options
        self._tree = tree
        self._keeper = RecordKeeper(record)
        self._actor_system: Any = None
        self._admin: WatchedProcess | None = None
        self._guardian: WatchedProcess | None = None
        self._connection: BlockingConnection | None = None
        self._reconnect_by: float | None = None
        """Until when to wait for the next supervisor; None while connected."""
        self._sweep: float | None = None
        """Until when what the last supervisor left may still come to light."""
        self._look_at = 0.0
        self._history = RestartHistory(RUNTIME_INTENSITY)
        self._random = random.Random()

    def start(self, private_fds: Sequence[int], wake_fds: Sequence[int]) -> None:
        """Start the actor system and the supervisor, and attach to it. Called once.

        Args:
            private_fds: descriptors of this process that no other is to inherit; looked at
                whenever it forks.
            wake_fds: once one is readable, it is given up.

        Raises:
            RuntimeError: the actor system or the supervisor did not start.
            Interrupted: it was given up. What was started is still there.
        """
        end_descendants_with_parents(private_fds)
        self._start(wake_fds)

    def _start(self, wake_fds: Sequence[int]) -> None:
        from supervisor.runtime.actor_system import start_actor_system
        from supervisor.runtime.guardian import Guardian

        # What is forked now shall find what it would at any process's start.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _go_on_unless(wake_fds)
        self._actor_system = start_actor_system(self._directory.path)
        _go_on_unless(wake_fds)
        address = self._actor_system.createActor(Guardian)
        request = ConfigureSupervisor(
            self._options,
            self._directory.socket_path,
            self._tree,
            self._keeper.record,
            self._scribe is not None,
        )
        _go_on_unless(wake_fds)
        ready = _ask(self._actor_system, address, request, wake_fds)
        if not isinstance(ready, SupervisorReady):
            why = ready.text if isinstance(ready, Failure) else f"{ready or 'it says nothing'}"
            raise RuntimeError(f"the supervisor did not start: {why}")
        assert ready.admin_pid is not None
        assert ready.guardian_pid is not None
        self._admin = WatchedProcess(ready.admin_pid)
        self._guardian = WatchedProcess(ready.guardian_pid)
        # Orphans of any depth become children of this process: none is to stay a zombie.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self._reconnect_by = time.monotonic() + START_TIMEOUT
        self._reconnect()

    # ---- while it runs -------------------------------------------------------------------

    def wait(self, wake_fds: list[int]) -> SupervisorClosing | None:
        """Keep the runtime running until one of the descriptors is readable, or the
        supervisor ends for good.

        Returns:
            None for a descriptor, else what the supervisor said.

        Raises:
            ReplacedError: another runtime has its directory; this one still runs.
            RuntimeError: it cannot be kept running; the text says why.
        """
        while True:
            ready = self._wait_for_something(wake_fds)
            if time.monotonic() >= self._look_at:
                self._directory.look(time.time())
                self._look_at = time.monotonic() + _LOOK_EVERY
            if self._scribe is not None:
                self._scribe.revive()
            self._kill_adopted()
            if ready & set(wake_fds):
                return None
            connection = self._connection
            if connection is not None and connection.fileno() in ready:
                self._read(connection)
                if connection.closing is not None:
                    return connection.closing
            elif self._has_ended(self._admin) or self._has_ended(self._guardian):
                self._start_over(wake_fds)
                if wait_readable(wake_fds, 0.0):
                    return None
            elif connection is None:
                self._reconnect()

    def _wait_for_something(self, wake_fds: list[int]) -> set[int]:
        idle = self._connection is not None and self._sweep is None
        seconds = _LOOK_EVERY if idle else _RETRY
        fds = list(wake_fds)
        if self._connection is not None:
            fds.append(self._connection.fileno())
        if self._scribe is not None and self._scribe.fd is not None:
            fds.append(self._scribe.fd)
        for process in (self._admin, self._guardian):
            if process is not None and process.fd is not None:
                fds.append(process.fd)
        return wait_readable(fds, seconds)

    def _has_ended(self, process: WatchedProcess | None) -> bool:
        return process is None or process.has_ended

    def _read(self, connection: BlockingConnection) -> None:
        for message in connection.read():
            self._keeper.hear(message)
        on_up = self._on_up
        if on_up is not None and self._keeper.is_up:
            self._on_up = None
            on_up()
        if connection.at_end and connection.closing is None:
            self._disconnect()
            self._reconnect_by = time.monotonic() + START_TIMEOUT
            if can_die_with_parent():
                self._sweep = time.monotonic() + _SWEEP

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _reconnect(self) -> None:
        """Attach to the supervisor if one listens; end what does not come to that."""
        try:
            self._connection = BlockingConnection(self._directory.socket_path)
        except OSError:
            assert self._reconnect_by is not None
            assert self._guardian is not None
            if time.monotonic() >= self._reconnect_by:
                _log().error("no supervisor listened within %g s", START_TIMEOUT)
                self._guardian.kill()
            return
        self._reconnect_by = None
        self._connection.send(KeepRecord())

    def _kill_adopted(self) -> None:
        """Kill what this process has adopted: what a killed supervisor left behind, such as a
        connector's own programs, once all between are dead. On another base than ours those of
        a system come here, too, when that has ended."""
        known = {*self._spared, *(() if self._admin is None else (self._admin.pid,))}
        left = [pid for pid in child_pids() if pid not in known]
        for pid in left:
            kill(pid)
        if not left and self._sweep is not None and time.monotonic() > self._sweep:
            self._sweep = None

    def _start_over(self, wake_fds: Sequence[int]) -> None:
        """The actor system is broken: put a new one in its place."""
        which = "actor system's admin" if self._has_ended(self._admin) else "guardian"
        while True:
            delay = self._history.next_delay(time.monotonic(), self._random)
            if delay is None:
                most, period = RUNTIME_INTENSITY.max_restarts, RUNTIME_INTENSITY.period
                raise RuntimeError(
                    f"the {which} ended; it was started anew {most} times "
                    f"within {period:g} s already"
                )
            _log().error("the %s ended; starting the runtime anew", which)
            wait_readable(wake_fds, delay)
            self._clear_away()
            try:
                self._start(wake_fds)
            except Interrupted:
                return
            except Exception as error:
                _log().error("the runtime did not start: %s", error)
            else:
                return

    def _clear_away(self) -> None:
        """End all processes but this one."""
        from supervisor.runtime.actor_system import forget_actor_system

        self._disconnect()
        if self._admin is not None and can_die_with_parent():
            self._admin.kill()  # one that is not known yet is killed as a child below
        elif self._actor_system is not None and not can_die_with_parent():
            self._actor_system.shutdown()
        for process in (self._admin, self._guardian):
            if process is not None:
                process.close()
        self._admin = self._guardian = None
        if not wait_for_children(5.0, self._spared):
            _log().error("some processes of the runtime are still there")
        if self._actor_system is not None:
            forget_actor_system(self._actor_system)
            self._actor_system = None

    @property
    def _spared(self) -> tuple[int, ...]:
        """Children of this process that do not end with the rest."""
        return () if self._scribe is None else (self._scribe.pid,)

    # ---- the end -------------------------------------------------------------------------

    def stop(self, grace: float | None, wake_fds: Sequence[int] = ()) -> None:
        """Have all systems disconnect.

        Args:
            grace: seconds they have for it; None lets each take what its spec gives it.
            wake_fds: once one is readable, waiting for them ends.
        """
        connection = self._connection
        if connection is None:
            return  # the supervisor was killed, and its systems with it
        connection.send(StopSupervisor())
        deadline = None if grace is None else time.monotonic() + grace
        watched = [connection.fileno(), *wake_fds]
        while not connection.at_end and connection.closing is None:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if connection.fileno() not in wait_readable(watched, wait):
                return
            for _ in connection.read():
                pass

    def end(self) -> None:
        """End every process of the runtime, and wait until they are gone.

        The systems have had their chance to disconnect in :meth:`stop`. Thespian's own
        shutdown now and then waits ten seconds for nothing, so it is left to where a
        process does not end with its parent.
        """
        if self._connection is not None and self._connection.closing is not None:
            # Others are to hear why it ends before it is killed.
            self._connection.hang_up(LAST_WORDS)
        self._clear_away()


def _go_on_unless(wake_fds: Sequence[int]) -> None:
    if wait_readable(wake_fds, 0.0):
        raise Interrupted


def _ask(system: Any, address: Any, request: Any, wake_fds: Sequence[int]) -> Any:
    """Ask an actor, as long as nobody wants an end."""
    deadline = time.monotonic() + START_TIMEOUT
    answer = system.ask(address, request, _LISTEN)
    while answer is None and time.monotonic() < deadline:
        _go_on_unless(wake_fds)
        answer = system.listen(_LISTEN)
    return answer


def _log() -> logging.Logger:
    return logging.getLogger(loggers.ROOT)
