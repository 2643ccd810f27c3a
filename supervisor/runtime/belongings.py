"""What a runtime has in its directory, and may remove there; it removes nothing else.

A runtime's directory is known by its *marker*, a file that the first runtime in it makes while it
is empty. What is then called as a runtime's things are, and is of their kind, is a runtime's.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Callable
from typing import Final

from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory, kind_of
from actors.unix_base.names import SOCKET_NAMES
from actors.wire.tally import tally_path

MARKER: Final = "extsys-runtime"
ACTOR_SOCKETS: Final = "actors"
"""The directory of the actor system's sockets, in the runtime's."""
DOORS: Final = "d"
"""That of the doors of its systems: its name is short, as sockets' paths are."""
LEVELS: Final = "limits"
"""That of what is used up of their rate limits."""
LEVEL_NAMES: Final = "[0-9a-f]{32}"
SUPERVISOR_SOCKET: Final = "supervisor.sock"
OUTPUT: Final = ".out"
"""How the pipe is called, after the door, that a system's process says what it says into."""
LOG: Final = "thespian.log"

_SAYS: Final = b"A runtime of extsys lives here, and removes what a dead one has left.\n"
_OLD_LOCK: Final = "lock"
"""What older versions had in the place of the marker."""
_INODES: Final = 16
"""Files that a runtime has with one system."""
_MAX_MARKER: Final = 4096
_DOOR: Final = r"[0-9a-f]+-[0-9a-f]+"

_Kind = Callable[[int], bool]
_HERE: Final[dict[str, _Kind]] = {
    MARKER: stat.S_ISREG,
    SUPERVISOR_SOCKET: stat.S_ISSOCK,
    LOG: stat.S_ISREG,
    f"{LOG}.old": stat.S_ISREG,  # where Thespian moves it when it has grown
    ACTOR_SOCKETS: stat.S_ISDIR,
    DOORS: stat.S_ISDIR,
    LEVELS: stat.S_ISDIR,
}
_BELOW: Final[dict[str, list[tuple[re.Pattern[str], _Kind]]]] = {
    ACTOR_SOCKETS: [(SOCKET_NAMES, stat.S_ISSOCK)],
    DOORS: [
        (re.compile(_DOOR), stat.S_ISSOCK),
        (re.compile(_DOOR + re.escape(tally_path(""))), stat.S_ISREG),
        (re.compile(_DOOR + re.escape(OUTPUT)), stat.S_ISFIFO),
    ],
    LEVELS: [(re.compile(LEVEL_NAMES), stat.S_ISREG)],
}


class ForeignError(Exception):
    """A directory is no runtime's, or something in it cannot be; the text says what."""


def inspect(directory: PrivateDirectory, *, may_be_unmarked: bool = False) -> None:
    """Make sure that a directory is empty, or a runtime's. Nothing is touched.

    Args:
        may_be_unmarked: whether it is one in which this runtime's other processes may have
            been quicker, so that it may have all of a runtime's things but the marker.

    Raises:
        ForeignError: it is neither.
        NotPrivateError: others may enter a directory in it.
    """
    names = sorted(directory.names())
    if not names:
        return
    half_written = names == [MARKER] and _SAYS.startswith(read_marker(directory))
    by_names = may_be_unmarked and set(names) <= set(_HERE)
    if not _says_so(directory) and not half_written and not by_names:
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        older = "" if _OLD_LOCK not in names else "; if an older extsys runs there, stop that first"
        raise ForeignError(
            f"{directory.path} is neither empty nor a supervisor's: it holds {some}, and no "
            f"file {MARKER!r} that a supervisor made{older}"
        )
    for name, is_it in _HERE.items():
        status = directory.status(name)
        if status is not None and not is_it(status.st_mode):
            raise ForeignError(
                f"{directory.path}/{name} is {kind_of(status)}, which no supervisor has put there"
            )
        if status is not None and is_it is stat.S_ISDIR:
            PrivateDirectory(name, inside=directory).close()


