"""Moves messages between this process and others, and wakes it when there is something to do.

Any thread may send. One at a time, the runner, waits and takes what came.
"""

from __future__ import annotations

import logging
import pickle
import select
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from threading import RLock, get_ident
from time import monotonic
from typing import Any, Final

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
from thespian.system.transport import SendStatus
from thespian.system.utilis import thesplog

from actors.unix_base.kernel.poller import WRITABLE, new_poller
from actors.unix_base.transport.address import address_of
from actors.unix_base.transport.alarms import Alarms, Wakeup
from actors.unix_base.transport.link import Intent, Link, Posted
from actors.unix_base.transport.links import Links
from actors.unix_base.transport.locked_links import MAX_BACKLOG, LockedLinks
from actors.unix_base.transport.pickling import AsSent, described, dumps
from actors.unix_base.transport.received import Received, Receiver, Unreadable
from actors.unix_base.transport.sockets import SocketFamily
from actors.unix_base.transport.waker import Waker
from actors.unix_base.transport.watches import Watches

MAX_INBOX: Final = 64 << 20
"""Bytes received and not dealt with above which a sender does not wait any more: the one
that it waits for may be waiting for it."""
_LOOK_EVERY: Final = 100
"""Milliseconds after which a thread looks whether another one made room."""


class Exchange(LockedLinks):
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
        self._wait = self._poller.wait
        self._alarms = Alarms()
        self._lock = RLock()
        # For what every message does: ``with`` costs as much again as the lock.
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._is_owned: Callable[[], bool] = self._lock._is_owned  # type: ignore[attr-defined]
        self._interjected: deque[tuple[str, Posted]] = deque()
        """What was sent in the middle of something else."""
        self._waker = Waker()
        self._poller.watch(self._waker.heard_at)
        try:
            self._links = Links(family, name, self._poller, self._alarms, self)
        except BaseException:
            self._close_own()
            raise
        self._owed = self._links.owed
        self.unread: deque[Received] = deque()
        self._came_bytes = self._taken_bytes = 0
        """Of all messages so far. The lock is held for the one, the other is the runner's."""
        self.done: deque[tuple[Intent, Any]] = deque()
        """Intents that came to their end, and what that was."""
        self.watches = Watches(self._poller, self._links.owns)
        self._watched = self.watches.fds
        self.waits = True
        """Whether a sender waits while too much is on its way; no more when this process is told
        to exit."""
        self._runner = get_ident()

    # ---- out -------------------------------------------------------------------------------

    def post(self, name: str, posted: Posted) -> None:
        """Send a message to the process of that name, which is not this one."""
        if self._is_owned():
            # From a signal handler, or a finalizer, in the middle of what else is sent or received.
            self._interjected.append((name, posted))
            self._waker.wake()
            return
        self._acquire()
        try:
            if self._interjected:
                self._post_interjected()
            link = self._links.post(name, posted)
        except BaseException:
            self._links.break_off()
            raise
        finally:
            self._release()
        if link is None:
            return
        if get_ident() != self._runner:
            self._waker.wake()  # there is something to wait for, or to hear of, now
            if link.backlog_bytes > MAX_BACKLOG and self.waits:
                self._wait_beside_runner(link)
        elif link.backlog_bytes > MAX_BACKLOG and self.waits:
            self._wait_for_room(link)

    def _post_interjected(self) -> None:
        while self._interjected:
            self._links.post(*self._interjected.popleft())

    def post_to_self(self, message: Any, intent: Intent) -> None:
        with self._lock:
            self._tell_self(message)
            self.done.append((intent, SendStatus.Sent))
        self.nudge()

    def _wait_for_room(self, link: Link) -> None:
        """Let the sender be no faster than its receiver. What comes meanwhile is read: two
        that send to each other would else wait for ever."""
        self.watches.pause()  # nobody can deal with those now
        while (
            self.waits
            and link.backlog_bytes > MAX_BACKLOG // 2
            and self._came_bytes - self._taken_bytes < MAX_INBOX
        ):
            self.do_io_until(None)
        self.watches.go_on()

    def _wait_beside_runner(self, link: Link) -> None:
        """The same in another thread, which only sends: to read is the runner's."""
        while self.waits and link.backlog_bytes > MAX_BACKLOG // 2:
            with self._lock:
                if link.sock is None:
                    return  # lost, or not connected before the runner does it
                fd = link.sock.fileno()
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            if poll.poll(_LOOK_EVERY):
                with self._lock:
                    self._links.ready(fd, WRITABLE)

    # ---- what the links tell; the lock is held ---------------------------------------------

    def arrived(self, link: Link, body: memoryview) -> None:
        try:
            message = pickle.loads(body)
        except Exception as error:  # whatever reading it raises
            text = described(error)
            thesplog("cannot read a message of %s: %s", link.name, text, level=logging.WARNING)
            message = Unreadable(text)
        size = len(body)
        if type(message) is ActorExitRequest:
            self.waits = False
        self.unread.append((link.address, message, link, size))
        self._came_bytes += size

    def settled(self, intent: Intent) -> None:
        self.done.append((intent, SendStatus.Sent))

    def refused(self, link: Link, posted: Posted, why: str) -> None:
        message, _, intent = posted
        if intent is not None:
            self.done.append((intent, SendStatus.BadPacket))
        if not issubclass(type(message), ActorSystemMessage):
            self.unread.append((link.address, PoisonMessage(message, why), None, 0))

    def lost(self, link: Link, posted: Sequence[Posted]) -> None:
        # By their types: to ask an object what it is may run its own code.
        for message, body, intent in posted:
            kind = type(message)
            if intent is not None:
                if not issubclass(kind, ActorSystemMessage):
                    intent.changeMessage(AsSent(body))  # as it may be put into a dead letter
                self.done.append((intent, SendStatus.DeadTarget))
            elif not issubclass(kind, DeadEnvelope | ChildActorExited):
                self._bury(DeadEnvelope(link.address, AsSent(body)))

    def _bury(self, letter: DeadEnvelope) -> None:
        if self._name == self._admin:
            self._tell_self(letter)
            return
        try:
            body = dumps(letter)
        except MemoryError:
            thesplog("no memory for the dead letter of %s", letter, level=logging.ERROR)
            return
        self._links.post(self._admin, (letter, body, None))

    # ---- in --------------------------------------------------------------------------------

    def take(self) -> Received:
        """The oldest thing that came; :meth:`dealt_with` is owed for it."""
        received = self.unread.popleft()
        self._taken_bytes += received[3]
        return received

    def dealt_with(self, received: Received) -> None:
        _, message, link, _ = received
        if link is None:
            return
        if type(message) is Unreadable:
            with self._lock:
                self._links.refuse(link, message.why)
            return
        # Without the lock: other threads that post only read the number.
        link.dealt_with += 1
        if link not in self._owed:
            with self._lock:
                self._links.owe(link)

    def receive(self) -> Received | None:
        """The oldest message that came, which counts as dealt with, if there is one."""
        while self.unread:
            received = self.take()
            self.dealt_with(received)
            if type(received[1]) is not Unreadable:
                return received
        return None

    def deliver(self, receiver: Receiver) -> Any:
        """Have what came so far dealt with, as long as the receiver gives something true.

        Returns:
            what it gave last; True if there was nothing.
        """
        unread = self.unread
        # Not until it is empty: who sends to itself for ever would hear of nobody else.
        for _ in range(len(unread)):
            received = unread.popleft()
            sender, message, _, size = received
            self._taken_bytes += size
            try:
                result = type(message) is Unreadable or receiver(message, sender)
            finally:
                # Not before: what ends this process while it is dealt with is known as lost.
                self.dealt_with(received)
            if not result:
                return result
        return True

    def be_runner(self) -> None:
        """This thread waits and takes from now on."""
        self._runner = get_ident()

    def do_io(self, seconds: float) -> None:
        """:meth:`do_io_until` so many seconds from now."""
        self.do_io_until(monotonic() + seconds)

    def do_io_until(self, deadline: float | None) -> None:
        """Wait until something can be received or sent, or is due, and do it.

        Args:
            deadline: of the monotonic clock, until when to wait at most; None is for ever.
        """
        due = self._alarms.next_due
        if due is None or (deadline is not None and deadline < due):
            due = deadline
        seconds = None if due is None else due - monotonic()
        if seconds is not None and seconds < 0.0:
            seconds = 0.0
        ready = self._wait(seconds)
        watched = None
        self._acquire()
        try:
            for fd, events in ready:
                if self._links.ready(fd, events):
                    continue
                if fd == self._waker.heard_at:
                    self._hear_wake_up()
                elif fd in self._watched:
                    watched = [fd] if watched is None else [*watched, fd]
            if watched is not None:
                self._tell_self(WatchMessage(watched))
            if not ready or not seconds:  # or else the next time, which will not wait
                self._look_what_is_due()
        except BaseException:
            self._links.break_off()
            raise
        finally:
            self._release()

    def _look_what_is_due(self) -> None:
        now = monotonic()
        due = self._alarms.next_due
        if due is not None and due <= now:
            for wakeup in self._alarms.due(now):
                self._tell_self(WakeupMessage(wakeup.period, wakeup.payload))

    def _tell_self(self, message: Any) -> None:
        self.unread.append((self._address, message, None, 0))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have the runner make a call."""
        with self._lock:
            self._alarms.add(monotonic() + seconds, partial(_guarded, call))

    # ---- waking ----------------------------------------------------------------------------

    @property
    def wake_fd(self) -> int:
        """To write to for whoever wants to end a wait."""
        return self._waker.fd

    def interrupt(self, told_to_exit: bool, children_died: bool) -> None:
        """From a signal handler, which must not take the lock."""
        if told_to_exit:
            self.waits = False  # now: the runner may be waiting for a thread that waits for room
        self._waker.interrupt(told_to_exit, children_died)

    def nudge(self) -> None:
        """Something happened that the runner has to look at."""
        if get_ident() != self._runner:
            self._waker.wake()

    def _hear_wake_up(self) -> None:
        told_to_exit, children_died = self._waker.hear()
        self._post_interjected()
        if children_died:
            self._tell_self(ChildMayHaveDied())
        if told_to_exit:
            self._tell_self(ActorExitRequest())

    def wake_up_after(self, period: timedelta | float, payload: Any) -> None:
        """Have a WakeupMessage come."""
        with self._lock:
            when = monotonic() + timePeriodSeconds(period)
            self._alarms.add_wakeup(Wakeup(when, period, payload))
        self.nudge()

    @property
    def wakeups(self) -> list[Wakeup]:
        with self._lock:
            return self._alarms.wakeups

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
        self._waker.close()


def _guarded(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:  # no business of whoever sends or receives just now
        thesplog("%s: %s", call, described(error), level=logging.ERROR)
