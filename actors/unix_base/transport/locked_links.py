"""What any thread may ask of the connections of its process, or have done with them."""

from __future__ import annotations

from threading import RLock
from typing import Final

from actors.unix_base.transport.link import Link
from actors.unix_base.transport.links import Links

MAX_BACKLOG: Final = 64 << 20
"""Bytes on their way to one process above which a sender waits until it takes them."""


class LockedLinks:
    """With the lock that whoever uses the connections holds meanwhile."""

    _lock: RLock
    _links: Links

    @property
    def waiting(self) -> int:
        """To how many processes something is on its way that they have not taken."""
        with self._lock:
            return self._links.waiting

    def bury_unsent(self) -> None:
        """Take those for lost that something waits to be sent to."""
        with self._lock:
            self._links.lose_those_behind()

    def is_behind(self, name: str) -> bool:
        """Whether something is on its way to that process that it has not taken."""
        with self._lock:
            return self._links.is_behind(name)

    def has_room_for(self, name: str) -> bool:
        """Whether so little is on its way to a process that more need not wait."""
        with self._lock:
            return self._links.backlog_bytes(name) <= MAX_BACKLOG

    @property
    def links(self) -> list[Link]:
        """Those to processes whose names are known."""
        with self._lock:
            return self._links.open

    def acknowledge(self) -> None:
        """Tell others now what was dealt with."""
        with self._lock:
            self._links.acknowledge()

    def hear_out(self, name: str) -> None:
        """Take in all that a process has said, which has ended."""
        with self._lock:
            self._links.hear_out(name)

    def be_reachable(self) -> None:
        """Listen anew, if nobody can reach this process any more."""
        with self._lock:
            self._links.be_reachable()
