"""Processes end when they should: at a crash, and with their parent.

When a parent is killed with SIGKILL it can tell nobody. On Linux the kernel can: a
process may ask to be killed when the one that forked it ends (prctl(2),
PR_SET_PDEATHSIG). Elsewhere nothing of this happens, and a runtime says so at its start.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence

from actors import loggers
from actors.unix_base.kernel.prctl import HAS_PRCTL, adopt_orphans, set_death_signal


def can_die_with_parent() -> bool:
    """Whether this system can end a process with its parent."""
    return HAS_PRCTL


def die_with_parent(parent: int) -> None:
    """Have this process killed with SIGKILL as soon as its parent ends.

    Runs in the process that is to die, and asks for the thread that forked it: that
    thread must be one that lives as long as its process.

    Args:
        parent: the process id of the parent, learnt before the fork; if it has ended by
            now, this process ends at once.
    """
    if not can_die_with_parent():
        return
    set_death_signal(signal.SIGKILL)
    # The parent may have ended between the fork and the prctl.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent_actor() -> None:
    """The same for an actor; does nothing where actors share the host's process."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)


def let_crashes_kill() -> None:
    """Have signals that mean a crash of native code end this process, as they do by default.

    Thespian gives every signal a handler. After a handler in Python the processor would
    run the faulting instruction again, for ever: a segfault would be a hang.
    """
    if multiprocessing.parent_process() is None:
        return  # actors share the host's process; its signals are the host's
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT):
        signal.signal(number, signal.SIG_DFL)


def end_descendants_with_parents(private_fds: Sequence[int] = ()) -> None:
    """Have every process that is forked from this one from now on end with its parent.

    For the root process of a runtime, before it starts the actor system. Thespian forks
    its admin twice, so that the admin's parent ends at once; this process adopts it.

    Args:
        private_fds: descriptors that the forked processes are to close.
    """
    if not can_die_with_parent():
        logging.getLogger(loggers.LIFELINE).warning(
            "on %s a process is not ended with its parent: after a kill -9 of a supervisor, "
            "end its system processes by hand",
            sys.platform,
        )
    adopt_orphans()
    root = forker = os.getpid()
    generation = 0

    def before() -> None:
        nonlocal forker
        forker = os.getpid()

    def in_child() -> None:
        nonlocal generation
        generation += 1
        if generation == 1:
            for fd in private_fds:
                os.close(fd)
            return  # forks the admin and exits
        if generation == 2 and can_die_with_parent():
            _wait_to_be_adopted(root, forker)
        die_with_parent(root if generation == 2 else forker)

    os.register_at_fork(before=before, after_in_child=in_child)


def _wait_to_be_adopted(root: int, forker: int) -> None:
    while (parent := os.getppid()) != root:
        if parent != forker:
            return  # the root is gone too: die_with_parent sees that
        time.sleep(0.0005)
