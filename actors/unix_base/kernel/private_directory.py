"""Directories that only this user may enter: what is in them was put there by nobody else. And
who holds one, which is said by a lock on it, or on a file in it.

The lock goes with the process that has it, however that ends. It is of the kind that belongs to
an open file (flock(2)): one of the other kind (fcntl(2)) would go as soon as anything in the
process closed the file, also after only reading it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from typing import Final

_LOOK: Final = 0.005
"""Seconds in which somebody who asks whether a lock is held has let go of it; to ask they
take it for a moment."""
_LOOKS: Final = 10


class NotPrivateError(Exception):
    """A directory cannot be made, or is not this user's alone; the text says which."""

    def __init__(self, text: str, *, can_be_closed: bool = False) -> None:
        super().__init__(text)
        self.can_be_closed = can_be_closed
        """Whether it would do after a ``chmod``."""


def make_private(path: str, *, follow: bool = False) -> None:
    """Make a directory that only this user may enter, or make sure that an existing one is.

    Args:
        follow: whether it may be a symbolic link to one.

    Raises:
        NotPrivateError: it is not, or cannot be made.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        status = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        raise NotPrivateError(f"{path} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise NotPrivateError(f"{path} is no directory")
    if status.st_uid != os.geteuid():
        raise NotPrivateError(f"{path} belongs to user id {status.st_uid}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise NotPrivateError(f"others may enter {path} (mode {mode:04o})", can_be_closed=True)


def lock(path: str, flags: int) -> int:
    """Open what is at a path and lock it, until it is closed in this process and in those that
    were forked from it meanwhile: they are to close it at once.

    Args:
        flags: to open it with.

    Returns:
        the descriptor, which no program inherits.

    Raises:
        BlockingIOError: somebody else has the lock, and does not only look at it.
        FileNotFoundError: there is nothing, or not any more: its last holder removed it.
    """
    while True:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            _lock(fd)
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # was replaced before it was locked


def is_locked(path: str) -> bool:
    """Whether somebody has the lock. Nothing is made.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _lock(fd: int) -> None:
    for _ in range(_LOOKS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_LOOK)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
