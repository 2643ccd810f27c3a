"""A runtime's directory: where its socket is, and who holds it."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from actors import loggers
from actors.unix_base.kernel.held_directory import HeldDirectory, HeldError, is_held
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from supervisor.runtime import belongings
from supervisor.runtime.belongings import DOORS, SUPERVISOR_SOCKET, ForeignError

_MAX_PATH: Final = 80
"""Bytes; the kernel's limit for a socket's path is 107 on Linux and 103 on macOS, and some are
in directories within this one."""
_YOUNG: Final = 600.0
"""Seconds after which everything is made young again. What others clear away is days old, or hours
where somebody is in a hurry."""
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors of a process that cannot look at anything just now."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

OTHER_DIRECTORY: Final = "choose another --runtime-dir"
"""What to do about a directory of a standalone runtime that will not do,"""
OTHER_PARENT: Final = "set XDG_RUNTIME_DIR or TMPDIR to another directory"
"""and about one of an embedded runtime."""


class DirectoryError(Exception):
    """The directory cannot be used; the text says why and what to do."""


class ReplacedError(RuntimeError):
    """Another supervisor has taken the place of this one's directory; the text says which."""


def default_directory() -> Path:
    """Where a standalone runtime lives unless told otherwise: $EXTSYS_RUNTIME_DIR, or
    ``extsys`` in $XDG_RUNTIME_DIR, or ``extsys-UID`` in the temporary directory."""
    chosen = os.environ.get("EXTSYS_RUNTIME_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.path.isdir(base):
        return Path(base) / "extsys"
    return Path(tempfile.gettempdir()) / f"extsys-{os.getuid()}"


def private_directory_path() -> Path:
    """Where an embedded runtime may make a directory that nobody else has.

    Raises:
        DirectoryError: paths in there would be too long for sockets, or nothing can be made.
    """
    name = f"extsys-{secrets.token_hex(8)}"
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK) and _fits(path := os.path.join(base, name)):
        return Path(path)
    try:
        path = os.path.join(tempfile.gettempdir(), name)
    except OSError as error:
        raise DirectoryError(f"there is no temporary directory: {error}; {OTHER_PARENT}") from error
    if not _fits(path):
        raise DirectoryError(
            f"{os.path.dirname(path)} is too long for the path of a socket in it: set "
            f"XDG_RUNTIME_DIR or TMPDIR to a directory whose path has at most "
            f"{_MAX_PATH - len(name) - 1} bytes"
        )
    return Path(path)


def doors_directory(runtime: Path) -> Path:
    """Where the doors of a runtime's systems are."""
    return runtime / DOORS


