"""Moves messages between this process and others, and wakes it when there is something to do.

Any thread may send. One at a time, the runner, waits and takes what came.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import attrs
from thespian.actors import (
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    WakeupMessage,
    WatchMessage,
)
from thespian.system.messages.multiproc import ChildMayHaveDied
from thespian.system.timing import timePeriodSeconds
from thespian.system.transport import ReceiveEnvelope, SendStatus
from thespian.system.utilis import thesplog

from actors.unix_base.address import address_of
from actors.unix_base.alarms import Alarms, Wakeup
from actors.unix_base.family import SocketFamily
from actors.unix_base.link import Intent, Link, Posted
from actors.unix_base.links import Links
from actors.unix_base.poller import new_poller

MAX_BACKLOG: Final = 64 << 20
"""Bytes on their way to one process above which a sender waits until it takes them."""
MAX_INBOX: Final = 64 << 20
"""Bytes received and not dealt with above which a sender does not wait any more: the one
that it waits for may be waiting for it."""
_LOOK_EVERY: Final = 100
"""Milliseconds after which a thread looks whether another one made room."""


@attrs.frozen(slots=True)
class Unreadable:
    """In the place of a message that could not be unpickled."""

    why: str


class Received(NamedTuple):
    envelope: ReceiveEnvelope
    link: Link | None
    """Where it came from; None for what this process tells itself."""
    size: int


class Exchange:
    def __init__(self, family: SocketFamily, name: str, admin: str) -> None:
        """Listen under a name.

        Args:
            admin: the name of the system's admin, who is told of dead letters.

        Raises:
            OSError: that is not possible.
        """
        self._name = name
        self._address = address_of(name)
        self._admin = admin
        self._poller = new_poller()
        self._alarms = Alarms()
        self._lock = threading.RLock()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._poller.watch(self._wake_in)
        try:
            self._links = Links(family, name, self._poller, self._alarms, self)
        except BaseException:
            self._close_own()
            raise
        self.inbox: deque[Received] = deque()
        self._inbox_bytes = 0
        self.done: deque[tuple[Intent, Any]] = deque()
        """Intents that came to their end, and what that was."""
        self._watched: list[int] = []
        self.waits = True
        """Whether a sender waits while too much is on its way."""
        self._children_died = self._told_to_exit = False
        self._runner = threading.get_ident()

    # ---- out -------------------------------------------------------------------------------

    def post(self, name: str, body: bytes, posted: Posted) -> None:
        """Send a pickled message to the process of that name, which is not this one."""
        with self._lock:
            link = self._links.post(name, body, posted)
        if threading.get_ident() != self._runner:
            self._wake()  # there may be something to wait for now
            if link.backlog_bytes > MAX_BACKLOG and self.waits:
                self._wait_beside_runner(link)
        elif link.backlog_bytes > MAX_BACKLOG and self.waits:
            self._wait_for_room(link)

    def post_to_self(self, message: Any, intent: Intent) -> None:
        with self._lock:
            self._put(ReceiveEnvelope(self._address, message))
            self.done.append((intent, SendStatus.Sent))
        self.nudge()

    def _wait_for_room(self, link: Link) -> None:
        """Let the sender be no faster than its receiver. What comes meanwhile is read: two
        that send to each other would else wait for ever."""
        for fd in self._watched:
            self._unwatch(fd)  # nobody can deal with those now
        while link.backlog_bytes > MAX_BACKLOG // 2 and self._inbox_bytes < MAX_INBOX:
            self.do_io(self.patience(None))
        for fd in self._watched:
            self._watch(fd)

    def _wait_beside_runner(self, link: Link) -> None:
        """The same in another thread, which only sends: to read is the runner's."""
        while link.backlog_bytes > MAX_BACKLOG // 2:
            with self._lock:
                if link.sock is None:
                    return  # lost, or not connected before the runner does it
                fd = link.sock.fileno()
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            if poll.poll(_LOOK_EVERY):
                with self._lock:
                    self._links.ready(fd, False, True)

    @property
    def waiting(self) -> int:
        """To how many processes something is on its way that they have not taken."""
        with self._lock:
            return self._links.waiting

    def is_behind(self, name: str) -> bool:
        """Whether something is on its way to that process that it has not taken."""
        with self._lock:
            return self._links.is_behind(name)

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

    # ---- what the links tell; the lock is held ---------------------------------------------

    def arrived(self, link: Link, body: memoryview) -> None:
        try:
            message = pickle.loads(body)
        except Exception as error:  # whatever reading it raises
            text = f"{type(error).__name__}: {error}"
            thesplog("cannot read a message of %s: %s", link.name, text, level=logging.WARNING)
            message = Unreadable(text)
        self._put(ReceiveEnvelope(link.address, message), link, len(body))

    def settled(self, posted: Sequence[Posted]) -> None:
        for each in posted:
            if each.intent is not None:
                self.done.append((each.intent, SendStatus.Sent))

    def refused(self, link: Link, posted: Posted, why: str) -> None:
        if posted.intent is not None:
            self.done.append((posted.intent, SendStatus.BadPacket))
        if not isinstance(posted.message, ActorSystemMessage):
            self._put(ReceiveEnvelope(link.address, PoisonMessage(posted.message, why)))

    def lost(self, link: Link, posted: Sequence[Posted]) -> None:
        for each in posted:
            if each.intent is not None:
                self.done.append((each.intent, SendStatus.DeadTarget))
            elif not isinstance(each.message, DeadEnvelope | ChildActorExited):
                self._bury(DeadEnvelope(link.address, each.message))

    def _bury(self, letter: DeadEnvelope) -> None:
        if self._name == self._admin:
            self._put(ReceiveEnvelope(self._address, letter))
            return
        body = pickle.dumps(letter, pickle.HIGHEST_PROTOCOL)
        self._links.post(self._admin, body, Posted(letter, None))

    def _put(self, envelope: ReceiveEnvelope, link: Link | None = None, size: int = 0) -> None:
        self.inbox.append(Received(envelope, link, size))
        self._inbox_bytes += size

    # ---- in --------------------------------------------------------------------------------

    def take(self) -> Received:
        """The oldest thing that came; :meth:`dealt_with` is owed for it."""
        received = self.inbox.popleft()
        self._inbox_bytes -= received.size
        return received

    def dealt_with(self, received: Received) -> None:
        if received.link is None:
            return
        message = received.envelope.message
        with self._lock:
            refusal = message.why if isinstance(message, Unreadable) else None
            self._links.deal_with(received.link, refusal)

    def be_runner(self) -> None:
        """This thread waits and takes from now on."""
        self._runner = threading.get_ident()

    def patience(self, deadline: float | None) -> float | None:
        """Seconds until the next thing that is due; None if there is none."""
        due = self._alarms.next_due
        if due is None or (deadline is not None and deadline < due):
            due = deadline
        return None if due is None else max(0.0, due - time.monotonic())

    def do_io(self, seconds: float | None) -> None:
        """Wait until something can be received or sent, for so long at most, and do it."""
        ready = self._poller.wait(seconds)
        watched = None
        with self._lock:
            for fd, readable, writable in ready:
                if self._links.ready(fd, readable, writable):
                    continue
                if fd == self._wake_in:
                    self._hear_wake_up()
                elif fd in self._watched:
                    watched = [fd] if watched is None else [*watched, fd]
            if watched is not None:
                self._put(ReceiveEnvelope(self._address, WatchMessage(watched)))
            due = self._alarms.next_due
            if due is not None and due <= time.monotonic():
                for wakeup in self._alarms.due(time.monotonic()):
                    message = WakeupMessage(wakeup.period, wakeup.payload)
                    self._put(ReceiveEnvelope(self._address, message))

    # ---- waking ----------------------------------------------------------------------------

    def interrupt(self, told_to_exit: bool, children_died: bool) -> None:
        """From a signal handler, which must not take the lock."""
        self._told_to_exit |= told_to_exit
        self._children_died |= children_died
        self._wake()

    def nudge(self) -> None:
        """Something happened that the runner has to look at."""
        if threading.get_ident() != self._runner:
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_out, b"\0")
        except OSError:
            pass  # it is full of wake-ups already, or closed

    def _hear_wake_up(self) -> None:
        try:
            os.read(self._wake_in, 4096)
        except BlockingIOError:
            pass
        if self._children_died:
            self._children_died = False
            self._put(ReceiveEnvelope(self._address, ChildMayHaveDied()))
        if self._told_to_exit:
            self._told_to_exit = False
            self._put(ReceiveEnvelope(self._address, ActorExitRequest()))

    def wake_up_after(self, period: timedelta | float, payload: Any) -> None:
        """Have a WakeupMessage come."""
        with self._lock:
            when = time.monotonic() + timePeriodSeconds(period)
            self._alarms.add_wakeup(Wakeup(when, period, payload))
        self.nudge()

    @property
    def wakeups(self) -> list[Wakeup]:
        with self._lock:
            return self._alarms.wakeups

    def set_watch(self, fds: Sequence[int]) -> None:
        """Have a WatchMessage come when one of these can be read, and of no other."""
        if not fds and not self._watched:
            return
        for fd in self._watched:
            if fd not in fds:
                self._unwatch(fd)
        self._watched = list(fds)
        for fd in fds:
            self._watch(fd)

    def _unwatch(self, fd: int) -> None:
        if not self._links.owns(fd):  # it was closed, and its number given to a link
            self._poller.forget(fd)

    def _watch(self, fd: int) -> None:
        try:
            if self._links.owns(fd):
                raise ValueError("it was closed")
            self._poller.watch(fd, anew=True)
        except (OSError, ValueError) as error:
            thesplog("cannot watch descriptor %s: %s", fd, error, level=logging.WARNING)
            self._watched = [each for each in self._watched if each != fd]

    # ---- the end ---------------------------------------------------------------------------

    def close(self) -> None:
        """Tell others what was dealt with, hang up, and remove what this process left."""
        self._links.close()
        self._close_own()

    def leave_to_parent(self) -> None:
        """Close the copies that a forked process has of all this; the parent goes on."""
        self._links.close_sockets()
        self._close_own()

    def _close_own(self) -> None:
        self._poller.close()
        # First the numbers: a signal may come at any moment, and they may be others' soon.
        pipe, self._wake_in, self._wake_out = (self._wake_in, self._wake_out), -1, -1
        for fd in pipe:
            os.close(fd)
