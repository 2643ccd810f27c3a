"""What a supervisor must have enough of to start systems: looked at beforehand."""

from __future__ import annotations

import errno
import os
import resource
from typing import Final

from actors.processes.shortages import RAISE, ShortageError, is_full

_HIGHEST: Final = 1 << 20
"""Descriptors above which the limit is not raised, for the sake of programs that go through all
numbers there may be."""
_OWN: Final = 40
"""Descriptors that a supervisor has for itself. Each of its systems costs one more,"""
_KEPT: Final = 16
"""and so many are kept free for its clients, and for what a start needs for a moment."""
_FILES: Final = 32
"""Each system makes a socket, a door and a tally, and several are being made."""


def raise_descriptor_limit() -> None:
    """Let this process, and all that is forked from it, have as many files open as it may. What a
    shell gives by default is for programs that use ``select``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _HIGHEST if hard == resource.RLIM_INFINITY else min(hard, _HIGHEST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        pass  # a system may allow less than it says; whoever needs more will say so


def too_many(systems: int) -> str | None:
    """What to say beforehand of so many systems, if they will not do with the open files that this
    process may have; else None."""
    limit = _limit()
    needed = systems + _OWN + _KEPT
    if limit is None or needed <= limit:
        return None
    return (
        f"{systems:,} systems need about {needed:,} open files, and this process may have "
        f"{limit:,}: {RAISE}"
    )


def require_descriptors() -> None:
    """Make sure that this process may open what it takes to start one more system.

    Raises:
        ShortageError: it may not.
    """
    limit = _limit()
    try:
        is_short = limit is not None and len(os.listdir("/dev/fd")) + _KEPT > limit
    except OSError as error:
        is_short = error.errno == errno.EMFILE
    if is_short:
        text = f"its supervisor may have {limit:,} files open, and has nearly as many: {RAISE}"
        raise ShortageError(errno.EMFILE, text)


def require_files(directory: str) -> None:
    """Make sure that there is room for the files of one more system, such as its sockets.

    Args:
        directory: of the runtime.

    Raises:
        ShortageError: there is none.
    """
    try:
        room = os.statvfs(directory)
    except OSError:
        return  # who makes the files will say why that cannot be
    no_inodes = bool(room.f_files) and room.f_favail < _FILES
    if no_inodes or (room.f_bavail == 0 and room.f_blocks):
        text = f"{is_full(directory, inodes=no_inodes)}, where its sockets are to be"
        raise ShortageError(errno.ENOSPC, text)


def _limit() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
