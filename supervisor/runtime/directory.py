"""A runtime's directory: where its socket is, and who holds it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from actors.unix_base.kernel.private_directory import NotPrivateError, make_private

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
        self._lock: IO[str] | None = None

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
        lock = open(self.path / "lock", "a+")  # noqa: SIM115  (held until release)
        try:
            # A lock of this kind belongs to the process: no child inherits it, and the
            # kernel drops it however the process ends.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise DirectoryError(
                f"a supervisor (pid {holder}) runs in {self.path} already; "
                "stop it with 'extsys stop', or choose another --runtime-dir"
            ) from None
        if not _is_at(lock, self.path / "lock"):
            # Its last holder removed it between our open and our lock.
            lock.close()
            self.take()
            return
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
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
            (self.path / "lock").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
        if remove:
            try:
                self.path.rmdir()
            except OSError:
                pass

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
                # Not made if it is not there: that would keep the directory from going.
                with open(self.path / "lock") as lock:
                    fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return True
            except FileNotFoundError:
                return True
            except OSError:
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


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
