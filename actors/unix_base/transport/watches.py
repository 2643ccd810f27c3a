"""Descriptors of an actor's own, for which its process waits, too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from thespian.system.utilis import thesplog

from actors.unix_base.kernel.poller import Poller


class Watches:
    def __init__(self, poller: Poller, is_taken: Callable[[int], bool]) -> None:
        """
        Args:
            is_taken: whether a descriptor is one of the transport's: the actor may have closed
                its own, whose number is given to the next that is opened.
        """
        self._poller = poller
        self._is_taken = is_taken
        self.fds: Final[list[int]] = []
        """Always this list."""

    def set(self, fds: Sequence[int]) -> None:
        """Wait for these, and for no other."""
        for fd in self.fds:
            if fd not in fds:
                self._forget(fd)
        self.fds[:] = fds
        self.go_on()

    def pause(self) -> None:
        for fd in self.fds:
            self._forget(fd)

    def go_on(self) -> None:
        for fd in [*self.fds]:
            self._watch(fd)

    def _forget(self, fd: int) -> None:
        if not self._is_taken(fd):
            self._poller.forget(fd)

    def _watch(self, fd: int) -> None:
        try:
            if self._is_taken(fd):
                raise ValueError("it was closed")
            self._poller.watch(fd, anew=True)
        except (OSError, ValueError) as error:
            thesplog("cannot watch descriptor %s: %s", fd, error, level=logging.WARNING)
            self.fds[:] = [each for each in self.fds if each != fd]
