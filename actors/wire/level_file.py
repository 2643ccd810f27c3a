"""How full the bucket of a rate limit is, in a small file that all who share it lock for a moment.

The kernel ends a lock with the process that has it, so whoever is killed takes nothing along but
what it had promised itself. The file is there while it says something: a supervisor removes one
whose bucket has drained, and who needs it makes it anew.
"""

from __future__ import annotations

import errno
import fcntl
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
_TRIES: Final = 3
"""Files that may be removed under one's hands before this process goes on alone."""


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
        fd = self._locked()
        now = self._clock()  # only now: the next who has the lock has a later one
        if fd is not None:
            self._level = _read(fd)
        self._level, result = step(self._level, now)
        if fd is not None:
            try:
                _write(fd, self._level, self._limit.rate)
                fcntl.flock(fd, fcntl.LOCK_UN)
            except OSError as error:
                self._give_up(error)
        return result

    def close(self) -> None:
        """Let go of the file, and of the lock on it."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _locked(self) -> int | None:
        """The file, locked; None if there is none."""
        if self._path is None:
            return None
        try:
            for _ in range(_TRIES):
                if self._fd is None:
                    self._open(self._path)
                assert self._fd is not None
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(self._fd).st_nlink:
                    self.trouble = None
                    return self._fd
                self.close()  # it was removed
        except BlockingIOError:
            raise
        except OSError as error:
            self._give_up(error)
        return None

    def _open(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = self._fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise
        # Of a file that was removed, others may know less than this process, or more.
        level = self._limit.fuller(_read(fd), self._level, self._clock())
        _write(fd, level, self._limit.rate)
        fcntl.flock(fd, fcntl.LOCK_UN)

    def _give_up(self, error: OSError) -> None:
        self.close()
        self.trouble = error


def _read(fd: int) -> Level:
    data = os.pread(fd, _FORMAT.size, 0)
    if len(data) < _FORMAT.size:
        return Level()  # it is new
    at, gone, promised, _ = _FORMAT.unpack(data)
    return Level(at, gone, promised)


def _write(fd: int, level: Level, rate: float) -> None:
    data = _FORMAT.pack(level.at, level.gone, level.promised, rate)
    if os.pwrite(fd, data, 0) < _FORMAT.size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def remove_if_drained(directory: PrivateDirectory, name: str, now: float) -> None:
    """Remove a file whose bucket has drained by now: a new one says the same. One that somebody
    has locked stays."""
    try:
        fd = directory.open(name, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = os.pread(fd, _FORMAT.size, 0)
        if len(data) == _FORMAT.size:
            at, _, promised, rate = _FORMAT.unpack(data)
            if promised > (now - at) * rate:
                return
        directory.remove_file(name)
    except OSError:
        pass
    finally:
        os.close(fd)