def _says_so(directory: PrivateDirectory) -> bool:
    """Whether the marker is there, and says what it is."""
    return read_marker(directory).startswith(_SAYS)


def read_marker(directory: PrivateDirectory) -> bytes:
    """What the marker says; nothing, if it is not there, or not one."""
    try:
        fd = directory.open(MARKER, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, _MAX_MARKER)
    finally:
        os.close(fd)


def holder_in(directory: PrivateDirectory) -> int | None:
    """The process that the marker names; None if nothing says so."""
    _, _, pid = read_marker(directory).partition(_SAYS)
    return int(pid) if pid.strip().isdigit() else None


def mark(directory: PrivateDirectory, holder: int) -> None:
    """Write the marker into a directory that was looked at.

    Args:
        holder: the process that others are told of.

    Raises:
        OSError: there is no room for it, or the directory is not writable.
    """
    try:
        fd = directory.open(MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        fd = directory.open(MARKER, os.O_WRONLY)
    try:
        # Never shorter than what it is known by, whenever this ends.
        written = os.pwrite(fd, _SAYS + f"{holder}\n".encode(), 0)
        os.ftruncate(fd, written)
    finally:
        os.close(fd)


def try_out(directory: PrivateDirectory) -> None:
    """Make sure that a runtime's things can be made in a directory, of which it then has none.

    Raises:
        OSError: they cannot; the text says why.
    """
    room = os.fstatvfs(directory.fd)
    if room.f_files and room.f_favail < _INODES:  # some file systems do not count
        text = f"its file system has inodes for {room.f_favail} more files, {_INODES} are needed"
        raise OSError(errno.ENOSPC, text)
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.bind(os.path.join(directory.path, SUPERVISOR_SOCKET))
        except OSError as error:
            raise OSError(error.errno, f"no socket can be made: {error.strerror}") from error
    directory.remove_socket(SUPERVISOR_SOCKET)


def is_marked_since(directory: PrivateDirectory, now: float, seconds: float) -> bool:
    """Whether the marker is there, and was written or touched in the last seconds.

    Args:
        now: as of the clock on the wall, which may be set.
    """
    status = directory.status(MARKER)
    return status is not None and abs(now - status.st_mtime) < seconds


def touch_all(directory: PrivateDirectory) -> None:
    """Make all that a runtime has in its directory young."""
    for name in _BELOW:
        try:
            with PrivateDirectory(name, inside=directory) as inner:
                for each in inner.names():
                    if any(pattern.fullmatch(each) for pattern, _ in _BELOW[name]):
                        inner.touch(each)
                inner.touch()
        except (FileNotFoundError, NotPrivateError):
            pass
    for name in _HERE:
        directory.touch(name)
    directory.touch()


def remove_all(directory: PrivateDirectory) -> None:
    """Remove what a runtime has in its directory, but for the marker.

    Args:
        directory: one that :func:`inspect` let pass, or whose name nobody else has known.
    """
    for name in _BELOW:
        _remove_below(directory, name)
    directory.remove_socket(SUPERVISOR_SOCKET)
    for name in (LOG, f"{LOG}.old"):
        directory.remove_file(name)


def _remove_below(directory: PrivateDirectory, name: str) -> None:
    status = directory.status(name)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return
    with PrivateDirectory(name, inside=directory) as inner:
        clear_below(inner, name)
    directory.remove_directory(name)


def clear_below(inner: PrivateDirectory, name: str) -> None:
    """Remove what a runtime has in one of the directories in its own.

    Args:
        name: which of them it is.
    """
    for each in inner.names():
        for pattern, is_it in _BELOW[name]:
            if pattern.fullmatch(each):
                inner.remove_kind(each, is_it)


def unmark(directory: PrivateDirectory) -> None:
    """Remove the marker if nothing else is left: the directory is as it was before. One in
    which something foreign is stays a runtime's."""
    if directory.names() == [MARKER]:
        directory.remove_file(MARKER)
