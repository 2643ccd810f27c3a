"""Where the sockets of an actor system are: a directory that only its user may enter.

A system's directory is named after its admin. Whoever holds the lock on it is that admin;
the lock goes with the process, so that what a killed admin left is there for the next.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from typing import Any, Final

from thespian.actors import ActorSystemStartupFailure

from actors.unix_base.kernel.credentials import kill_listener
from actors.unix_base.kernel.held_directory import HeldDirectory, HeldError, is_held
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from actors.unix_base.kernel.socket_files import bound_paths, is_alive
from actors.unix_base.names import (
    ACTOR_NAMES,
    ADMIN_PORT,
    ADMIN_SOCKET,
    DEFAULT_ADMIN,
    HOST_MARK,
    LOGGER_SOCKET,
    SOCKET_DIRECTORY,
    SOCKET_NAMES,
    TOKEN_BYTES,
)

MAX_PATH: Final = 103
"""Bytes of a socket's path that all systems take: 108 on Linux, 104 on macOS, one for the
zero at its end."""
_TRIES: Final = 10
"""How often to make what others may remove at the same moment."""
YOUNG: Final = 2.0
"""Seconds in which a process that made a socket's file listens there."""
_KEPT_YOUNG: Final = 600.0
"""Seconds after which all is made as if it were new: what is old others may clear away."""


class SocketDirectoryError(ActorSystemStartupFailure):  # type: ignore[misc]
    """The sockets cannot be where they were to be; the text says why, and what to do."""

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(f"{why}; {advice}" if advice else why)
        self.why = why
        """The first half of the text."""


def system_directory(capabilities: dict[str, Any]) -> str:
    """The path of a system's directory; nothing is made.

    Raises:
        SocketDirectoryError: its sockets' paths would be too long.
    """
    where = capabilities.get(SOCKET_DIRECTORY)
    if where is None:
        where = _directory_of_user()
    path = os.path.join(os.path.abspath(str(where)), _file_name(capabilities.get(ADMIN_PORT)))
    longest = len(os.fsencode(path)) + 1 + max(TOKEN_BYTES * 2, len(ADMIN_SOCKET))
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


def open_place(directory: str) -> PrivateDirectory:
    """Make a system's directory, and the one that it is in, and open it.

    Raises:
        SocketDirectoryError: one of them is not this user's alone, or cannot be made.
    """
    where, name = os.path.split(directory)
    try:
        for _ in range(_TRIES):
            try:
                with PrivateDirectory(where, make=True) as outer:
                    return PrivateDirectory(name, make=True, inside=outer)
            except FileNotFoundError:
                pass  # the last one who left has just removed one of them
    except NotPrivateError as error:
        advice = f"give another directory as the capability {SOCKET_DIRECTORY!r}"
        if error.can_be_closed:
            advice = f"close it with: chmod 0700 {error.path}"
        raise SocketDirectoryError(str(error), advice) from error
    raise SocketDirectoryError(f"{directory} is removed by others whenever it is made")


def make_place(directory: str) -> None:
    """Make a system's directory, and the one that it is in.

    Raises:
        SocketDirectoryError: as of :func:`open_place`.
    """
    open_place(directory).close()


def leave_place(directory: str) -> None:
    """Remove a system's directory if nobody else is in it, and so the user's own one."""
    try:
        os.rmdir(directory)
        if os.path.dirname(directory) == _directory_of_user():
            os.rmdir(os.path.dirname(directory))
    except OSError:
        pass


def new_socket_path(directory: str, is_host: bool = False) -> str:
    """A path for a socket, which was never used and never will be."""
    token = secrets.token_hex(TOKEN_BYTES)
    return os.path.join(directory, HOST_MARK + token[1:] if is_host else token)


class SystemLock:
    """The right to be the admin of a directory; for one process, as long as it lives."""

    def __init__(self, directory: str) -> None:
        """
        Raises:
            SocketDirectoryError: another admin lives there, or the directory is not safe.
        """
        try:
            self._held = HeldDirectory(directory, lambda: open_place(directory))
        except HeldError:
            raise SocketDirectoryError(f"an actor system runs in {directory}") from None
        except NotPrivateError as error:
            raise SocketDirectoryError(str(error)) from error
        remove_dead_sockets(self._held.directory, older_than=YOUNG)
        # The logger of an admin that was killed lives on, and the next has the same name.
        kill_listener(os.path.join(directory, LOGGER_SOCKET))
        self._held.directory.remove_socket(LOGGER_SOCKET)

    @staticmethod
    def is_held(directory: str) -> bool:
        """Whether an admin lives there, perhaps one that does not listen yet."""
        try:
            return is_held(directory)
        except NotPrivateError:
            return False

    def look(self) -> None:
        """See that the directory is there, and what is in it young; to be called now and then.

        Raises:
            HeldError: another admin has taken its place.
            SocketDirectoryError: it cannot be made again.
        """
        try:
            self._held.look()
        except NotPrivateError as error:
            raise SocketDirectoryError(str(error)) from error
        place = self._held.directory
        status = place.status(ADMIN_SOCKET)
        if status is not None and abs(time.time() - status.st_mtime) > _KEPT_YOUNG:
            for name in filter(SOCKET_NAMES.fullmatch, place.names()):
                place.touch(name)
            place.touch()

    def actors(self) -> list[str]:
        """The paths of the sockets at which actors listen; none if another admin has taken the
        place of this one."""
        try:
            self._held.look()
        except (HeldError, NotPrivateError, OSError):
            return []
        names = filter(ACTOR_NAMES.fullmatch, self._held.directory.names())
        return [path for name in names if is_alive(path := os.path.join(self._held.path, name))]

    def release(self) -> None:
        """Remove the directory, unless somebody still listens in it."""
        remove_dead_sockets(self._held.directory)
        leave_place(self._held.path)
        self._held.close()

    def leave(self) -> None:
        """In a forked process: the parent goes on being the admin."""
        self._held.close()


def remove_dead_sockets(place: PrivateDirectory, older_than: float = 0.0) -> bool:
    """Remove the files of a system's sockets that nobody listens at any more.

    Args:
        older_than: seconds; a younger one may have been made by somebody who is about to
            listen.

    Returns:
        whether there is such a young one.
    """
    now = time.time()
    bound = bound_paths()  # else each sweep would wake whoever lives here
    left = False
    for name in filter(SOCKET_NAMES.fullmatch, place.names()):
        path = os.path.join(place.path, name)
        status = place.status(name)
        if status is None or path in bound or is_alive(path):
            continue
        if now - status.st_mtime < older_than:
            left = True
        else:
            place.remove_socket(name)
    return left
