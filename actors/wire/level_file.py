"""How full the bucket of a rate limit is, in a small file that all who share it lock for a moment.

The kernel ends a lock with the process that has it, so whoever is killed takes nothing along but
what it had promised itself. The file is there while it says something: a supervisor removes one
whose bucket has drained, and who needs it makes it anew.
"""

from __future__ import annotations

import errno
import fcntl
import math
import mmap
import os
import struct
from collections.abc import Callable
from typing import Final, TypeVar

from actors.resilience.rate_limit import Level, RateLimit
from actors.unix_base.kernel.private_directory import PrivateDirectory

T = TypeVar("T")

Step = Callable[[Level, float], tuple[Level, T]]
"""By a level and the time: the new level, and what comes of it."""

_FORMAT: Final = struct.Struct("=dddd")
"""A level, and the items a second by which it drains."""
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks whether the file was removed."""
_QUIET: Final = 60.0
"""Seconds that a bucket must have been empty for its file to be removed: nobody uses it."""


class LevelFile:
    """Of one limit, in one process."""

    def __init__(self, path: str | None, limit: RateLimit, clock: Callable[[], float]) -> None:
        """
        Args:
            path: None keeps the level in this process alone. So does a file that cannot be
                made, for as long as that is so.
            clock: seconds of the clock that all processes of a machine have in common,
                CLOCK_MONOTONIC.
        """
        self._path = path
        self._limit = limit
        self._clock = clock
        self._fd: int | None = None
        self._map: mmap.mmap | None = None
        self._look_at = -math.inf
        self._level = Level()
        """As this process has left it."""
        self.trouble: OSError | None = None
        """Why there is no file, where there should be one."""

    def change(self, step: Step[T]) -> T:
        """Take one step that nobody else's falls into.

        Raises:
            BlockingIOError: somebody else takes one just now. That takes microseconds, unless
                his process is stopped in the middle of it.
        """
        if self._path is not None and self._clock() >= self._look_at:
            self._look(self._path)
        fd, level = self._fd, self._map
        if fd is None or level is None:
            self._level, result = step(self._level, self._clock())
            return result
        is_shared = self._limit.shared is not None  # else nobody else's process uses it
        if is_shared:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            at, gone, promised, _ = _FORMAT.unpack_from(level)
            # The time only now: the next who has the lock has a later one.
            new, result = step(Level(at, gone, promised), self._clock())
            self._level = new
            _FORMAT.pack_into(level, 0, new.at, new.gone, new.promised, self._limit.rate)
            return result
        finally:
            if is_shared:
                fcntl.flock(fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, and of the lock on it."""
        fd, self._fd = self._fd, None
        level, self._map = self._map, None
        if level is not None:
            level.close()
        if fd is not None:
            os.close(fd)

    def _look(self, path: str) -> None:
        """See that there is a file, and that it is where others find it."""
        try:
            if self._fd is None or not os.fstat(self._fd).st_nlink:
                self.close()
                self._open(path)
            self.trouble = None
        except BlockingIOError:
            self.close()
            raise
        except OSError as error:
            self.close()
            self.trouble = error
        self._look_at = self._clock() + _LOOK_EVERY

    def _open(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = self._fd = os.open(path, flags, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = os.pread(fd, _FORMAT.size, 0)
        there = Level(*_FORMAT.unpack(data)[:3]) if len(data) == _FORMAT.size else Level()
        # Of a file that was removed, others may know less than this process, or more.
        level = self._limit.fuller(there, self._level, self._clock())
        data = _FORMAT.pack(level.at, level.gone, level.promised, self._limit.rate)
        # Written, and not only made longer: a full disk is an error here, and not a SIGBUS later.
        if os.pwrite(fd, data, 0) < _FORMAT.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        self._map = mmap.mmap(fd, _FORMAT.size)
        fcntl.flock(fd, fcntl.LOCK_UN)


def remove_if_drained(directory: PrivateDirectory, name: str, now: float) -> None:
    """Remove a file whose bucket has been empty for a while: a new one says the same. One that
    somebody has locked stays."""
    try:
        fd = directory.open(name, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = os.pread(fd, _FORMAT.size, 0)
        if len(data) == _FORMAT.size:
            at, _, promised, rate = _FORMAT.unpack(data)
            if promised > (now - _QUIET - at) * rate:
                return
        directory.remove_file(name)
    except OSError:
        pass
    finally:
        os.close(fd)