class RuntimeDirectory:
    """Held by one runtime at a time, from :meth:`take` to :meth:`release`."""

    def __init__(self, path: Path, remedy: str = OTHER_DIRECTORY) -> None:
        """
        Args:
            remedy: what the user can do who wants a directory that will do.
        """
        self.path = Path(os.path.abspath(path))
        self._remedy = remedy
        self._held: HeldDirectory | None = None
        self._holder = 0
        self._trouble: str | None = None
        """Why the directory is not there, as was said last."""

    @property
    def socket_path(self) -> str:
        return str(self.path / SUPERVISOR_SOCKET)

    def take(self, holder: int | None = None) -> None:
        """Make the directory if need be, and hold it. What a dead runtime left is removed.

        Args:
            holder: the process that others are told of; this one, if nothing is said.

        Raises:
            DirectoryError: another runtime holds it, it is not this user's, others may
                enter it, there is something in it that is no runtime's, its path is too long
                for a socket, or it cannot be written to. Nothing was touched.
        """
        self.check_length()
        self._holder = holder or os.getpid()
        held = self._hold()
        directory = held.directory
        try:
            belongings.inspect(directory)
            belongings.mark(directory, self._holder)
            belongings.remove_all(directory)
            belongings.try_out(directory)
        except Exception as error:
            if directory.was_made:
                belongings.unmark(directory)
                directory.remove()
            held.close()
            why = self._why_not(error)
            if why is None:
                raise
            raise DirectoryError(why) from error
        # Else what is forked from here on would hold the directory after this process's end.
        os.register_at_fork(after_in_child=held.close)
        self._held = held

    def look(self, now: float) -> None:
        """See that the directory that is held is there, with its marker, and that nothing in it
        is old: make again what is missing, and young what is not. To be called each second or so.

        Args:
            now: seconds of the clock on the wall.

        Raises:
            ReplacedError: another runtime holds what is in its place.
        """
        assert self._held is not None
        accept = partial(belongings.inspect, may_be_unmarked=True)
        trouble = None
        try:
            if self._held.look(accept):
                _log().warning("%s was removed; it was made again", self.path)
            directory = self._held.directory
            if not belongings.is_marked_since(directory, now, _YOUNG):
                belongings.mark(directory, self._holder)
                belongings.touch_all(directory)
        except HeldError as error:
            pid = error.pid or self._last_holder()
            raise ReplacedError(
                f"{self.path} was removed, and another supervisor (pid {pid}) has taken its place"
            ) from None
        except (NotPrivateError, ForeignError, OSError) as error:
            trouble = f"what was removed of {self.path} cannot be made again: {error}"
        if trouble is not None and trouble != self._trouble:
            _log().error("%s; until then nobody can reach this supervisor anew", trouble)
        self._trouble = trouble

    def check_length(self) -> None:
        """Make sure that the socket's path fits.

        Raises:
            DirectoryError: it does not.
        """
        if not _fits(self.path):
            raise DirectoryError(
                f"{self.path} is too long for the path of a socket in it, which may have "
                f"{_MAX_PATH} bytes up to there; choose a shorter --runtime-dir"
            )

    def release(self, *, remove: bool) -> None:
        """Let go; with ``remove`` the directory goes too, if nothing foreign is in it. What is
        in its place by now, if it was removed, is left as it is."""
        held, self._held = self._held, None
        if held is None:
            return
        belongings.remove_all(held.directory)
        belongings.unmark(held.directory)
        if remove:
            held.directory.remove()
        held.close()

    def remove_remains(self) -> bool:
        """Remove the directory of a runtime whose processes have ended, or just end and make
        files meanwhile; whether it is gone. Its name is one that nobody else has known."""
        try:
            with PrivateDirectory(str(self.path)) as directory:
                belongings.remove_all(directory)
                belongings.unmark(directory)
                directory.remove()
        except (FileNotFoundError, NotPrivateError):
            return True  # what is there now is not this user's
        return not self.path.exists()

    def wait_until_free(self, seconds: float) -> bool:
        """Wait until no runtime holds the directory; False if that takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if not is_held(str(self.path)):
                    return True
            except (OSError, NotPrivateError) as error:
                if error.errno not in _NO_ROOM:
                    return True  # it is no runtime's
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)

    def _hold(self) -> HeldDirectory:
        path = str(self.path)
        try:
            held = HeldDirectory(path, lambda: PrivateDirectory(path, make=True))
        except HeldError as error:
            raise DirectoryError(
                f"a supervisor (pid {self._last_holder() or error.pid}) runs in {path} already; "
                f"stop it with 'extsys stop', or {self._remedy}"
            ) from None
        except NotPrivateError as error:
            raise DirectoryError(self._why_not(error)) from error
        if held.is_claim_taken:
            _log().warning(
                "another user's process has the name by which supervisors in %s know one another; "
                "should the directory be removed, another one can start there beside this one",
                path,
            )
        return held

    def _last_holder(self) -> int | None:
        try:
            with PrivateDirectory(str(self.path)) as directory:
                return belongings.holder_in(directory)
        except (FileNotFoundError, NotPrivateError):
            return None

    def _why_not(self, error: Exception) -> str | None:
        """What to say of an error, and what to do; None if it is a bug."""
        match error:
            case ForeignError():
                return f"{error}; {self._remedy}, or an empty one"
            case NotPrivateError(can_be_closed=True):
                return (
                    f"{error}; {self._remedy}, or, if it is for extsys alone, "
                    f"run 'chmod 700 {error.path}'"
                )
            case NotPrivateError():
                return f"{error}; {self._remedy}"
            case OSError():
                why = f"nothing can be written into {self.path}: {error.strerror or error}"
                if error.errno in _FULL:
                    return f"{why}; make room on its file system, or {self._remedy}"
                return f"{why}; {self._remedy}"
            case _:
                return None


def _fits(path: str | Path) -> bool:
    return len(os.fsencode(path)) <= _MAX_PATH


def _log() -> logging.Logger:
    return logging.getLogger(loggers.ROOT)
