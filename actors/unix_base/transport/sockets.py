"""How processes reach one another: the only part that knows of Unix sockets.

Another family, such as TCP with TLS whose certificates tell who is there, would be another
class with these methods. A *name* is what an address holds; only its family can read it.
"""

from __future__ import annotations

import errno
import socket
from typing import Final, Protocol

from actors.unix_base.kernel.credentials import refuse_stranger, stranger
from actors.unix_base.kernel.socket_files import listen_at, remove_socket_file
from actors.unix_base.transport.directory import new_socket_path

_BACKLOG: Final = 1024

NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a process, or machine, that has no descriptor or memory left for now."""
BUSY: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}) | NO_ROOM
"""Errors after which to try again later."""


class Stranger(Exception):
    """Whoever connected may not talk to this process. Their bytes were not read."""


class SocketFamily(Protocol):
    def listen(self, name: str) -> socket.socket:
        """A socket, not blocking, at which others reach this process under ``name``."""

    def dial(self, name: str) -> socket.socket:
        """A socket, not blocking, to the process of that name, whose user was checked.

        Raises:
            OSError: one of :data:`BUSY` to try again, another if there is no such process.
        """

    def accept(self, listener: socket.socket) -> socket.socket:
        """A socket, not blocking, to whoever connected, and may.

        Raises:
            Stranger: they may not, and were hung up on.
            OSError: as of accept(2).
        """

    def new_name(self) -> str:
        """A name for a process to be, which was never used."""

    def remove(self, name: str) -> None:
        """Clear away what a process left that listened under ``name``."""


class UnixSockets:
    """Sockets in one directory, which only its user may enter. Names are their paths."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def listen(self, name: str) -> socket.socket:
        return listen_at(name, _BACKLOG)

    def dial(self, name: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(name)
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

    def new_name(self) -> str:
        return new_socket_path(self.directory)

    def remove(self, name: str) -> None:
        remove_socket_file(name)
