"""How processes reach one another: the only part that knows of Unix sockets.

Another family, such as TCP with TLS whose certificates tell who is there, would be another
class with these methods. A *name* is what an address holds; only its family can read it.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import Final, Protocol

from actors.unix_base.kernel.credentials import refuse_stranger, stranger
from actors.unix_base.kernel.errors import REFUSES_WHEN_FULL
from actors.unix_base.kernel.socket_files import listen_at, remove_socket_file, socket_file_at
from actors.unix_base.transport.directory import (
    SocketDirectoryError,
    make_place,
    new_socket_path,
)

_BACKLOG: Final = 1024
LISTENS_AGAIN: Final = 10.0
"""Seconds within which a process has looked whether it can be reached, and listens anew if not."""


class Stranger(Exception):
    """Whoever connected may not talk to this process. Their bytes were not read."""


class MayBeFull(ConnectionRefusedError):
    """Whoever was called may have a full queue, or be gone."""


class SocketFamily(Protocol):
    def listen(self, name: str) -> socket.socket:
        """A socket, not blocking, at which others reach this process under ``name``."""

    def dial(self, name: str) -> socket.socket:
        """A socket, not blocking, to the process of that name, whose user was checked.

        Raises:
            OSError: one of ``BUSY`` to try again, another if there is no such process.
            MayBeFull: either; nobody can tell.
        """

    def accept(self, listener: socket.socket) -> socket.socket:
        """A socket, not blocking, to whoever connected, and may.

        Raises:
            Stranger: they may not, and were hung up on.
            OSError: as of accept(2).
        """

    def listen_again(self, name: str) -> socket.socket | None:
        """Another socket in the place of the last one, if nobody can reach that any more. None
        if they can, or there can be no other now. To be called now and then."""

    def new_name(self) -> str:
        """A name for a host, which was never used."""

    def remove(self, name: str) -> None:
        """Clear away what a process left that listened under ``name``."""


class UnixSockets:
    """Sockets in one directory, which only its user may enter. Names are their paths."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._name = ""
        self._file: tuple[int, int] | None = None
        """What others reach this process by, and under which name."""
        self.swept_until = 0.0
        """Until when processes whose files were removed may not have noticed, on the clock that all
        processes have."""

    def listen(self, name: str) -> socket.socket:
        listener = listen_at(name, _BACKLOG)
        self._name, self._file = name, socket_file_at(name)
        return listener

    def listen_again(self, name: str) -> socket.socket | None:
        if not self._is_swept():
            return None
        self.swept_until = time.monotonic() + LISTENS_AGAIN
        try:
            make_place(self.directory)
            return self.listen(name)
        except (OSError, SocketDirectoryError):
            return None

    def dial(self, name: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            try:
                sock.connect(name)
            except FileNotFoundError:
                if time.monotonic() < self.swept_until or self._is_swept():
                    raise BlockingIOError(errno.EAGAIN, "it may listen anew") from None
                raise
            except ConnectionRefusedError as error:
                if not REFUSES_WHEN_FULL:
                    raise
                raise MayBeFull(*error.args) from None
            refuse_stranger(sock, name)
        except BaseException:
            sock.close()
            raise
        return sock

    def accept(self, listener: socket.socket) -> socket.socket:
        sock, _ = listener.accept()
        try:
            uid = stranger(sock)
            if uid is not None:
                raise Stranger(f"refused a process of user id {uid}")
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock

    def _is_swept(self) -> bool:
        """Whether this process's own file was removed."""
        return self._file is not None and socket_file_at(self._name) != self._file

    def new_name(self) -> str:
        return new_socket_path(self.directory, is_host=True)

    def remove(self, name: str) -> None:
        if name != self._name or not self._is_swept():  # else it is somebody else's by now
            remove_socket_file(name)
