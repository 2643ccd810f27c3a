"""Writes a log to whoever reads it, or does not.

A thread does it, as nothing else can wait for a terminal, a full pipe or a dead file system without
waiting with it.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from typing import Final

from actors import loggers
from actors.messages.output import lines_were

_MOST: Final = 4 * 1024 * 1024
"""Bytes that may wait to be written."""


class LogWriter:
    """Of the process that the log of a runtime comes together in."""

    def __init__(self, fd: int, most: int = _MOST) -> None:
        """
        Args:
            fd: of a terminal, a pipe, a file. Its mode is left as it is: others have it, too.
            most: bytes that may wait to be written; what is more is dropped, and counted.
        """
        self._fd = fd
        self._most = most
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        """Lines, since the last that was taken."""
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def put(self, lines: bytes) -> None:
        """Have whole lines written, unless too many wait already."""
        with self._changed:
            if self._size + len(lines) > self._most and self._size:
                self._dropped += lines.count(b"\n")
                return
            if self._dropped:
                lines, self._dropped = _dropped(self._dropped) + lines, 0
            self._waiting.append(lines)
            self._size += len(lines)
            self._changed.notify_all()

    def finish(self, seconds: float) -> None:
        """Wait, for so long at most, until all is written."""
        with self._changed:
            if self._dropped:
                self._waiting.append(_dropped(self._dropped))
                self._size += len(self._waiting[-1])
                self._dropped = 0
                self._changed.notify_all()
            self._changed.wait_for(lambda: not self._size, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                lines = self._waiting.popleft()
            written = self._write(lines)
            with self._changed:
                self._size -= len(lines)
                if not written:
                    self._dropped += lines.count(b"\n")
                self._changed.notify_all()

    def _write(self, lines: bytes) -> bool:
        left = memoryview(lines)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:  # somebody else who has it made it so
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll(1000)
            except OSError:  # nobody reads it any more, or there is no room: perhaps later
                return False
        return True


def _dropped(count: int) -> bytes:
    time_ = time.strftime("%Y-%m-%d %H:%M:%S")
    why = "whoever reads this log was too slow"
    return f"{time_},000 WARNING {loggers.LOG}: {lines_were(count)} dropped: {why}\n".encode()
