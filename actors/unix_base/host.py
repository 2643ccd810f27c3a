"""How a host outside of an actor system asks and tells its actors."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from thespian.actors import ActorAddress, ActorSystemRequestTimeout, DeadEnvelope
from thespian.system import isInternalActorSystemMessage
from thespian.system.systemBase import MAX_TELL_PERIOD, BaseContext
from thespian.system.timing import timePeriodSeconds
from thespian.system.transport import ReceiveEnvelope, SendStatus, TransmitIntent

from actors.unix_base.address import name_of
from actors.unix_base.link import Posted
from actors.unix_base.transport import UnixTransport

_TELL_SECONDS: Final = MAX_TELL_PERIOD.total_seconds()


class Question:
    """What one ``ask`` waits for; told what became of its message."""

    def __init__(self, transport: UnixTransport, admin: ActorAddress, letter: DeadEnvelope) -> None:
        self._transport = transport
        self._admin = admin
        self._letter = letter
        self.is_lost = False
        """Whether whoever was asked ended before the message was dealt with."""
        self.is_over = False
        """Whether nobody waits for an answer any more."""

    def tx_done(self, status: SendStatus.BASE) -> None:
        if status:
            return
        self._transport.scheduleTransmit(None, TransmitIntent(self._admin, self._letter))
        self.is_lost = True
        if not self.is_over:
            self._transport.abort_run()


class AsksAndTells:
    """Before Thespian's own class for that. Its methods may be called in any thread."""

    transport: UnixTransport
    adminAddr: ActorAddress
    _cv: Any
    _transport_runner: bool

    def ask(self, actor: ActorAddress, message: Any, timeout: timedelta | float | None) -> Any:
        """Send a message and give the next one that comes, from whomever.

        Returns:
            None when time is up, and at once when the actor ended before it dealt with it.
        """
        deadline = None
        if timeout is not None:
            deadline = time.monotonic() + timePeriodSeconds(timeout)
        letter = DeadEnvelope(actor, message)
        question = Question(self.transport, self.adminAddr, letter)
        self.transport.post(name_of(actor), _pickled(message), Posted(message, question))
        try:
            while True:
                with self._as_runner(deadline) as is_runner:
                    if not is_runner:
                        return None
                    seconds = None if deadline is None else deadline - time.monotonic()
                    came = self.transport.run(None, seconds)
                if isinstance(came, ReceiveEnvelope):
                    if not isInternalActorSystemMessage(came.message):
                        return came.message
                elif question.is_lost:
                    return None
                if deadline is not None and time.monotonic() >= deadline:
                    return None
        finally:
            question.is_over = True

    def tell(self, actor: ActorAddress, message: Any) -> None:
        """Send a message; comes back once the kernel has it.

        Raises:
            ActorSystemRequestTimeout: the actor has so much to read that it was not taken
                within a minute. It is sent all the same.
        """
        deadline = time.monotonic() + _TELL_SECONDS
        name = name_of(actor)
        self.transport.post(name, _pickled(message), Posted(message, None))
        with self._as_runner(deadline) as is_runner:
            if is_runner and self.transport.send_all_to(name, deadline):
                return
        raise ActorSystemRequestTimeout(f"{actor} took nothing for {MAX_TELL_PERIOD}")

    @contextmanager
    def _as_runner(self, deadline: float | None) -> Iterator[bool]:
        """Have the transport for this thread; False if others had it until the deadline."""
        with self._cv:
            seconds = None if deadline is None else deadline - time.monotonic()
            if not self._cv.wait_for(lambda: not self._transport_runner, seconds):
                yield False
                return
            self._transport_runner = True
        try:
            yield True
        finally:
            with self._cv:
                self._transport_runner = False
                self._cv.notify()


class PrivateContext(AsksAndTells, BaseContext):  # type: ignore[misc]
    """Of one thread of a host."""


def _pickled(message: Any) -> bytes:
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
