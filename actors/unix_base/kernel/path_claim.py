"""The right to a path, for one process at a time, whatever becomes of what is there.

A lock on a directory goes with the directory: when that is removed, and made again, somebody
else can lock the new one. On Linux a socket can have a name that is no file's (unix(7),
"abstract"), which nobody can remove, and which goes with the process that has it. Elsewhere
there is no claim.

Any user of the machine may take any such name. So who finds one taken asks the kernel for the user
at the other end; what is another user's is no claim.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import sys
import time
from typing import Final

from actors.unix_base.kernel.credentials import Credentials, credentials_of

HAS_CLAIMS: Final = sys.platform == "linux"
_BACKLOG: Final = 4096
"""Who asks for the claim stands in a queue until :meth:`PathClaim.let_askers_go`."""
_PATIENCE: Final = 2.0
"""Seconds in which the holder begins to listen, or lets askers go, or it is none of ours."""
_LOOK_EVERY: Final = 0.005


class ClaimedError(Exception):
    """Another process of this user has the claim."""

    def __init__(self, path: str, pid: int | None) -> None:
        super().__init__(f"{path} is claimed by process {pid}")
        self.pid = pid


class PathClaim:
    """Of this process, until :meth:`close` or its end."""

    def __init__(self, path: str) -> None:
        """
        Raises:
            ClaimedError: another one has it.
        """
        self.is_kept_by_others = False
        """Whether another user, or somebody unknown, has the name, so that there is no claim."""
        self._sock: socket.socket | None = None
        deadline = time.monotonic() + _PATIENCE
        while HAS_CLAIMS and not self._take(_name(path)):
            holder = _holder(path)
            if holder is not None and holder.uid == os.geteuid():
                raise ClaimedError(path, holder.pid)
            if holder is not None or time.monotonic() >= deadline:
                self.is_kept_by_others = True
                return
            time.sleep(_LOOK_EVERY)

    def _take(self, name: bytes) -> bool:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.bind(name)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        self._sock = sock
        return True

    def let_askers_go(self) -> None:
        """Hang up on those who asked; to be called now and then."""
        try:
            while self._sock is not None:
                self._sock.accept()[0].close()
        except OSError:
            pass  # nobody is left

    def close(self) -> None:
        """Give it up; in a forked process: leave it to the parent."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()


def claimant(path: str) -> int | None:
    """The process of this user that has the claim to a path; None if none has."""
    holder = _holder(path) if HAS_CLAIMS else None
    return holder.pid if holder is not None and holder.uid == os.geteuid() else None


def _holder(path: str) -> Credentials | None:
    """Who listens under a path's name; None if nobody does, or it cannot be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(_name(path))
            return credentials_of(asking)
        except OSError:
            return None


def _name(path: str) -> bytes:
    where, name = os.path.split(os.path.abspath(path))
    whole = os.path.join(os.path.realpath(where), name)
    digest = hashlib.sha256(os.fsencode(whole)).hexdigest()
    return f"\0private-directory/{os.geteuid()}/{digest[:32]}".encode()
