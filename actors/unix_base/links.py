"""All connections of one process: found by name, made when there is something to say."""

from __future__ import annotations

import logging
import mmap
import pickle
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from thespian.system.utilis import thesplog

from actors.unix_base import framing
from actors.unix_base.address import address_of
from actors.unix_base.alarms import Alarms
from actors.unix_base.family import BUSY, NO_ROOM, SocketFamily, Stranger
from actors.unix_base.link import VERSION, Link, LinkLost, Posted
from actors.unix_base.poller import Poller

_SCRATCH_BYTES: Final = 1 << 18
_ACKNOWLEDGE_AFTER: Final = 0.01
"""Seconds in which something else may be said that tells it along the way."""
_FIRST_RETRY: Final = 0.001
_LAST_RETRY: Final = 0.1
"""Seconds between two attempts to connect to a process whose queue is full, or with no
descriptor left; the time doubles up to the second."""


class Owner(Protocol):
    """Whoever is told of what happens on links."""

    def arrived(self, link: Link, body: memoryview) -> None:
        """A message; the memory is valid during the call only."""

    def settled(self, posted: Sequence[Posted]) -> None:
        """The other end has dealt with these."""

    def refused(self, link: Link, posted: Posted, why: str) -> None:
        """The other end could not read this one."""

    def lost(self, link: Link, posted: Sequence[Posted]) -> None:
        """The other end is gone, and nobody knows whether it dealt with these."""


