"""All connections of one process: found by name, made when there is something to say."""

from __future__ import annotations

import logging
import pickle
import socket
import time
from collections.abc import Sequence
from typing import Final, Protocol

from thespian.system.utilis import thesplog

from actors.unix_base.kernel.buffers import new_room
from actors.unix_base.kernel.errors import BUSY, NO_ROOM
from actors.unix_base.kernel.poller import READABLE, WRITABLE, Poller
from actors.unix_base.transport.address import address_of
from actors.unix_base.transport.alarms import Alarms
from actors.unix_base.transport.frames import HELLO, MESSAGE, REFUSE
from actors.unix_base.transport.link import VERSION, Intent, Link, LinkLost, Posted
from actors.unix_base.transport.pickling import described
from actors.unix_base.transport.reception import Reception
from actors.unix_base.transport.sockets import MayBeFull, SocketFamily

_LOOK_EVERY: Final = 0.01
"""Seconds in which something else may be said that tells what was dealt with."""
_FIRST_RETRY: Final = 0.001
_LAST_RETRY: Final = 0.1
"""Seconds between two attempts to connect to a process whose queue is full, or with no
descriptor left; the time doubles up to the second."""


_REFUSALS: Final = 12
"""How often one is called that may have a full queue before it is taken for gone; half a second."""


