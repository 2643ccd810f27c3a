"""What a process runs out of when something cannot be started, and what to do about it."""

from __future__ import annotations

import errno
import os
from typing import Final

from actors.errors import describe

RAISE: Final = "raise it with 'ulimit -n', or with LimitNOFILE= of its service"
_PROCESSES: Final = (
    "no more processes and threads are allowed: raise 'ulimit -u', TasksMax= of its service, or "
    "pids.max of its cgroup"
)


class ShortageError(OSError):
    """There is not enough of something to start one more process; the text says of what."""


def in_words(error: BaseException) -> str:
    """Why something could not be started, with what is short and what to do, if that is it."""
    if isinstance(error, ShortageError):
        return str(error.strerror)
    if isinstance(error, MemoryError):
        return f"no memory is left ({describe(error)})"
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return f"{_PROCESSES} ({describe(error)})"
    if not isinstance(error, OSError):
        return describe(error)
    remedy = _remedy(error)
    return describe(error) if remedy is None else f"{remedy} ({describe(error)})"


def _remedy(error: OSError) -> str | None:
    match error.errno:
        case errno.EMFILE:
            return f"too many files are open in one process: {RAISE}"
        case errno.ENFILE:
            return "too many files are open on this machine: raise fs.file-max"
        case errno.EAGAIN:
            return _PROCESSES
        case errno.ENOMEM:
            return "no memory is left"
        case errno.ENOSPC | errno.EDQUOT:
            return _what_is_full(error.filename)
    return None


def _what_is_full(file: object) -> str:
    place = os.path.dirname(file) if isinstance(file, str) else None
    if place is None:
        return "a file system is full"
    try:
        inodes = os.statvfs(place).f_favail
    except OSError:
        inodes = 1
    return is_full(place, inodes=inodes == 0)


def is_full(directory: str, *, inodes: bool) -> str:
    """That a file system is full; ``inodes`` is whether it is these that are short."""
    return f"no {'inodes are' if inodes else 'space is'} left on the file system of {directory}"
