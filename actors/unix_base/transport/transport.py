"""Thespian's transport over sockets.

Everything in here runs in the process of the actor, admin, logger or host that it is for.
Any thread may send; one at a time runs the transport.
"""

from __future__ import annotations

import atexit
import os
import signal
import time
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from thespian.actors import ActorAddress, ActorSystemMessage
from thespian.system.addressManager import CannotPickleAddress
from thespian.system.messages.admin import SystemShutdown
from thespian.system.timing import ExpirationTimer
from thespian.system.transport import (
    SendStatus,
    Thespian__UpdateWork,
    TransmitIntent,
    TransportInit__Base,
)

from actors.unix_base.kernel.descriptors import let_go, logged_to, open_descriptors
from actors.unix_base.kernel.socket_files import is_alive
from actors.unix_base.transport import endpoint
from actors.unix_base.transport.address import address_of, name_of
from actors.unix_base.transport.conventions import admins_of, parse_address
from actors.unix_base.transport.directory import (
    SystemLock,
    leave_place,
    make_place,
    system_directory,
)
from actors.unix_base.transport.endpoint import Endpoint, External
from actors.unix_base.transport.exchange import Exchange
from actors.unix_base.transport.pickling import as_sent_now, dumps, in_words
from actors.unix_base.transport.running import Runs
from actors.unix_base.transport.sockets import UnixSockets
from actors.unix_base.transport.thespian_log import find_place_of_log
from actors.unix_base.transport.upkeep import Upkeep


