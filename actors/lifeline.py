"""No process outlives its parent, or a fault of its own.

When a parent is killed with SIGKILL it can tell nobody. On Linux the kernel can: a
process may ask to be killed when the one that forked it ends (prctl(2),
PR_SET_PDEATHSIG). Elsewhere this does nothing, and says so once.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _prctl(option: int, value: int) -> None:
    if _libc is None:
        return
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}, {value}): {os.strerror(code)}")


def die_with_parent(parent: int | None = None) -> None:
    """Have this process killed with SIGKILL as soon as its parent ends.

    Runs in the process that is to die, and asks for the thread that forked it: that
    thread must be one that lives as long as its process.

    Args:
        parent: the process id expected as parent; if it is another one by now, the
            parent has already ended, and this process ends at once.
    """
    if _libc is None:
        logging.getLogger(__name__).warning(
            "on %s a process is not ended with its parent: after a kill -9 of a supervisor, "
            "end its system processes by hand",
            sys.platform,
        )
        return
    expected = os.getppid() if parent is None else parent
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended between the fork and the prctl.
    if os.getppid() != expected:
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent_actor() -> None:
    """The same for an actor; does nothing where actors share the host's process."""
    if multiprocessing.parent_process() is not None:
        die_with_parent()


def end_at_a_fault() -> None:
    """Have a segmentation fault, and its like, end an actor's process.

    Thespian catches every signal. With a handler written in Python the faulty instruction
    runs again and again: the process neither ends nor does anything else.
    """
    if multiprocessing.parent_process() is None:
        return  # actors share the host's process; its signals are the host's
    for fault in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT):
        signal.signal(fault, signal.SIG_DFL)


def end_descendants_with_parents() -> None:
    """Have every process that is forked from this one from now on end with its parent.

    For the root process of a runtime, before it starts the actor system. Thespian forks
    its admin twice, so that the admin's parent ends at once; this process adopts it.
    """
    if _libc is None:
        return
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    root = os.getpid()
    generation = 0

    def in_child() -> None:
        nonlocal generation
        generation += 1
        if generation == 1:
            return  # forks the admin and exits
        if generation == 2:
            _wait_to_be_adopted(root)
        die_with_parent(root if generation == 2 else None)

    os.register_at_fork(after_in_child=in_child)


def _wait_to_be_adopted(root: int) -> None:
    first_parent = os.getppid()
    while (parent := os.getppid()) != root:
        if parent != first_parent:
            return  # the root is gone too: die_with_parent sees that
        time.sleep(0.0005)
