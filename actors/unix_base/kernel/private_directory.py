"""Directories that only this user may enter: what is in them was put there by nobody else.

One is held open, and what is done in it is done by that descriptor: whatever is put in the place
of its path meanwhile, such as a link to somewhere else, is not touched.

A lock on one goes with the process that has it, however that ends. It is of the kind that belongs
to an open file (flock(2)): one of the other kind (fcntl(2)) would go as soon as anything in the
process closed the file, also after only reading it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable
from typing import Final, Self

_LOOK: Final = 0.005
"""Seconds in which somebody who asks whether a lock is held has let go of it; to ask they
take it for a moment."""
_LOOKS: Final = 10
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotPrivateError(Exception):
    """A directory cannot be made, or is not this user's alone; the text says which."""

    def __init__(
        self, text: str, path: str, *, can_be_closed: bool = False, number: int | None = None
    ) -> None:
        super().__init__(text)
        self.path = path
        self.errno = number
        """Of the system's error, where it was one."""
        self.can_be_closed = can_be_closed
        """Whether it would do after a ``chmod``."""


class PrivateDirectory:
    """One that is open, until :meth:`close` or the end of a ``with`` block."""

    def __init__(self, path: str, *, make: bool = False, inside: PrivateDirectory | None = None):
        """
        Args:
            path: of the directory; a link to one is refused.
            make: whether to make it, and those above it, if there is none.
            inside: another one, which the path begins in.

        Raises:
            FileNotFoundError: there is none.
            NotPrivateError: it is not this user's alone, cannot be made, or not be opened.
        """
        self.fd = -1
        self.path: str = path if inside is None else os.path.join(inside.path, path)
        where = None if inside is None else inside.fd
        self.was_made = False
        """Whether there was none before."""
        try:
            if make:
                self._make(path, where)
            status = os.stat(path, dir_fd=where, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                raise NotPrivateError(
                    f"{self.path} is no directory: it is {kind_of(status)}", self.path
                )
            _check(self.path, status)
            self.fd = os.open(path, _OPEN, dir_fd=where)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._failed("opened", error) from error
        try:
            _check(self.path, os.fstat(self.fd))  # it may have been replaced between the two
        except BaseException:
            self.close()
            raise

    def _make(self, path: str, where: int | None) -> None:
        try:
            if where is None:
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        except FileExistsError as error:
            text = f"{self.path} cannot be made: {error.filename} is no directory"
            raise NotPrivateError(text, self.path) from error
        except OSError as error:
            raise self._failed("made", error) from error
        try:
            os.mkdir(path, 0o700, dir_fd=where)
            self.was_made = True
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise  # what is above it was removed just now
        except OSError as error:
            raise self._failed("made", error) from error

    def _failed(self, how: str, error: OSError) -> NotPrivateError:
        text = f"{self.path} cannot be {how}: {error.strerror}"
        return NotPrivateError(text, self.path, number=error.errno)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it, and so let go of a lock on it; once is enough."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    # ---- what is in it -------------------------------------------------------------------

    def names(self) -> list[str]:
        """Of all that is in it."""
        return os.listdir(self.fd)

    def status(self, name: str) -> os.stat_result | None:
        """Of what has this name in here, and not of what it links to; None if nothing has."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int) -> int:
        """Open a plain file in here.

        Raises:
            OSError: there is none, or one already, or no room for it, or it is something else.
        """
        # Of a FIFO it would wait for the other end.
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(name, flags, 0o600, dir_fd=self.fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(f"{self.path}/{name} is no plain file")
        return fd

    def remove_socket(self, name: str) -> None:
        """Remove what has this name in here, if it is a socket."""
        self.remove_kind(name, stat.S_ISSOCK)

    def remove_file(self, name: str) -> None:
        """Remove what has this name in here, if it is a plain file."""
        self.remove_kind(name, stat.S_ISREG)

    def remove_kind(self, name: str, is_it: Callable[[int], bool]) -> None:
        """Remove what has this name in here, if it is of a kind.

        Args:
            is_it: one of the functions of ``stat``.
        """
        status = self.status(name)
        if status is not None and is_it(status.st_mode):
            try:
                os.unlink(name, dir_fd=self.fd)
            except FileNotFoundError:
                pass

    def remove_directory(self, name: str) -> None:
        """Remove a directory in here, if it is empty."""
        try:
            os.rmdir(name, dir_fd=self.fd)
        except OSError:
            pass

    def touch(self, name: str | None = None) -> None:
        """Make what has this name in here, or else the directory, as if it were new: what is old
        others may clear away."""
        try:
            if name is None:
                os.utime(self.fd)
            else:
                os.utime(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            pass  # it was removed just now

    # ---- the directory itself ------------------------------------------------------------

    @property
    def is_at_its_path(self) -> bool:
        """Whether its path still leads to it."""
        try:
            return os.path.samestat(os.fstat(self.fd), os.lstat(self.path))
        except OSError:
            return False

    def remove(self) -> None:
        """Remove it, if it is empty and still at its path."""
        if self.is_at_its_path:
            try:
                os.rmdir(self.path)
            except OSError:
                pass

    def lock(self) -> None:
        """Lock it, until it is closed in this process and in those that were forked from it
        meanwhile: they are to close it at once.

        Raises:
            BlockingIOError: somebody else has the lock, and does not only look at it.
            FileNotFoundError: it is not at its path any more: its last holder removed it.
        """
        for _ in range(_LOOKS):
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOOK)
        else:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not self.is_at_its_path:
            raise FileNotFoundError(f"{self.path} was removed")

    @property
    def is_locked(self) -> bool:
        """Whether somebody has the lock; not to be asked by who may have it."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        return False


def is_locked(path: str) -> bool:
    """Whether somebody has the lock of a directory. Nothing is made.

    Raises:
        NotPrivateError: it is not this user's, or cannot be opened.
    """
    try:
        with PrivateDirectory(path) as directory:
            return directory.is_locked
    except FileNotFoundError:
        return False


def kind_of(status: os.stat_result) -> str:
    """What something is, in words."""
    for is_it, words in _KINDS:
        if is_it(status.st_mode):
            return words
    return "a device"


_KINDS: Final = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)


def _check(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise NotPrivateError(f"{path} belongs to user id {status.st_uid}", path)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        text = f"others may enter {path} (mode {mode:04o})"
        raise NotPrivateError(text, path, can_be_closed=True)