class UnixTransport(Runs):
    """See :mod:`thespian.system.transport` for what Thespian expects of one."""

    def __init__(self, origin: TransportInit__Base, *args: Any) -> None:
        """
        Args:
            origin: an :class:`Endpoint` in a new process of the actor system, or what tells
                that this is for a host outside it.
            args: of Thespian's own call in a host: capabilities, logging, context.

        Raises:
            OSError: the process cannot listen.
            SocketDirectoryError: its sockets have no safe place.
        """
        find_place_of_log()
        self._directory = endpoint.directory_of(origin, *args)
        self._family = UnixSockets(self._directory)
        self._keep: frozenset[int] = frozenset()
        self._system_lock: SystemLock | None = None
        admin = endpoint.admin_name(self._directory)
        if isinstance(origin, Endpoint):
            name, self._keep = origin.name, origin.keep
            self._family.swept_until = origin.swept_until
            _leave_parent(origin)
            if name == admin:
                self._system_lock = SystemLock(self._directory)
        else:
            if len(args) > 1:
                self._keep = logged_to(args[1])
            name = self._family.new_name()
        self.myAddress = address_of(name)
        self._name = name
        is_host = not isinstance(origin, Endpoint)
        super().__init__(self._listen(name, admin, is_host), admin)
        self._exchange.waits = not is_host  # each of a host's calls waits in its own way
        shutdown = partial(TransmitIntent, self.myAddress, SystemShutdown())
        end: Callable[[], None] = lambda: self.scheduleTransmit(None, shutdown())  # noqa: E731
        self._upkeep = Upkeep(self._directory, self._exchange, self._system_lock, end)
        self.child_was_killed = self._upkeep.child_was_killed
        self.be_reachable = self._upkeep.look
        self.post = self._exchange.post
        self.set_watch, self.watched = self._exchange.watches.set, self._exchange.watches.fds
        self._hears_signals = False
        self._closed = False
        self._at_exit = _closer(self)
        if not isinstance(origin, Endpoint):
            atexit.register(self._at_exit)

    def _listen(self, name: str, admin: str, is_host: bool) -> Exchange:
        while True:
            if is_host:
                make_place(self._directory)
            try:
                return Exchange(self._family, name, admin)
            except FileNotFoundError:
                if not is_host:
                    raise
                # The last one who left has removed the directory meanwhile.
            except OSError:
                self._leave_directory()
                raise

    # ---- addresses -------------------------------------------------------------------------

    @staticmethod
    def getAdminAddr(capabilities: dict[str, Any]) -> ActorAddress:
        return address_of(endpoint.admin_name(system_directory(capabilities)))

    @staticmethod
    def getConventionAddress(capabilities: dict[str, Any]) -> list[ActorAddress] | None:
        return admins_of(capabilities)

    @staticmethod
    def getAddressFromString(text: Any, adminRouting: bool = False) -> ActorAddress:
        return parse_address(text)

    @staticmethod
    def probeAdmin(address: ActorAddress) -> bool:
        """Whether an admin may be listening there."""
        return is_alive(name_of(address))

    def setAddressManager(self, addresses: Any) -> None:
        """Nothing to do: each call that needs one is given one."""

    def deadAddress(self, addresses: Any, child: ActorAddress) -> None:
        """Nothing to do: what is on its way to it is lost with its link."""

    def lostRemote(self, address: ActorAddress) -> None:
        """Nothing to do: a link that is broken is gone already."""

    # ---- processes -------------------------------------------------------------------------

    def prepEndpoint(self, address: ActorAddress, capabilities: dict[str, Any]) -> Endpoint:
        self.be_reachable()  # a child is to find its parent
        swept, opened = self._family.swept_until, open_descriptors()
        return endpoint.prepare(address, self._directory, self, opened, self._keep, swept)

    @property
    def kept(self) -> frozenset[int]:
        """Descriptors that the processes started from this one keep, to log to."""
        return self._keep

    def connectEndpoint(self, child: Endpoint) -> None:
        """Nothing to do: the child will connect."""

    def hear_out(self, child: Endpoint) -> None:
        """The child's process has ended: take in what it said before."""
        self._exchange.hear_out(child.name)

    def remove_socket_of(self, child: Endpoint) -> None:
        """The child's process has ended."""
        self._family.remove(child.name)

    def actors_left(self) -> list[str]:
        """Of the admin: the names of all actors of its system that live, whoever is their
        parent."""
        return [] if self._system_lock is None else self._system_lock.actors()

    def protectedFileNumList(self) -> list[int]:
        return []

    def childResetFileNumList(self) -> list[int]:
        return []  # a child sees to that itself

    def external_transport_clone(self) -> UnixTransport:
        return UnixTransport(External(self._directory))

    def interrupt_wait(self, signal_shutdown: bool = False, check_children: bool = False) -> None:
        """Also from a signal handler."""
        self._exchange.interrupt(signal_shutdown, check_children)

    def hear_signals(self) -> None:
        """Have every signal end a wait, also one that comes just before it: a handler in Python
        would only run after that. To be called in the main thread."""
        signal.set_wakeup_fd(self._exchange.wake_fd, warn_on_full_buffer=False)
        self._hears_signals = True

    def _hear_no_signals(self) -> None:
        if self._hears_signals:
            self._hears_signals = False
            signal.set_wakeup_fd(-1)  # the number may be another file's soon

    def enableRXPauseFlowControl(self, enable: bool = True) -> None:
        """Whether a sender waits while too much is on its way."""
        self._exchange.waits = enable

    # ---- sending ---------------------------------------------------------------------------

    def scheduleTransmit(self, addresses: Any, intent: TransmitIntent, **_: Any) -> None:
        """Send a message for Thespian, which is told of its end by callbacks.

        Raises:
            CannotPickleAddress: it is for, or about, an actor whose address is not known yet.
            Exception: it cannot be pickled, whatever that raised.
        """
        if isinstance(intent.message, Thespian__UpdateWork):
            intent.tx_done(SendStatus.Sent)
            return
        target, message = intent.targetAddr, intent.message
        if addresses is not None:
            target, message = addresses.prepMessageSend(target, message)
            if isinstance(message, SendStatus.SENDSTS_DEADTARGET):
                intent.tx_done(SendStatus.Sent)
                return
            if target is None:
                intent.changeMessage(as_sent_now(message))
                raise CannotPickleAddress(intent.targetAddr)
            intent.changeTargetAddr(target)
            intent.changeMessage(message)
        name = name_of(target)
        if name != self._name:
            self._exchange.post(name, (message, dumps(message), intent))
            return
        if not isinstance(message, ActorSystemMessage):
            dumps(message)  # as for any other receiver
        self._exchange.post_to_self(message, intent)

    def addWakeup(self, period: timedelta | float, payload: Any) -> None:
        self._exchange.wake_up_after(period, payload)

    def _updateStatusResponse(self, status: Any) -> None:
        for link in self._exchange.links:
            for message, _, _ in list(link.posted) if link.backlog else ():
                status.addPendingMessage(self.myAddress, link.address, in_words(message))
        for sender, message, _, _ in list(self._exchange.unread):
            status.addReceivedMessage(sender, self.myAddress, in_words(message))
        now = time.monotonic()
        timers = [ExpirationTimer(each.when - now) for each in self._exchange.wakeups]
        status.addWakeups([(self.myAddress, timer) for timer in timers])
        status.addKeyVal(f"links of {self.myAddress}", len(self._exchange.links))

    # ---- the end ---------------------------------------------------------------------------

    def close(self) -> None:
        """Hang up on all; the transport cannot be used any more."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        self._hear_no_signals()
        self._exchange.close()
        self._leave_directory()

    def _leave_directory(self) -> None:
        if self._system_lock is not None:
            self._system_lock.release()
        else:
            leave_place(self._directory)

    def leave_to_parent(self) -> None:
        """Close the copies that a forked process has of all this; the parent goes on."""
        self._closed = True
        self._hear_no_signals()
        self._exchange.leave_to_parent()
        if self._system_lock is not None:
            self._system_lock.leave()


def _leave_parent(origin: Endpoint) -> None:
    parent, origin.parent = origin.parent, None
    if parent is not None:  # it is None in a process that was not forked
        parent.leave_to_parent()
        let_go(origin.inherited, origin.keep)


def _closer(transport: UnixTransport) -> Callable[[], None]:
    """For a host that ends without a shutdown: its socket file is to go, too."""
    ours, mine = weakref.ref(transport), os.getpid()

    def close() -> None:
        here = ours()
        if here is not None and os.getpid() == mine:
            here.close()

    return close