class Owner(Protocol):
    """Whoever is told of what happens on links."""

    def arrived(self, link: Link, body: memoryview) -> None:
        """A message; the memory is valid during the call only."""

    def settled(self, intent: Intent) -> None:
        """The other end has dealt with a message of which somebody is to hear so."""

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
        self.owed: set[Link] = set()
        """Whose other ends may not know what was dealt with."""
        self._looks = False
        """Whether there is an alarm for them."""
        self._scratch = new_room()
        self._reception = Reception(family, own_name, poller, alarms, self._accepted)

    @property
    def waiting(self) -> int:
        """Links with something that the other end has not taken yet."""
        return sum(1 for link in self._all() if link.backlog)

    def is_behind(self, name: str) -> bool:
        link = self._by_name.get(name)
        return link is not None and bool(link.backlog)

    def backlog_bytes(self, name: str) -> int:
        """What waits to be taken by a process."""
        link = self._by_name.get(name)
        return 0 if link is None else link.backlog_bytes

    @property
    def open(self) -> list[Link]:
        """Those to processes whose names are known."""
        return list(self._by_name.values())

    def _all(self) -> set[Link]:
        return {*self._by_name.values(), *self._by_fd.values()}

    # ---- out -------------------------------------------------------------------------------

    def post(self, name: str, posted: Posted) -> Link | None:
        """Send a message, now or as soon as the other process takes it.

        Returns:
            None if all of it is sent, or else the link, which is being connected, or waits for
            room, or was lost just now.
        """
        link = self._by_name.get(name)
        if link is None:
            link = self._by_name[name] = Link(name, address_of(name))
            link.post(posted)
            self._dial(link)
            return link
        try:
            if link.post(posted):
                return None
        except LinkLost as error:
            self._hear_out(link, error)
            return link
        self._watch_backlog(link)
        return link

    def _watch_backlog(self, link: Link) -> None:
        """Send what waits as soon as the other end takes it."""
        if link.lacks_memory:
            self._let_rest(link)
        elif link.backlog and not link.is_stuck and link.sock is not None:
            link.is_stuck = True
            self._poller.watch(link.sock.fileno(), write=True)

    def _let_rest(self, link: Link) -> None:
        """There was no memory for it; it would be ready for ever, all the same."""
        sock = link.sock
        if sock is None or not link.lacks_memory:
            return
        self._poller.forget(sock.fileno())
        self._alarms.add(time.monotonic() + _LAST_RETRY, lambda: self._go_on(link, sock))

    def _go_on(self, link: Link, sock: socket.socket) -> None:
        if link.sock is sock:
            link.lacks_memory = False
            link.is_stuck = bool(link.backlog)
            self._poller.watch(sock.fileno(), write=link.is_stuck)

    def _dial(self, link: Link) -> None:
        assert link.name is not None
        try:
            sock = self._family.dial(link.name)
        except OSError as error:
            full = isinstance(error, MayBeFull) and link.dials < _REFUSALS
            if full or error.errno in BUSY:
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
        link.is_stuck = bool(link.backlog)
        try:
            self._poller.watch(sock.fileno(), write=link.is_stuck, anew=True)
        except OSError as error:  # no memory, or too much is watched already
            self._lose(link, LinkLost(f"it cannot be waited for: {error.strerror}"))
            return
        self._let_rest(link)

    def refuse(self, link: Link, why: str) -> None:
        """The oldest message of this link that was not dealt with cannot be read."""
        try:
            link.refuse(why)
        except LinkLost as error:
            self._hear_out(link, error)
        else:
            self._watch_backlog(link)

    def owe(self, link: Link) -> None:
        """The other end is to be told what was dealt with, by a message or else soon."""
        self.owed.add(link)
        if not self._looks:
            self._looks = True
            self._look_soon()

    def _look_soon(self) -> None:
        self._alarms.add(time.monotonic() + _LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Tell those of what was dealt with to whom nothing else was said lately."""
        for link in [*self.owed]:
            if link.told == link.told_before:
                self._acknowledge(link)
            link.told_before = link.told
        self._looks = bool(self.owed)
        if self._looks:
            self._look_soon()

    def acknowledge(self) -> None:
        """Tell all other ends now what was dealt with."""
        for link in [*self.owed]:
            self._acknowledge(link)

    def _acknowledge(self, link: Link) -> None:
        self.owed.discard(link)
        try:
            link.acknowledge()
        except LinkLost as error:
            self._hear_out(link, error)
        else:
            self._watch_backlog(link)

    # ---- in --------------------------------------------------------------------------------

    def ready(self, fd: int, events: int) -> bool:
        """Do what is possible without waiting.

        Args:
            events: as of the poller.

        Returns:
            whether the descriptor is one of a link's.
        """
        link = self._by_fd.get(fd)
        if link is None:
            if fd != self._reception.fd:
                return False
            self._reception.accept()
            return True
        if events != WRITABLE:
            try:
                self._read(link)
            except LinkLost as error:
                self._lose(link, error)
                return True
        if link.lacks_memory:
            self._let_rest(link)
        elif events & WRITABLE and link.backlog:
            self._write(link)
        return True

    def _write(self, link: Link) -> None:
        assert link.sock is not None
        try:
            link.write()
        except LinkLost as error:
            self._hear_out(link, error)
            return
        if link.lacks_memory:
            self._let_rest(link)
        elif not link.backlog:
            link.is_stuck = False
            self._poller.watch(link.sock.fileno())

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is the listener's or one of a link's."""
        return fd == self._reception.fd or fd in self._by_fd

    def _read(self, link: Link) -> None:
        for kind, acknowledged, body in link.read(self._scratch):
            if acknowledged != link.acknowledged:
                for _, _, intent in link.settle(acknowledged):
                    if intent is not None:
                        self._owner.settled(intent)
            if link.name is None:
                self._greet(link, kind, body)
            elif kind == MESSAGE:
                self._owner.arrived(link, body)
            elif kind == REFUSE:
                self._owner.refused(link, link.refused(), str(body, "utf-8", "replace"))
            elif kind == HELLO:
                raise LinkLost("it greeted again")

    def _greet(self, link: Link, kind: int, body: memoryview) -> None:
        if kind != HELLO:
            raise LinkLost("it did not greet first")
        try:
            version, name = pickle.loads(body)
        except Exception as error:  # whatever reading it raises
            raise LinkLost(f"its greeting cannot be read: {described(error)}") from error
        if not isinstance(name, str):
            raise LinkLost(f"it calls itself {name!r}")
        if version != VERSION:
            raise LinkLost(f"{name} speaks version {version}, and this process {VERSION}")
        link.name, link.address = name, address_of(name)
        # Both may have called at once: each stays with its own call, which keeps its messages
        # in order.
        self._by_name.setdefault(name, link)

    def _accepted(self, sock: socket.socket) -> None:
        self._take(Link(None, None), sock, None)

    def be_reachable(self) -> None:
        """Listen anew, if nobody can reach this process any more."""
        self._reception.be_reachable()

    # ---- the end ---------------------------------------------------------------------------

    def hear_out(self, name: str) -> None:
        """Take in all that a process has said, which has ended."""
        self._reception.accept()
        for link in self._all():
            if link.name is None and link.sock is not None:
                self.ready(link.sock.fileno(), READABLE)
        for link in self._all():
            if link.name == name and link.sock is not None:
                self._hear_out(link, LinkLost("it ended"))

    def lose_those_behind(self) -> None:
        """Wait no more for those that do not take what is sent to them."""
        for link in self._all():
            if link.backlog:
                self._lose(link, LinkLost("it took nothing for too long"))

    def break_off(self) -> None:
        """Take all for lost: nobody knows how far what was being done on one of them has come."""
        for link in self._all():
            self._lose(link, LinkLost("this process was interrupted while it sent or received"))

    def _hear_out(self, link: Link, why: LinkLost) -> None:
        """Nothing can be sent on a link any more; what the other end said before still counts."""
        link.has_more = True
        try:
            while link.has_more:
                self._read(link)
        except LinkLost:
            pass  # that was all
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
        self.owed.discard(link)
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
        self._reception.close()
        for link in self._all():
            link.close()