class Links:
    """Not for several threads at once: the owner sees to that."""

    def __init__(
        self, family: SocketFamily, own_name: str, poller: Poller, alarms: Alarms, owner: Owner
    ) -> None:
        """Listen.

        Raises:
            OSError: that is not possible.
        """
        self._family = family
        self._own_name = own_name
        self._poller = poller
        self._alarms = alarms
        self._owner = owner
        self._by_name: dict[str, Link] = {}
        """Where to send, for each process that there is a link to."""
        self._by_fd: dict[int, Link] = {}
        self._owed: set[Link] = set()
        """Whose other ends do not know what was dealt with."""
        self._acknowledging = False
        self._scratch = memoryview(_room_for(_SCRATCH_BYTES))
        self._listener = family.listen(own_name)
        self._listener_fd = self._listener.fileno()
        poller.watch(self._listener_fd)

    @property
    def waiting(self) -> int:
        """Links with something that the other end has not taken yet."""
        return sum(1 for link in self._all() if link.backlog)

    def is_behind(self, name: str) -> bool:
        link = self._by_name.get(name)
        return link is not None and bool(link.backlog)

    @property
    def open(self) -> list[Link]:
        """Those to processes whose names are known."""
        return list(self._by_name.values())

    def _all(self) -> set[Link]:
        return {*self._by_name.values(), *self._by_fd.values()}

    # ---- out -------------------------------------------------------------------------------

    def post(self, name: str, body: bytes, posted: Posted) -> Link:
        """Send a message, now or as soon as the other process takes it."""
        link = self._by_name.get(name)
        if link is None:
            link = self._by_name[name] = Link(name, address_of(name))
            link.post(body, posted)
            self._dial(link)
            return link
        waited = bool(link.backlog)
        try:
            link.post(body, posted)
        except LinkLost as error:
            self._hear_out(link, error)
            return link
        if link.backlog and not waited and link.sock is not None:
            self._poller.watch(link.sock.fileno(), write=True)
        return link

    def _dial(self, link: Link) -> None:
        assert link.name is not None
        try:
            sock = self._family.dial(link.name)
        except OSError as error:
            if error.errno in BUSY:
                self._dial_later(link, error)
            else:
                self._lose(link, LinkLost(f"{error.strerror or error}"))
            return
        self._take(link, sock, self._own_name)

    def _dial_later(self, link: Link, error: OSError) -> None:
        if error.errno in NO_ROOM and link.dials == 0:
            thesplog("waiting to connect to %s: %s", link.name, error, level=logging.WARNING)
        wait = min(_FIRST_RETRY * 2**link.dials, _LAST_RETRY)
        link.dials = min(link.dials + 1, 16)
        self._alarms.add(time.monotonic() + wait, lambda: self._dial_again(link))

    def _dial_again(self, link: Link) -> None:
        if link.sock is None and self._by_name.get(link.name or "") is link:
            self._dial(link)

    def _take(self, link: Link, sock: socket.socket, hello: str | None) -> None:
        self._by_fd[sock.fileno()] = link
        try:
            link.open(sock, hello)
        except LinkLost as error:
            self._hear_out(link, error)
            return
        self._poller.watch(sock.fileno(), write=bool(link.backlog), anew=True)

    def deal_with(self, link: Link, refusal: str | None = None) -> None:
        """The owner has dealt with the oldest message of this link that it had not.

        Args:
            refusal: why it could not be read.
        """
        if refusal is None:
            link.dealt_with += 1
            if link.sock is not None:
                self._owe(link)
            return
        try:
            link.refuse(refusal)
        except LinkLost as error:
            self._hear_out(link, error)

    def _owe(self, link: Link) -> None:
        self._owed.add(link)
        if not self._acknowledging:
            self._acknowledging = True
            self._alarms.add(time.monotonic() + _ACKNOWLEDGE_AFTER, self._acknowledge_later)

    def _acknowledge_later(self) -> None:
        self._acknowledging = False
        self.acknowledge()

    def acknowledge(self) -> None:
        """Tell all other ends now what was dealt with."""
        owed, self._owed = self._owed, set()
        for link in owed:
            try:
                link.acknowledge()
            except LinkLost as error:
                self._hear_out(link, error)

    # ---- in --------------------------------------------------------------------------------

    def ready(self, fd: int, readable: bool, writable: bool) -> bool:
        """Do what is possible without waiting.

        Returns:
            whether the descriptor is one of a link's.
        """
        if fd == self._listener_fd:
            self._accept()
            return True
        link = self._by_fd.get(fd)
        if link is None:
            return False
        try:
            if readable:
                self._read(link)
        except LinkLost as error:
            self._lose(link, error)
            return True
        try:
            if writable and link.backlog:
                link.write()
                if not link.backlog:
                    self._poller.watch(fd)
        except LinkLost as error:
            self._hear_out(link, error)
        return True

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is the listener's or one of a link's."""
        return fd == self._listener_fd or fd in self._by_fd

    def _read(self, link: Link) -> None:
        owner = self._owner
        for kind, acknowledged, body in link.read(self._scratch):
            if (kind == framing.HELLO) != (link.name is None):
                raise LinkLost("it did not greet once, and first")
            if acknowledged != link.acknowledged:
                owner.settled(link.settle(acknowledged))
            if kind == framing.MESSAGE:
                owner.arrived(link, body)
            elif kind == framing.HELLO:
                self._greet(link, body)
            elif kind == framing.REFUSE:
                owner.refused(link, link.refused(), str(body, "utf-8", "replace"))

    def _greet(self, link: Link, body: memoryview) -> None:
        try:
            version, name = pickle.loads(body)
        except Exception as error:  # whatever reading it raises
            raise LinkLost(f"its greeting cannot be read: {error}") from error
        if not isinstance(name, str):
            raise LinkLost(f"it calls itself {name!r}")
        if version != VERSION:
            raise LinkLost(f"{name} speaks version {version}, and this process {VERSION}")
        link.name, link.address = name, address_of(name)
        # Both may have called at once: each stays with its own call, which keeps its messages
        # in order.
        self._by_name.setdefault(name, link)

    def _accept(self) -> None:
        while True:
            try:
                sock = self._family.accept(self._listener)
            except BlockingIOError:
                return
            except Stranger as error:
                thesplog("%s: %s", self._own_name, error, level=logging.WARNING)
                continue
            except OSError as error:
                if error.errno in NO_ROOM:
                    # The listener would stay ready for ever.
                    thesplog("no room for a connection: %s", error, level=logging.WARNING)
                    self._poller.forget(self._listener_fd)
                    again: Callable[[], object] = lambda: self._poller.watch(self._listener_fd)  # noqa: E731
                    self._alarms.add(time.monotonic() + _LAST_RETRY, again)
                    return
                continue  # whoever called has left already
            self._take(Link(None, None), sock, None)

    # ---- the end ---------------------------------------------------------------------------

    def hear_out(self, name: str) -> None:
        """Take in all that a process has said, which has ended."""
        self._accept()
        for link in self._all():
            if link.name is None and link.sock is not None:
                self.ready(link.sock.fileno(), readable=True, writable=False)
        for link in self._all():
            if link.name == name and link.sock is not None:
                self._hear_out(link, LinkLost("it ended"))

    def _hear_out(self, link: Link, why: LinkLost) -> None:
        """Nothing can be sent on a link any more; what the other end said before still counts."""
        link.hang_up()
        try:
            while True:
                self._read(link)
        except LinkLost:
            self._lose(link, why)

    def _lose(self, link: Link, why: LinkLost) -> None:
        if link.sock is not None:
            fd = link.sock.fileno()
            self._poller.forget(fd)
            self._by_fd.pop(fd, None)
            link.close()
            link.sock = None
        if link.name is not None and self._by_name.get(link.name) is link:
            del self._by_name[link.name]
        self._owed.discard(link)
        posted = list(link.posted)
        link.posted.clear()
        link.backlog.clear()
        link.backlog_bytes = 0
        if posted:
            thesplog("%s lost, with %d messages: %s", link.name, len(posted), why)
        self._owner.lost(link, posted)

    def close(self) -> None:
        """Hang up on all, after telling them what was dealt with."""
        self.acknowledge()
        self.close_sockets()
        self._family.remove(self._own_name)

    def close_sockets(self) -> None:
        """Close what is open, in this process: a forked one has copies of its parent's."""
        self._listener.close()
        for link in self._all():
            link.close()


def _room_for(size: int) -> mmap.mmap:
    """So much memory, of which each page is there only once something was written to it."""
    return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
