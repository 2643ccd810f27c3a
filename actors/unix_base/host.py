"""How a host outside of an actor system asks and tells its actors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from thespian.actors import (
    ActorAddress,
    ActorSystemMessage,
    ActorSystemRequestTimeout,
    DeadEnvelope,
)
from thespian.system import isInternalActorSystemMessage
from thespian.system.systemBase import MAX_TELL_PERIOD, BaseContext
from thespian.system.timing import timePeriodSeconds
from thespian.system.transport import SendStatus, TransmitIntent, TransmitOnly

from actors.unix_base.transport.address import name_of
from actors.unix_base.transport.pickling import dumps
from actors.unix_base.transport.transport import UnixTransport

TELL_SECONDS: Final = MAX_TELL_PERIOD.total_seconds()
_LOOK_EVERY: Final = 0.05
"""Seconds between two looks at what the thread that runs the transport has found out."""


class Question:
    """What one ``ask`` waits for; told what became of its message."""

    __slots__ = ("_actor", "_context", "_message", "is_lost", "is_over")

    def __init__(self, context: AsksAndTells, actor: ActorAddress, message: Any) -> None:
        self._context = context
        self._actor = actor
        self._message = message
        self.is_lost = False
        """Whether whoever was asked ended before the message was dealt with."""
        self.is_over = False
        """Whether nobody waits for an answer any more."""

    def changeMessage(self, message: Any) -> None:
        self._message = message

    def tx_done(self, status: SendStatus.BASE) -> None:
        if status is SendStatus.Sent:
            return
        transport = self._context.transport
        letter = DeadEnvelope(self._actor, self._message)
        transport.scheduleTransmit(None, TransmitIntent(self._context.adminAddr, letter))
        self.is_lost = True
        if not self.is_over:
            transport.abort_run()


class AsksAndTells:
    """Before Thespian's own class for that. Its methods may be called in any thread."""

    transport: UnixTransport
    adminAddr: ActorAddress

    def __init__(self, *args: Any) -> None:
        self._turn = threading.Lock()
        """Held by the thread that runs the transport."""
        super().__init__(*args)

    def ask(self, actor: ActorAddress, message: Any, timeout: timedelta | float | None) -> Any:
        """Send a message and give the next one that comes, from whomever.

        Returns:
            None when time is up, and at once when the actor ended before it dealt with it. The
            message was not sent if all that time the actor had too much to take of what was sent
            before.
        """
        deadline = None
        if timeout is not None:
            deadline = time.monotonic() + timePeriodSeconds(timeout)
        name, body = name_of(actor), dumps(message)
        if not self._finds_room(name, deadline):
            return None
        question = Question(self, actor, message)
        self.transport.be_reachable()  # whoever is to answer may not have spoken with it before
        self.transport.post(name, (message, body, question))
        try:
            while self._turn.acquire(blocking=False) or self._waits_for_turn(
                deadline, lambda: question.is_lost
            ):
                try:
                    if question.is_lost:  # while another thread had the transport
                        return None
                    came = self.transport.run_until(deadline)
                finally:
                    self._turn.release()
                if isinstance(came, tuple):
                    _, message, _, _ = came
                    if not _is_internal(message):
                        return message
                elif question.is_lost:
                    return None
                if deadline is not None and time.monotonic() >= deadline:
                    return None
            return None
        finally:
            question.is_over = True

    def tell(self, actor: ActorAddress, message: Any) -> None:
        """Send a message; comes back once the kernel has it.

        Raises:
            ActorSystemRequestTimeout: the actor has so much to read that it was not taken
                within a minute. The text says whether it is sent all the same.
        """
        deadline = time.monotonic() + TELL_SECONDS
        name, body = name_of(actor), dumps(message)
        if not self._finds_room(name, deadline):
            raise ActorSystemRequestTimeout(
                f"{actor} takes nothing; in {TELL_SECONDS:g} s there was no room for this message, "
                "which is not sent"
            )
        self.transport.be_reachable()
        self.transport.post(name, (message, body, None))
        if self.transport.has_sent_all_to(name):
            return
        if self._waits_for_turn(deadline):
            try:
                if self.transport.send_all_to(name, deadline):
                    return
            finally:
                self._turn.release()
        raise ActorSystemRequestTimeout(
            f"{actor} did not take this message in {TELL_SECONDS:g} s; it gets it when it does"
        )

    def _finds_room(self, name: str, deadline: float | None) -> bool:
        """Wait until so little is on its way to a process that more need not wait; False if that
        was not before the deadline."""
        transport = self.transport
        if transport.has_room_for(name):
            return True
        if self._waits_for_turn(deadline, lambda: transport.has_room_for(name)):
            try:
                return transport.make_room_for(name, deadline)
            finally:
                self._turn.release()
        return transport.has_room_for(name)

    def _waits_for_turn(
        self, deadline: float | None, is_over: Callable[[], bool] = lambda: False
    ) -> bool:
        """Have the transport for this thread; False if others had it until the deadline, or
        until they found that there is nothing to wait for."""
        while not is_over():
            left = _LOOK_EVERY if deadline is None else deadline - time.monotonic()
            if self._turn.acquire(timeout=max(0.0, min(left, _LOOK_EVERY))):
                return True
            if left <= 0.0:
                return False
        return False

    def _run_transport(
        self,
        maximumDuration: timedelta | float | None = None,
        txonly: bool = False,
        incomingHandler: Any = None,
    ) -> Any:
        """What Thespian's own ways to ask and tell do, in their turn."""
        deadline = None
        if maximumDuration is not None:
            deadline = time.monotonic() + timePeriodSeconds(maximumDuration)
        if not self._waits_for_turn(deadline):
            return None
        try:
            seconds = None if deadline is None else deadline - time.monotonic()
            return self.transport.run(TransmitOnly if txonly else incomingHandler, seconds)
        finally:
            self._turn.release()


class PrivateContext(AsksAndTells, BaseContext):  # type: ignore[misc]
    """Of one thread of a host."""


def _is_internal(message: Any) -> bool:
    return isinstance(message, ActorSystemMessage) and bool(isInternalActorSystemMessage(message))
