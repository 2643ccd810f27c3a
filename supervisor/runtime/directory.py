"""A runtime's directory: where its socket is, and who holds it."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Final

from actors.unix_base.kernel.private_directory import (
    NotPrivateError,
    PrivateDirectory,
    is_locked,
)
from supervisor.runtime import belongings
from supervisor.runtime.belongings import DOORS, SUPERVISOR_SOCKET, ForeignError

_MAX_PATH: Final = 80
"""Bytes; the kernel's limit for a socket's path is 107 on Linux and 103 on macOS, and some are
in directories within this one."""
_TRIES: Final = 10
"""How often to make what others may remove at the same moment."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

OTHER_DIRECTORY: Final = "choose another --runtime-dir"
"""What to do about a directory of a standalone runtime that will not do,"""
OTHER_PARENT: Final = "set XDG_RUNTIME_DIR or TMPDIR to another directory"
"""and about one of an embedded runtime."""


class DirectoryError(Exception):
    """The directory cannot be used; the text says why and what to do."""


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
        self._held: PrivateDirectory | None = None

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
        held = self._open_and_lock()
        try:
            belongings.inspect(held)
            belongings.mark(held, holder or os.getpid())
            belongings.remove_all(held)
        except Exception as error:
            if held.was_made:
                belongings.unmark(held)
                held.remove()
            held.close()
            if isinstance(error, ForeignError):
                raise DirectoryError(f"{error}; {self._remedy}, or an empty one") from None
            if isinstance(error, OSError | NotPrivateError):
                raise DirectoryError(self._why_not(error)) from error
            raise
        # Else what is forked from here on would hold the directory after this process's end.
        os.register_at_fork(after_in_child=held.close)
        self._held = held

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
        belongings.remove_all(held)
        belongings.unmark(held)
        if remove:
            held.remove()
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
                if not is_locked(str(self.path)):
                    return True
            except NotPrivateError:
                pass  # nothing is known: no descriptor may be left
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)

    def _open_and_lock(self) -> PrivateDirectory:
        try:
            for _ in range(_TRIES):
                try:
                    held = PrivateDirectory(str(self.path), make=True)
                except FileNotFoundError:
                    continue  # its last holder removed it just now
                try:
                    held.lock()
                    return held
                except FileNotFoundError:
                    held.close()
                except BlockingIOError:
                    pid = belongings.holder_in(held) or "unknown"
                    held.close()
                    raise DirectoryError(
                        f"a supervisor (pid {pid}) runs in {self.path} already; "
                        f"stop it with 'extsys stop', or {self._remedy}"
                    ) from None
        except NotPrivateError as error:
            advice = self._remedy
            if error.can_be_closed:
                advice += f", or, if it is for extsys alone, run 'chmod 700 {self.path}'"
            raise DirectoryError(f"{error}; {advice}") from error
        raise DirectoryError(f"{self.path} is removed by others whenever it is made")

    def _why_not(self, error: OSError | NotPrivateError) -> str:
        if isinstance(error, NotPrivateError):
            return f"{error}; {self._remedy}"
        why = f"nothing can be written into {self.path}: {error.strerror or error}"
        if error.errno in _FULL:
            return f"{why}; make room on its file system, or {self._remedy}"
        return f"{why}; {self._remedy}"


def _fits(path: str | Path) -> bool:
    return len(os.fsencode(path)) <= _MAX_PATH
