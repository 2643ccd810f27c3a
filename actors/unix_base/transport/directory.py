"""Where the sockets of an actor system are: a directory that only its user may enter.

A system's directory is named after its admin. Whoever holds the lock on it is that admin;
the lock goes with the process, so that what a killed admin left is there for the next.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from thespian.actors import ActorSystemStartupFailure

from actors.unix_base.kernel import private_directory
from actors.unix_base.kernel.private_directory import NotPrivateError
from actors.unix_base.names import (
    ADMIN_PORT,
    ADMIN_SOCKET,
    DEFAULT_ADMIN,
    LOGGER_SOCKET,
    SOCKET_DIRECTORY,
)

MAX_PATH: Final = 103
"""Bytes of a socket's path that all systems take: 108 on Linux, 104 on macOS, one for the
zero at its end."""
_TOKEN_BYTES: Final = 5
_NAME_LENGTH: Final = _TOKEN_BYTES * 2
_TRIES: Final = 10
"""How often to try what others may undo at the same moment."""
_YOUNG: Final = 2.0
"""Seconds."""


class SocketDirectoryError(ActorSystemStartupFailure):  # type: ignore[misc]
    """The sockets cannot be where they were to be; the text says why, and what to do."""


def system_directory(capabilities: dict[str, Any]) -> str:
    """The path of a system's directory; nothing is made.

    Raises:
        SocketDirectoryError: its sockets' paths would be too long.
    """
    where = capabilities.get(SOCKET_DIRECTORY)
    if where is None:
        where = _directory_of_user()
    path = os.path.join(os.path.abspath(str(where)), _file_name(capabilities.get(ADMIN_PORT)))
    longest = len(os.fsencode(path)) + 1 + max(_NAME_LENGTH, len(ADMIN_SOCKET))
    if longest > MAX_PATH:
        raise SocketDirectoryError(
            f"sockets in {path} would have paths of {longest} bytes, and a socket's path may "
            f"have {MAX_PATH}: give a shorter path as the capability {SOCKET_DIRECTORY!r}"
        )
    return path


def _directory_of_user() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return os.path.join(runtime, "thespian")
    return os.path.join(tempfile.gettempdir(), f"thespian-{os.geteuid()}")


def _file_name(admin: Any) -> str:
    name = DEFAULT_ADMIN if admin is None else str(admin)
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise SocketDirectoryError(f"{ADMIN_PORT!r} {name!r} cannot name a directory")
    return name


def make_private(path: str) -> None:
    """Make a directory for sockets, or make sure that an existing one is this user's alone.

    Raises:
        SocketDirectoryError: it is not, or cannot be made.
    """
    try:
        private_directory.make_private(path)
    except NotPrivateError as error:
        advice = f"give another directory as the capability {SOCKET_DIRECTORY!r}"
        if error.can_be_closed:
            advice = f"close it with: chmod 0700 {path}"
        raise SocketDirectoryError(f"{error}; {advice}") from error


def make_place(directory: str) -> None:
    """Make a system's directory, and the one that it is in.

    Raises:
        SocketDirectoryError: one of them is not safe, or cannot be made.
    """
    for _ in range(_TRIES):
        make_private(os.path.dirname(directory))
        try:
            os.mkdir(directory, 0o700)
        except FileNotFoundError:
            continue  # the last one who left removed both
        except OSError:
            pass  # the next call says what is wrong, if anything is
        break
    make_private(directory)


def leave_place(directory: str) -> None:
    """Remove a system's directory if nobody else is in it, and so the user's own one."""
    try:
        os.rmdir(directory)
        if os.path.dirname(directory) == _directory_of_user():
            os.rmdir(os.path.dirname(directory))
    except OSError:
        pass


def new_socket_path(directory: str) -> str:
    """A path for a socket, which was never used and never will be."""
    return os.path.join(directory, secrets.token_hex(_TOKEN_BYTES))


def is_alive(path: str) -> bool:
    """Whether somebody listens at a socket file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # its queue is full
        except OSError:
            return False
        return True


class SystemLock:
    """The right to be the admin of a directory; for one process, as long as it lives."""

    def __init__(self, directory: str) -> None:
        """
        Raises:
            SocketDirectoryError: another admin lives there, or the directory is not safe.
        """
        self._directory = directory
        while True:
            make_place(directory)
            try:
                self._fd = private_directory.lock(directory, os.O_RDONLY | os.O_DIRECTORY)
                break
            except FileNotFoundError:
                continue  # its last admin removed it just now
            except BlockingIOError:
                raise SocketDirectoryError(f"an actor system runs in {directory}") from None
        remove_dead_sockets(directory, older_than=_YOUNG)
        # The logger of an admin that was killed lives on, and the next has the same name.
        Path(directory, LOGGER_SOCKET).unlink(missing_ok=True)

    @staticmethod
    def is_held(directory: str) -> bool:
        """Whether an admin lives there, perhaps one that does not listen yet."""
        try:
            return private_directory.is_locked(directory)
        except OSError:
            return False

    def release(self) -> None:
        """Remove the directory, unless somebody still listens in it."""
        remove_dead_sockets(self._directory)
        leave_place(self._directory)
        os.close(self._fd)

    def leave(self) -> None:
        """In a forked process: the parent goes on being the admin."""
        os.close(self._fd)


def remove_dead_sockets(directory: str, older_than: float = 0.0) -> None:
    """Remove the files of sockets that nobody listens at any more.

    Args:
        older_than: seconds; a younger one may have been made by somebody who is about to
            listen.
    """
    now = time.time()
    try:
        entries = list(Path(directory).iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            status = entry.lstat()
        except FileNotFoundError:
            continue
        old = now - status.st_mtime >= older_than
        if stat.S_ISSOCK(status.st_mode) and old and not is_alive(str(entry)):
            entry.unlink(missing_ok=True)
