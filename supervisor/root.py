"""The root process of a runtime: small and clean, for everything else is forked from it.

It starts the actor system and the supervisor, waits for a reason to stop, and leaves
nothing behind. An embedded runtime's root is started by its host and dies with it; a
standalone one is ``extsys run`` itself.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from actors.lifeline import can_die_with_parent, child_pids, end_descendants_with_parents
from actors.logs import log_to_stderr
from supervisor.directory import RuntimeDirectory
from supervisor.messages import (
    StopSupervisor,
    SupervisorClosing,
    SupervisorReady,
)
from supervisor.options import SupervisorOptions
from supervisor.record import ConfigureSupervisor
from supervisor.wire import FrameReader, encode_frame

START_TIMEOUT: Final = 20.0
"""Seconds the supervisor may take to answer for the first time."""
ORPHAN_GRACE: Final = 0.5
"""Seconds that systems have to disconnect in when the host has died."""
EXIT_OK: Final = 0
EXIT_SUPERVISOR_DIED: Final = 70


class Root:
    """One runtime, from start to end. Everything here runs in the root process."""

    def __init__(self, directory: RuntimeDirectory, options: SupervisorOptions) -> None:
        self._directory = directory
        self._options = options
        self._actor_system: Any = None
        self._admin_pid: int | None = None
        self.connection: RootConnection | None = None

    def start(self, private_fds: Sequence[int] = ()) -> None:
        """Start the actor system and the supervisor, and attach to it.

        Args:
            private_fds: descriptors of this process that no other is to inherit.

        Raises:
            RuntimeError: the actor system or the supervisor did not start.
        """
        from supervisor.base import start_actor_system
        from supervisor.supervisor import Supervisor

        end_descendants_with_parents(private_fds)
        self._actor_system = start_actor_system(str(self._directory.path / "thespian.log"))
        address = self._actor_system.createActor(Supervisor)
        request = ConfigureSupervisor(self._options, self._directory.socket_path)
        ready = self._actor_system.ask(address, request, START_TIMEOUT)
        if not isinstance(ready, SupervisorReady):
            raise RuntimeError(f"the supervisor did not start: {ready}")
        self._admin_pid = ready.parent_pid
        # Orphans of any depth become children of this process: none is to stay a zombie.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self.connection = RootConnection(self._directory.socket_path)

    def wait(self, wake_fds: list[int], on_message: Callable[[Any], None] = lambda _: None) -> bool:
        """Wait until one of the descriptors is readable, or the supervisor ends.

        Args:
            on_message: called with what the supervisor says meanwhile.

        Returns:
            True for a descriptor, False for the supervisor.
        """
        assert self.connection is not None
        while not self.connection.at_end:
            if wait_readable([self.connection.fileno(), *wake_fds]) & set(wake_fds):
                return True
            for message in self.connection.read():
                on_message(message)
            if self.connection.closing:
                break
        return False

    def stop(self, grace: float | None, wake_fd: int | None = None) -> None:
        """Have all systems disconnect.

        Args:
            grace: seconds they have for it; None lets each take what its spec gives it.
            wake_fd: once it is readable, waiting for them ends.
        """
        assert self.connection is not None
        self.connection.send(StopSupervisor())
        deadline = None if grace is None else time.monotonic() + grace
        watched = [self.connection.fileno()] + ([] if wake_fd is None else [wake_fd])
        while not self.connection.at_end and not self.connection.closing:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self.connection.fileno() not in wait_readable(watched, wait):
                return
            for _ in self.connection.read():
                pass

    def end(self) -> None:
        """End every process of the runtime, and wait until they are gone.

        The systems have had their chance to disconnect in :meth:`stop`. Thespian's own
        shutdown now and then waits ten seconds for nothing, so it is left to where a
        process does not end with its parent.
        """
        if self.connection is not None:
            self.connection.close()
        if self._admin_pid is not None and can_die_with_parent():
            _kill(self._admin_pid)
        elif self._actor_system is not None:
            self._actor_system.shutdown()
        if not _wait_for_children(5.0):
            _log().error("some processes of the runtime are still there")


class RootConnection:
    """A blocking client connection, so that the root sees how the supervisor fares."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.connect(path)
        self._reader = FrameReader()
        self.at_end = False
        self.closing = False
        """Whether the supervisor said that it ends in order."""

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, *messages: Any) -> None:
        try:
            self._sock.sendall(encode_frame(messages))
        except OSError:
            self.at_end = True

    def read(self) -> Iterator[Any]:
        """What has come; waits for something."""
        try:
            data = self._sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.at_end = True
            return
        for message in self._reader.feed(data):
            if isinstance(message, SupervisorClosing):
                self.closing = True
            yield message

    def close(self) -> None:
        self._sock.close()


