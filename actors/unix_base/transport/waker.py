"""How whoever waits is woken, by a signal or by another thread."""

from __future__ import annotations

import os


class Waker:
    def __init__(self) -> None:
        """
        Raises:
            OSError: no descriptor is left.
        """
        self.heard_at, self.fd = os.pipe()
        """The descriptors to wait for, and to write to."""
        os.set_blocking(self.heard_at, False)
        os.set_blocking(self.fd, False)
        self._told_to_exit = self._children_died = False

    def interrupt(self, told_to_exit: bool, children_died: bool) -> None:
        """From a signal handler, which must not take a lock."""
        self._told_to_exit |= told_to_exit
        self._children_died |= children_died
        self.wake()

    def wake(self) -> None:
        try:
            os.write(self.fd, b"\0")
        except OSError:
            pass  # it is full of wake-ups already, or closed

    def hear(self) -> tuple[bool, bool]:
        """Whether this process was told to exit, and whether children died, since the last time."""
        try:
            os.read(self.heard_at, 4096)
        except BlockingIOError:
            pass
        told = self._told_to_exit, self._children_died
        # Only what was seen: a signal may come between any two of these.
        if told[0]:
            self._told_to_exit = False
        if told[1]:
            self._children_died = False
        return told

    def close(self) -> None:
        # First the numbers: a signal may come at any moment, and they may be others' soon.
        pipe, self.heard_at, self.fd = (self.heard_at, self.fd), -1, -1
        for fd in pipe:
            os.close(fd)
