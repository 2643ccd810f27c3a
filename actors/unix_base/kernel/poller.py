"""Waiting for file descriptors: one poller for each process, for as long as it lives."""

from __future__ import annotations

import select
import selectors
import sys
from typing import Final, Protocol

READABLE: Final = 1
WRITABLE: Final = 4
"""As of epoll, which has more bits: whatever else a descriptor is, it is also readable, or at
its end."""
Ready = tuple[int, int]
"""A descriptor, and in bits what it is."""


class Poller(Protocol):
    def watch(self, fd: int, *, write: bool = False, anew: bool = False) -> None:
        """Wait for a descriptor to be readable, and perhaps writable.

        Args:
            anew: the number may stand for another file than when it was last watched.

        Raises:
            OSError: it is not open, or no file that can be waited for.
        """

    def forget(self, fd: int) -> None: ...

    def wait(self, seconds: float | None, /) -> list[Ready]: ...

    def close(self) -> None: ...


class EpollPoller:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        self.wait = self._epoll.poll  # as it is: every message is waited for

    def watch(self, fd: int, *, write: bool = False, anew: bool = False) -> None:
        events = select.EPOLLIN | (select.EPOLLOUT if write else 0)
        if fd in self._watched:
            try:
                self._epoll.modify(fd, events)
            except FileNotFoundError:  # closed meanwhile, and opened again
                self._epoll.register(fd, events)
        else:
            self._epoll.register(fd, events)
            self._watched.add(fd)

    def forget(self, fd: int) -> None:
        self._watched.discard(fd)
        try:
            self._epoll.unregister(fd)
        except OSError:
            pass  # closed, and so forgotten already

    def close(self) -> None:
        self._epoll.close()


_AS_BITS: Final = {selectors.EVENT_READ: READABLE, selectors.EVENT_WRITE: WRITABLE}


class SelectorPoller:
    """For systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, *, write: bool = False, anew: bool = False) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if write else 0)
        if fd not in self._selector.get_map():
            self._selector.register(fd, events)
        elif anew:
            self._selector.unregister(fd)
            self._selector.register(fd, events)
        else:
            self._selector.modify(fd, events)

    def forget(self, fd: int) -> None:
        try:
            self._selector.unregister(fd)
        except (KeyError, OSError):
            pass

    def wait(self, seconds: float | None, /) -> list[Ready]:
        return [
            (key.fd, sum(bit for event, bit in _AS_BITS.items() if events & event))
            for key, events in self._selector.select(seconds)
        ]

    def close(self) -> None:
        self._selector.close()


def new_poller() -> Poller:
    return EpollPoller() if sys.platform == "linux" else SelectorPoller()
