"""Having a process forked by one that is not to be its parent.

Whoever is to be the parent adopts orphans (:func:`actors.unix_base.prctl.adopt_orphans`).
The forker forks twice, and the process between the two ends.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from typing import Final

from actors.unix_base.kernel.kinship import kill
from actors.unix_base.kernel.prctl import death_signal, set_death_signal

_LOOK_EVERY: Final = 0.0002
"""Seconds between two looks whether a process is adopted,"""
_ENDS_WITHIN: Final = 0.005
"""or has ended."""


def fork_for(parent: int) -> bool:
    """Fork a process that is another one's child.

    It ends with that parent if whoever forked had a fork end with itself.

    Args:
        parent: the process that adopts, an ancestor of this one. What is forked ends at once if
            that is gone.

    Returns:
        whether this is the new process; in the forker it says nothing about whether there is one.

    Raises:
        OSError: in the forker, which could not fork.
    """
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return False
    try:
        return _fork_and_end(parent)
    except BaseException:  # what is above on the stack is the forker's
        os._exit(1)


def _fork_and_end(parent: int) -> bool:
    """Runs in the process between the two; comes back in the new one only."""
    between = os.getpid()
    reads, writes = os.pipe()
    if os.fork():
        os.close(writes)
        os.read(reads, 1)  # until the new process has closed its end, or ended
        os._exit(0)
    # What runs after forks may have set the signal: it would come with the end of "between".
    number = death_signal()
    set_death_signal(0)
    os.close(reads)
    os.close(writes)
    while os.getppid() == between:
        time.sleep(_LOOK_EVERY)
    set_death_signal(number)
    if os.getppid() != parent:
        os._exit(1)
    return True


class AdoptedProcess:
    """A child that this process did not fork by itself.

    It has of ``multiprocessing.Process`` what is used of a child that runs already.
    """

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self._has_ended = False
        self._exitcode: int | None = None

    @property
    def exitcode(self) -> int | None:
        """The number of a signal is negative; None while it runs, or if nobody knows."""
        self._wait(os.WNOHANG)
        return self._exitcode

    def is_alive(self) -> bool:
        self._wait(os.WNOHANG)
        return not self._has_ended

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end.

        Args:
            timeout: seconds; None is for ever.
        """
        if timeout is None:
            self._wait(0)
            return
        deadline = time.monotonic() + timeout
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(_ENDS_WITHIN)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if not self._has_ended:  # until it was waited for, nobody else has its number
            os.kill(self.pid, number)

    def _wait(self, options: int) -> None:
        if self._has_ended:
            return
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # somebody else waited for it
            self._has_ended = True
            return
        if pid:
            self._has_ended = True
            self._exitcode = os.waitstatus_to_exitcode(status)

    def __repr__(self) -> str:
        return f"<AdoptedProcess {self.name} pid={self.pid} exitcode={self._exitcode}>"


def end_strays(pids: Iterable[int]) -> bool:
    """Have children of this process end that it adopted, and nobody waits for.

    Returns:
        whether all have ended, and were waited for.
    """
    left = False
    for pid in pids:
        kill(pid)
        try:
            left |= os.waitpid(pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            pass  # waited for by the kernel
    return not left
