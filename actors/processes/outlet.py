"""Output that never makes who writes it wait.

Whoever reads a pipe or a terminal may be slow, stand still, or be gone. A descriptor that does not
block is no way out: who else has the same open file, such as a shell, would find it so, and C code
takes it for an error. So this looks for room before it writes, and drops what has none.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import threading
from typing import IO, Any, Final

from actors.messages.output import NOTICE_MARK, STDOUT_MARK, lines_were

_PIECE: Final = select.PIPE_BUF
"""Bytes for which there is room in a pipe that may be written to,"""
_OTHER_PIECE: Final = 256
"""and in a terminal."""
_PATIENCE: Final = 0.1
"""Seconds to wait for room, once; no more, until there was some."""


class Outlet:
    """One descriptor of this process, for all its threads."""

    def __init__(self, fd: int, notice_mark: bytes = b"") -> None:
        """
        Args:
            notice_mark: what a line begins with that says what was dropped.
        """
        self._fd = fd
        self._notice_mark = notice_mark
        is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
        self._piece = _PIECE if is_pipe else _OTHER_PIECE
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._lock = threading.RLock()
        self._patience = _PATIENCE
        self._at_start = True
        """Whether what was written last ended a line."""
        self._dropped = 0
        """Lines, since the last that was written."""
        os.register_at_fork(after_in_child=self._after_fork)

    def put(self, data: bytes, *, own_line: bool = False, mark: bytes = b"") -> None:
        """Write, or drop and count; never fails.

        Args:
            own_line: whether it is to begin a line, wherever others have left off.
            mark: what each line is to begin with.
        """
        with self._lock:
            if mark and data:
                inner = data[:-1].replace(b"\n", b"\n" + mark)
                data = (mark if self._at_start else b"") + inner + data[-1:]
            if (self._dropped and not self._say_dropped()) or not self._write_all(data, own_line):
                self._dropped += max(1, data.count(b"\n"))

    def _say_dropped(self) -> bool:
        text = f"[{lines_were(self._dropped)} dropped: whoever reads the output was too slow]\n"
        if not self._write_all(self._notice_mark + text.encode(), own_line=True):
            return False
        self._dropped = 0
        return True

    def _write_all(self, data: bytes, own_line: bool) -> bool:
        if own_line and not self._at_start:
            data = b"\n" + data
        return all(
            self._write(data[start : start + self._piece])
            for start in range(0, len(data), self._piece)
        )

    def _write(self, piece: bytes) -> bool:
        if not self._poll.poll(self._patience * 1000):
            self._patience = 0.0
            return False
        self._patience = _PATIENCE
        try:
            while piece:
                written = os.write(self._fd, piece)
                self._at_start = piece[written - 1 : written] == b"\n"
                piece = piece[written:]
        except OSError:  # nobody reads any more, or somebody else took the room
            return False
        return True

    def _after_fork(self) -> None:
        self._lock = threading.RLock()  # a thread that is not in this process may have held it


class _Raw(io.RawIOBase):
    """What a text stream writes to."""

    def __init__(self, outlet: Outlet, fd: int, mark: bytes) -> None:
        self._outlet = outlet
        self._descriptor = fd
        self._mark = mark

    def write(self, data: Any, /) -> int:
        whole = bytes(data)
        self._outlet.put(whole, mark=self._mark)
        return len(whole)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor


def never_wait_for_readers(*, marks: bool = False) -> Outlet:
    """Have ``sys.stdout`` and ``sys.stderr`` of this process, descriptors of the same pipe, never
    make it wait.

    Args:
        marks: whether lines are to say what they are, to whoever reads them.

    Returns:
        the outlet for whatever else is to be written there.
    """
    _open_standard_descriptors()
    outlet = Outlet(2, NOTICE_MARK if marks else b"")
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    sys.stdout = _stream(outlet, 1, STDOUT_MARK if marks else b"")
    sys.stderr = _stream(outlet, 2, b"")
    return outlet


def _open_standard_descriptors() -> None:
    """Whoever started this process may have closed some: what is opened next would be taken for
    standard output, and all that is printed would go there."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


def _stream(outlet: Outlet, fd: int, mark: bytes) -> io.TextIOWrapper:
    raw: Any = _Raw(outlet, fd, mark)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)


def _flush(stream: IO[str] | None) -> None:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        pass  # nobody reads it
