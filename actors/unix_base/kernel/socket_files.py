"""The files that Unix sockets are reached by."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from pathlib import Path
from typing import Final

from actors.unix_base.kernel.errors import REFUSES_WHEN_FULL

_PATIENCE: Final = (0.005, 0.01, 0.02)
"""Seconds between attempts to call one that may have a full queue, or be gone."""


def listen_at(path: str, backlog: int, *, take_over: bool = False) -> socket.socket:
    """A socket, not blocking, that listens at a path in a directory of this user alone. What a
    process left there that was killed is replaced.

    Args:
        take_over: whether a socket is replaced at which somebody listens.

    Raises:
        OSError: somebody does, something else than a socket is there, or it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        try:
            listener.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or (not take_over and is_alive(path)):
                raise
            if not remove_socket_file(path):
                raise OSError(errno.EEXIST, "there is something else than a socket", path) from None
            listener.bind(path)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def is_alive(path: str) -> bool:
    """Whether somebody listens at a socket file."""
    answer = _call(path)
    for patience in _PATIENCE if REFUSES_WHEN_FULL else ():
        if answer != errno.ECONNREFUSED:
            break
        time.sleep(patience)
        answer = _call(path)
    return answer in (0, errno.EAGAIN)  # the latter: its queue is full


def _call(path: str) -> int:
    """What comes of a call, as an error number; 0 is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path)


def bound_paths() -> frozenset[str]:
    """The paths that sockets are bound to, of all processes of this machine; none where the
    system does not tell. Of a path that is not among them only :func:`is_alive` knows."""
    try:
        lines = Path("/proc/net/unix").read_bytes().splitlines()
    except OSError:
        return frozenset()
    fields = (line.split(None, 7) for line in lines)
    return frozenset(os.fsdecode(each[7]) for each in fields if len(each) == 8)


def remove_socket_file(path: str) -> bool:
    """Remove what is at a path, if it is a socket of this user's; whether it was.

    The directory is to be one that only this user may enter.
    """
    try:
        status = os.lstat(path)
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
            return False
        os.unlink(path)
    except OSError:
        return False
    return True


def socket_file_at(path: str) -> tuple[int, int] | None:
    """What tells the socket file that is at a path now from all others; None if none is."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISSOCK(status.st_mode) else None
