"""The scribe of a runtime: the process that reads what all others say.

Nobody who works may wait for whoever reads a log. So all processes of a runtime write into pipes,
which a process empties that does nothing else. It is a child of the root, who starts another one
when it is killed; what was written meanwhile is still in the pipes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from actors.processes.outlet import Outlet, never_wait_for_readers
from actors.unix_base.kernel.descriptors import let_go, open_descriptors
from actors.unix_base.kernel.prctl import HAS_PRCTL, set_death_signal
from supervisor.runtime.limits import RUNTIME_INTENSITY
from supervisor.runtime.processes import open_pidfd, wait_readable
from supervisor.runtime.scribing import LAST_WORDS, Scribing
from supervisor.specs.restarts import RestartHistory

_IGNORED: Final = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTOU, signal.SIGTSTP),
)
"""What is sent to all processes of a runtime, or of a terminal, is not for the one that is to
write down what becomes of it."""
_PATIENCE: Final = 2 * LAST_WORDS
"""Seconds that it may take to end, once all others have."""


class Scribe:
    """In the root's process, whose standard output and error go to it."""

    def __init__(self, socket_path: str, show: int | None) -> None:
        """
        Args:
            socket_path: of the supervisor, when there will be one.
            show: as of :class:`Scribing`.

        Raises:
            RuntimeError: there is no room for one more process, or for its descriptors.
        """
        self._socket_path = socket_path
        self._show = show
        self._history = RestartHistory(RUNTIME_INTENSITY)
        self._random = random.Random()
        self.pid = 0
        self.fd: int | None = None
        """Readable once it is gone; None where the system has no such thing."""
        self._log_fd = _copy_of(2)
        try:
            # Kept open for reading, too: so nobody gets an EPIPE while there is no scribe.
            self._lines_fd, lines = os.pipe()
            os.set_blocking(self._lines_fd, False)
            self._start()
        except OSError as error:
            raise RuntimeError(f"the runtime's scribe did not start: {error}") from error
        os.dup2(lines, 1)
        os.dup2(lines, 2)
        os.close(lines)
        never_wait_for_readers()

    def revive(self) -> None:
        """Start another one if it has ended, but not for ever."""
        if self.fd is None or not wait_readable([self.fd], 0.0):
            return
        os.close(self.fd)
        self.fd = None
        if self._history.next_delay(time.monotonic(), self._random) is not None:
            self._start()

    def finish(self) -> None:
        """Wait, but not for long, until it has written all to the log: after all others of the
        runtime have ended. What this process says from then on goes to where the log went."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(self._log_fd, 1)
        os.dup2(self._log_fd, 2)
        os.close(self._log_fd)
        os.close(self._lines_fd)
        deadline = time.monotonic() + _PATIENCE
        if self.fd is not None:
            ended = bool(wait_readable([self.fd], _PATIENCE))
            os.close(self.fd)
            self.fd = None
        else:
            while not (ended := _has_ended(self.pid)) and time.monotonic() < deadline:
                time.sleep(0.005)
        if not ended:
            os.kill(self.pid, signal.SIGKILL)
        _has_ended(self.pid)

    def _start(self) -> None:
        root_fd = open_pidfd(os.getpid())
        try:
            self.pid = os.fork()
            if not self.pid:
                self._be_it(root_fd)
        finally:
            if root_fd is not None:
                os.close(root_fd)
        self.fd = open_pidfd(self.pid)

    def _be_it(self, root_fd: int | None) -> None:
        """Runs in the scribe's process, and ends it."""
        try:
            if HAS_PRCTL:
                # One that stands still is to see that the root is gone, and end.
                set_death_signal(signal.SIGCONT)
            signal.set_wakeup_fd(-1)
            for number in _IGNORED:
                signal.signal(number, signal.SIG_IGN)
            keep = {self._lines_fd, self._log_fd, *([] if root_fd is None else [root_fd])}
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for fd in (0, 1, 2):  # those may be the pipe that is to come to its end
                os.dup2(null, fd)
            let_go(open_descriptors(), keep)
            Scribing(self._lines_fd, root_fd, self._log_fd, self._socket_path, self._show).run()
        except BaseException:  # what is above on the stack is the root's
            import traceback

            Outlet(self._log_fd).put(traceback.format_exc().encode())
        finally:
            os._exit(0)


@contextmanager
def scribe_of(socket_path: str, show: int | None) -> Iterator[Scribe]:
    """Have all that this process and its descendants say go through a scribe, to the end."""
    scribe = Scribe(socket_path, show)
    try:
        yield scribe
    finally:
        scribe.finish()


def _copy_of(fd: int) -> int:
    """Another descriptor of the same file, or of none."""
    try:
        return os.dup(fd)
    except OSError:  # this process was started without one
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
