"""The reaper of a runtime: the process above its root, which survives it.

When a process is killed, what ends with it by the kernel's doing are the runtime's own; what a
connector had started, in a session of its own perhaps, goes on, and is adopted by the nearest
process above that asked for orphans. The root does, and ends them; the reaper does the same for a
root that is killed. The root in turn notices the end of its reaper. So whichever is killed, one is
left that ends the rest.

All that is below the root is the runtime's. Not so what is below the reaper: a shell may have
started programs before it became ``extsys run``, and a process of number 1 adopts anybody's.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors import loggers
from actors.unix_base.kernel.kinship import child_pids, kill
from actors.unix_base.kernel.prctl import HAS_PRCTL, adopt_orphans
from supervisor.runtime.limits import EXIT_SUPERVISOR_DIED

MARK: Final = "EXTSYS_RUNTIME"
"""An environment variable, by which the programs of a runtime are told from others where it is
not enough that its reaper adopted them."""
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PATIENCE: Final = 2
"""Signals that are passed on; at the next one a root that does not end is killed."""
_ENDS_WITHIN: Final = 5.0
"""Seconds that processes may take to end after a SIGKILL."""
_LOOK_EVERY: Final = 0.005
"""Seconds between two looks at what is left."""
_SETTLES: Final = 1.0
"""Seconds between two looks at what others have left to this process; so long, too, what a runtime
has left is looked for among them."""


def run_with_reaper(work: Callable[[int | None], int], *, passes_on: bool) -> int:
    """Run a root in a child of this process, which becomes its reaper.

    Where the system knows no adoption of orphans the root runs in this process.

    Args:
        work: what the root does, and its exit code. It is given a descriptor that gives the
            numbers of signals that this process passes on, one byte each, and is at its end
            once this process is gone; None if it is in this process. In the child all ends with
            it: nothing that is above on the stack goes on.
        passes_on: whether signals that ask for an end are the root's to obey; else it is killed
            at the first of them, and its runtime with it. Those that this process ignores stay
            ignored. A root does not hear such signals itself: a service manager sends them to
            all processes that it knows, and once is enough.

    Returns:
        the exit code of the root. Nothing of the runtime is left by then.
    """
    if not HAS_PRCTL:
        return work(None)
    reaper = _Reaper(passes_on)
    return reaper.reap() if reaper.fork(work) else 0


class _Reaper:
    def __init__(self, passes_on: bool) -> None:
        self._passes_on = passes_on
        self._heard = {n for n in _PASSED_ON if signal.getsignal(n) is not signal.SIG_IGN}
        self._foreign = set(child_pids())
        """Children of before, which are somebody else's."""
        self._is_alone = not self._foreign and os.getpid() != 1
        """Whether whatever this process adopts is the runtime's."""
        self._mark = secrets.token_hex(8)
        self._root = 0
        self._obeyed = 0
        self._line: int | None = None
        """To the root; closed when this process ends."""

    def fork(self, work: Callable[[int | None], int]) -> bool:
        """Fork the root; in the root this does not return."""
        adopt_orphans()
        os.environ[MARK] = self._mark
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ours, self._line = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # From here on no signal is to be lost, nor to end the one without the other.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {*self._heard, signal.SIGCHLD})
        self._root = os.fork()
        if self._root:
            os.close(ours)
            return True
        code = EXIT_SUPERVISOR_DIED
        try:
            os.close(self._line)
            os.setpgid(0, 0)  # what a terminal tells all of a group is for the reaper alone
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            code = work(ours)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            _leave(code)
        raise AssertionError("unreachable")

    def reap(self) -> int:
        """Wait for the root, and end what it has left; its exit code."""
        while (status := self._look()) is None:
            number = self._next_signal()
            if number is not None and number != signal.SIGCHLD:
                self._obey(number)
        self._end_what_is_left()
        assert self._line is not None
        os.close(self._line)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return code
        text = "the runtime's root process was killed by %s; all its systems ended with it"
        logging.getLogger(loggers.ROOT).error(text, signal.Signals(-code).name)
        return EXIT_SUPERVISOR_DIED

    def _look(self) -> int | None:
        """Wait for what has ended; the status of the root, if it has."""
        here = set() if self._is_alone else {*child_pids()}
        status = self._wait_for_ended()
        if status is None:
            self._foreign = here - {self._root}  # the root was there: no orphan was below it
        return status

    def _next_signal(self) -> int | None:
        wanted = {*self._heard, signal.SIGCHLD}
        if self._is_alone:
            return signal.sigwait(wanted)
        came = signal.sigtimedwait(wanted, _SETTLES)
        return None if came is None else came.si_signo

    def _wait_for_ended(self) -> int | None:
        """Wait for all children that have ended; the status of the root, if it has."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if not pid:
                return found
            if pid == self._root:
                found = status
            self._foreign.discard(pid)  # its number may be one of ours next

    def _obey(self, number: int) -> None:
        self._obeyed += 1
        if not self._passes_on or self._obeyed > _PATIENCE:
            os.kill(self._root, signal.SIGKILL)  # it was not waited for yet
            return
        assert self._line is not None
        try:
            os.write(self._line, bytes([number]))
        except BrokenPipeError:
            pass  # it has just ended

    def _end_what_is_left(self) -> None:
        """Kill what is left of the runtime, and wait until it has ended. It dies from above: when
        one has ended, those it had started are adopted already."""
        now = time.monotonic()
        deadline, settled = now + _ENDS_WITHIN, now + (0.0 if self._is_alone else _SETTLES)
        while (now := time.monotonic()) < deadline:
            left = [pid for pid in child_pids() if self._is_ours(pid)]
            if not left and now >= settled:
                return
            for pid in left:
                kill(pid)
            self._wait_for_ended()
            time.sleep(_LOOK_EVERY)

    def _is_ours(self, pid: int) -> bool:
        if self._is_alone or pid in self._foreign:
            return self._is_alone
        # A fork has the environment that this process was started with; a program has the mark.
        environ = _environ_of(pid)
        return environ == _environ_of(os.getpid()) or f"{MARK}={self._mark}".encode() in environ


def _environ_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _leave(code: int) -> None:
    """End this process, a fork whose stack is somebody else's."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it
    os._exit(code)
