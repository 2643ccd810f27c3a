"""A runtime's directory: where its socket is, and who holds it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from actors.unix_base.kernel.private_directory import NotPrivateError, is_locked, lock, make_private

ACTOR_SOCKETS: Final = "actors"
"""The directory of the actor system's sockets, in the runtime's."""

_SOCKET: Final = "supervisor.sock"
_MAX_PATH: Final = 80
"""Bytes; the kernel's limit for a socket's path is 107 on Linux and 103 on macOS, and some are
in directories within this one."""


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
    """Where an embedded runtime may make a directory that nobody else has."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    parent = base if base and os.access(base, os.W_OK) else tempfile.gettempdir()
    return Path(parent) / f"extsys-{secrets.token_hex(8)}"


def doors_directory(runtime: Path) -> Path:
    """Where the doors of a runtime's systems are: its name is short, as sockets' paths are."""
    return runtime / "d"


class RuntimeDirectory:
    """Held by one runtime at a time, from :meth:`take` to :meth:`release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = str(path / "lock")
        self._lock: int | None = None

    @property
    def socket_path(self) -> str:
        return str(self.path / _SOCKET)

    def take(self) -> None:
        """Make the directory if need be, and hold it. What a dead runtime left is removed.

        Raises:
            DirectoryError: another runtime holds it, it is not this user's, others may
                enter it, or its path is too long for a socket.
        """
        self.check_length()
        self._make()
        try:
            self._lock = _lock(self._lock_path)
        except BlockingIOError:
            raise DirectoryError(
                f"a supervisor (pid {self._holder()}) runs in {self.path} already; "
                "stop it with 'extsys stop', or choose another --runtime-dir"
            ) from None
        # Else what is forked from here on would hold the directory after this process's end.
        os.register_at_fork(after_in_child=self._close_lock)
        os.truncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())
        self._remove_sockets()

    def check_length(self) -> None:
        """Make sure that the socket's path fits.

        Raises:
            DirectoryError: it does not.
        """
        if len(os.fsencode(self.path)) > _MAX_PATH:
            raise DirectoryError(
                f"{self.path} is too long for a socket's path; choose a shorter --runtime-dir"
            )

    def release(self, *, remove: bool) -> None:
        """Let go; with ``remove`` the directory goes too, if nothing foreign is in it."""
        for name in ("thespian.log", "thespian.log.old"):
            (self.path / name).unlink(missing_ok=True)
        self._remove_sockets()
        if self._lock is not None:
            Path(self._lock_path).unlink(missing_ok=True)
            self._close_lock()
        if remove:
            try:
                self.path.rmdir()
            except OSError:
                pass

    def _close_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _holder(self) -> str:
        try:
            return Path(self._lock_path).read_text().strip() or "unknown"
        except OSError:
            return "unknown"

    def _remove_sockets(self) -> None:
        """What killed processes left; to be called while the directory is held."""
        Path(self.socket_path).unlink(missing_ok=True)
        for directory in (self.path / ACTOR_SOCKETS, doors_directory(self.path)):
            shutil.rmtree(directory, ignore_errors=True)

    def wait_until_free(self, seconds: float) -> bool:
        """Wait until no runtime holds the directory; False if that takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if not is_locked(self._lock_path):
                    return True
            except OSError:
                pass  # nothing is known: no descriptor may be left
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)

    def _make(self) -> None:
        try:
            make_private(str(self.path), follow=True)
        except NotPrivateError as error:
            advice = "choose another --runtime-dir"
            if error.can_be_closed:
                advice += f", or, if it is for extsys alone, run 'chmod 700 {self.path}'"
            raise DirectoryError(f"{error}; {advice}") from error


def _lock(path: str) -> int:
    while True:
        try:
            fd = lock(path, os.O_RDWR | os.O_CREAT)
            break
        except FileNotFoundError:
            continue  # its last holder removed it before it was locked
    if sys.platform == "linux":
        # A runtime of version 2 holds it by this one, which elsewhere is the same as the other.
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise BlockingIOError from None
    return fd
