"""Which processes are another's children, adopted ones too, as Linux tells it: proc(5)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from actors.unix_base.kernel.prctl import HAS_PRCTL


def child_pids() -> list[int]:
    """Of this process, as far as its main thread forked or adopted them, also those that have
    ended and are not waited for; none where the system does not tell.

    What is adopted is the main thread's. What another thread forked is that thread's, until
    that ends.
    """
    if not HAS_PRCTL:
        return []
    me = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{me}/children").read_text().split()]
    except OSError:  # not every kernel has the list
        return [pid for pid in _all_pids() if parent_of(pid) == me]


def parent_of(pid: int) -> int | None:
    """The parent of a process; None if it is gone, or the system does not tell."""
    fields = stat_of(pid)
    return None if fields is None else int(fields[1])


def stat_of(pid: int) -> list[str] | None:
    """The fields that the kernel has of a process, from its state on; None if it is gone, or the
    system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # its name, before that, may hold anything


def kill(pid: int) -> None:
    """End a process with SIGKILL, if it is there, and this user's."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _all_pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())
