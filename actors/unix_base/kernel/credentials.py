"""Who is at the other end of a Unix socket.

Messages are pickles, and to read one is to run code: nothing is read from a user who could
not run code as this one anyway, which are this user and root.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import struct
import sys
from typing import Final, NamedTuple

_LOCAL_PEERCRED: Final = 0x001
"""Of macOS and the BSDs: the option that gives a struct xucred, at the level 0."""


class Credentials(NamedTuple):
    uid: int
    pid: int | None
    """Of the process that connected, or listens; None where the system does not tell."""


def credentials_of(sock: socket.socket) -> Credentials | None:
    """Who connected the other end; None where the system cannot tell."""
    if hasattr(socket, "SO_PEERCRED"):
        size = struct.calcsize("3i")
        given = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, uid, _ = struct.unpack("3i", given)
        return Credentials(uid, pid)
    if sys.platform == "darwin" or "bsd" in sys.platform:
        given = sock.getsockopt(0, _LOCAL_PEERCRED, struct.calcsize("IIh16I"))
        _, uid = struct.unpack_from("II", given)
        return Credentials(uid, None)
    return None


def stranger(sock: socket.socket) -> int | None:
    """The user id at the other end, if it is neither ours nor root's. None also where the
    system cannot tell: then the directory that the socket is in has to do."""
    who = credentials_of(sock)
    return None if who is None or who.uid in (os.geteuid(), 0) else who.uid


def peer_pid(sock: socket.socket) -> int | None:
    """The process at the other end when it was connected, where the system tells."""
    who = credentials_of(sock)
    return None if who is None else who.pid


def kill_listener(path: str) -> bool:
    """Kill the process of this user's that listens at a socket file; False where the system does
    not tell which one that is, or there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
            who = credentials_of(probe)
            if who is None or who.pid is None or who.uid != os.geteuid():
                return False
            os.kill(who.pid, signal.SIGKILL)
        except OSError:
            return False
    return True


def refuse_stranger(sock: socket.socket, path: str) -> None:
    """Make sure that it is safe to unpickle what the socket's other end says.

    Raises:
        PermissionError: another user listens at ``path``, or could.
    """
    who = credentials_of(sock)
    if who is None:
        status = os.stat(os.path.dirname(path))
        if status.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(status.st_mode) & 0o022:
            raise PermissionError(f"others may write beside {path}; not trusting it")
    elif who.uid not in (os.geteuid(), 0):
        raise PermissionError(f"{path} belongs to user id {who.uid}, not to you; not trusting it")
