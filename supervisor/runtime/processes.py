"""What a runtime needs of the system: processes, signals, descriptors."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from actors.unix_base.kernel.kinship import child_pids, kill


class WatchedProcess:
    """A process, for as long as somebody looks; made while it surely runs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = open_pidfd(pid)
        """Readable once the process is gone; None where the system has no such thing."""

    @property
    def has_ended(self) -> bool:
        if self.fd is not None:
            return self.fd in wait_readable([self.fd], 0.0)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        """End it with SIGKILL; one that has ended is no error, nor is its successor hit."""
        try:
            if self.fd is not None:
                signal.pidfd_send_signal(self.fd, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Look no more."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def open_pidfd(pid: int) -> int | None:
    """A descriptor that is readable when the process is gone, where the system has them."""
    open_it: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if open_it is None:
        return None
    try:
        return open_it(pid)
    except OSError:
        return None


@contextmanager
def signals_as_descriptor(*numbers: signal.Signals) -> Iterator[int]:
    """A descriptor that is readable once one of these signals came, and gives their numbers.
    One that this process ignores, as ``nohup`` has it, stays ignored. Processes forked meanwhile
    take these signals as before."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: None) for number in heard}
    old_fd = signal.set_wakeup_fd(write_fd)
    active = True

    def restore() -> None:
        nonlocal active
        if not active:
            return
        active = False
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_fd)
        os.close(write_fd)

    # Else a signal for a child would wake this process.
    os.register_at_fork(after_in_child=restore)
    try:
        yield read_fd
    finally:
        restore()


def wait_readable(fds: Sequence[int], seconds: float | None = None) -> set[int]:
    """Those of the descriptors that are readable, once any is, or time is up."""
    poll = select.poll()  # select() takes no descriptor above 1023, and a host may have many
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}


def wait_for_children(seconds: float, spared: Container[int] = ()) -> bool:
    """Kill all children, also adopted ones, such as a connector's own subprocess, and wait
    until they have ended; False if some are left after a while.

    Args:
        spared: process ids of children that are left alone.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            left = [child for child in child_pids() if child not in spared]
            if spared and not left:
                return True
            if time.monotonic() >= deadline:
                return False
            for child in left:
                kill(child)
            time.sleep(0.005)


def newest_process(actor: Any) -> Any:
    """The ``multiprocessing.Process`` that an actor has just forked, where the base has one.
    Thespian does not show it; without it exit codes stay unknown, and nothing else."""
    processes = getattr(actor._myRef, "_child_procs", None)
    return processes[-1].childProc if processes else None