@contextmanager
def signals_as_descriptor(*numbers: signal.Signals) -> Iterator[int]:
    """A descriptor that is readable once one of these signals came."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    old_fd = signal.set_wakeup_fd(write_fd)
    try:
        yield read_fd
    finally:
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_fd)
        os.close(write_fd)


def wait_readable(fds: list[int], seconds: float | None = None) -> set[int]:
    """Those of the descriptors that are readable, once any is, or time is up."""
    poll = select.poll()  # select() takes no descriptor above 1023, and a host may have many
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}


def _wait_for_children(seconds: float) -> bool:
    """Wait for all children to end, also adopted ones; False if some are left after a while.

    Adopted ones, such as a connector's own subprocess, are killed: their owner is gone.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            if time.monotonic() >= deadline:
                return False
            for child in child_pids():
                _kill(child)
            time.sleep(0.005)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _log() -> logging.Logger:
    return logging.getLogger(__name__)


# ---- an embedded runtime's root --------------------------------------------------------


def run_embedded(lifeline_fd: int, ready_fd: int, host_pid: int) -> int:
    """Run a runtime for a host, until the host stops it or is gone.

    Args:
        lifeline_fd: a pipe from the host: first a line of JSON that says what to run,
            then nothing; its end is the host's end.
        ready_fd: a pipe to the host: one line of JSON when the runtime is up.

    Returns:
        the exit code.
    """
    setup = json.loads(_read_line(lifeline_fd))
    sys.path[:] = setup["sys_path"]
    log_to_stderr(setup["log_level"])
    directory = RuntimeDirectory(Path(setup["directory"]))
    root = Root(directory, SupervisorOptions(**setup["options"]))
    wake_fds = [lifeline_fd]
    host = _watch_process(host_pid)
    if host is not None:
        wake_fds.append(host)
    try:
        try:
            directory.take()
            root.start(private_fds=[ready_fd, *wake_fds])
        except Exception as error:
            _tell_host(ready_fd, {"error": f"{type(error).__name__}: {error}"})
            return EXIT_SUPERVISOR_DIED
        _tell_host(ready_fd, {"socket": directory.socket_path})
        return _serve_host(root, wake_fds)
    finally:
        root.end()
        directory.release(remove=True)


def _serve_host(root: Root, wake_fds: list[int]) -> int:
    assert root.connection is not None
    if root.wait(wake_fds):
        root.stop(ORPHAN_GRACE)
    elif not root.connection.closing:
        _log().error("the supervisor died; its systems were ended with it")
        return EXIT_SUPERVISOR_DIED
    return EXIT_OK


def _tell_host(ready_fd: int, answer: dict[str, str]) -> None:
    try:
        os.write(ready_fd, json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:
        pass  # nobody listens any more: the end of the lifeline says so
    os.close(ready_fd)


def _read_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(fd, 65536)
        if not data:
            raise SystemExit("the host ended before it said what to run")
        line += data
    return line


def _watch_process(pid: int) -> int | None:
    """A descriptor that is readable when the process is gone, where the system has them.

    The lifeline alone would not end while some other child of the host, forked later,
    holds a copy of it.
    """
    open_pidfd: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if open_pidfd is None:
        return None
    try:
        return open_pidfd(pid)
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(run_embedded(*map(int, sys.argv[1:])))
